"""What validate does between reading its parents and handing back an outcome.

The documents of a judgement are part of the manifest when it passed; when it did not there is no manifest, and they
are laid out under a key of the step so that a person can open them.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from clsp.data.examples import build_examples, captionless
from clsp.hashing import canonical_json
from clsp.records import Caption, Example, Failure, Segment, Verdict
from clsp.storage import ObjectStore
from clsp.storage.files import save_files
from clsp.storage.manifest import Counts, Shard, load_manifest, read_rows, save_rows
from clsp.storage.steps import Outcome
from data_quality.evidence import Evidence
from data_quality.gate import Gate
from data_quality.judgement import Judgement

CAPTIONLESS = "captionless"


def validate(
    store: ObjectStore, gate: Gate, parents: tuple[str, str, str], documents: str, baseline: str = ""
) -> Outcome:
    """Build examples and let the gate judge them; QualityError when it refuses.

    ``parents`` are the manifests of segments, captions and verified captions; ``documents`` is the key prefix of the
    Data Docs of a refusal; ``baseline`` the manifest that drift is judged against, '' for none.
    """
    evidence = replace(read_evidence(store, *parents), baseline=_baseline(store, baseline))
    judgement = gate.judge(evidence)
    files = {f"docs/{path}": page for path, page in judgement.pages.items()}
    files["validation.json"] = canonical_json(judgement.summary())
    if judgement.failed:
        for path, content in files.items():
            store.put_blob(f"{documents}/{path}", content)
        judgement.require(f"{store.uri}/{documents}/docs/index.html")
    return _outcome(store, evidence, judgement, files)


def read_evidence(store: ObjectStore, segments: str, captions: str, verified: str) -> Evidence:
    """The rows of the three parents and the examples built from them."""
    judged = load_manifest(store, verified)
    rows = tuple(read_rows(store, load_manifest(store, segments), "segments", Segment))
    accepted = tuple(read_rows(store, judged, "captions", Caption))
    return Evidence(
        segments=rows,
        captions=tuple(read_rows(store, load_manifest(store, captions), "captions", Caption)),
        verdicts=tuple(read_rows(store, judged, "verdicts", Verdict)),
        accepted=accepted,
        failures=tuple(read_rows(store, judged, "failures", Failure)),
        examples=tuple(build_examples(rows, accepted)),
    )


def _baseline(store: ObjectStore, name: str) -> tuple[Example, ...]:
    return tuple(read_rows(store, load_manifest(store, name), "examples", Example)) if name else ()


def _outcome(store: ObjectStore, evidence: Evidence, judgement: Judgement, files: Mapping[str, bytes]) -> Outcome:
    failures = [
        Failure(segment.id, "validate", "rejected", CAPTIONLESS, "no fine caption passed", 1)
        for segment in captionless(evidence.segments, evidence.examples)
    ]
    counts = Counts(
        unit="segments",
        rows_in=len(evidence.segments),
        accepted=len(evidence.examples),
        rejected={CAPTIONLESS: len(failures)} if failures else {},
    )
    shards = (
        save_rows(store, "examples", Example, list(evidence.examples)),
        save_rows(store, "failures", Failure, failures),
        *_save(store, files),
    )
    facts = {result.rule: round(result.observed, 6) for result in judgement.results}
    return Outcome("examples", shards, counts, {"rules": len(judgement.results), "observed": facts})


def _save(store: ObjectStore, files: Mapping[str, bytes]) -> Iterable[Shard]:
    with tempfile.TemporaryDirectory(prefix="clsp-validate-") as folder:
        for path, content in files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return save_files(store, Path(folder))
