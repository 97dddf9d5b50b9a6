"""What validate does between reading its parents and handing back an outcome.

The documents of a judgement are part of the manifest when it passed; when it did not there is no manifest, and they
are laid out under a key of the step so that a person can open them.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from clsp.hashing import canonical_json
from clsp.records import Caption, Example, Failure, Segment, Verdict
from clsp.storage import ObjectStore
from clsp.storage.files import save_files
from clsp.storage.manifest import Counts, Shard, load_manifest
from clsp.storage.slices import RowSlices
from clsp.storage.steps import Outcome
from components.validate.building import CAPTIONLESS, save_examples
from data_quality.evidence import Evidence, Rows
from data_quality.gate import Gate
from data_quality.judgement import Judgement


def validate(
    store: ObjectStore, gate: Gate, parents: tuple[str, str, str], documents: str, baseline: str = ""
) -> Outcome:
    """Build examples and let the gate judge them; QualityError when it refuses.

    ``parents`` are the manifests of segments, captions and verified captions; ``documents`` is the key prefix of the
    Data Docs of a refusal; ``baseline`` the manifest that drift is judged against, '' for none.
    """
    segments, captions, verified = (load_manifest(store, name) for name in parents)
    known = RowSlices(store, segments.of_kind("segments"), Segment)
    accepted = RowSlices(store, verified.of_kind("captions"), Caption)
    built = save_examples(store, known, accepted)
    judgement = gate.judge(
        Evidence(
            segments=known,
            captions=RowSlices(store, captions.of_kind("captions"), Caption),
            verdicts=RowSlices(store, verified.of_kind("verdicts"), Verdict),
            accepted=accepted,
            failures=RowSlices(store, verified.of_kind("failures"), Failure),
            examples=RowSlices(store, [shard for shard in built if shard.kind == "examples"], Example),
            baseline=_baseline(store, baseline),
            baseline_name=baseline,
        )
    )
    files = {f"docs/{path}": page for path, page in judgement.pages.items()}
    files["validation.json"] = canonical_json(judgement.summary())
    if judgement.failed:
        for path, content in files.items():
            store.put_blob(f"{documents}/{path}", content)
        judgement.require(f"{store.uri}/{documents}/docs/index.html")
    return _outcome(store, len(known), built, judgement, files)


def _baseline(store: ObjectStore, name: str) -> Rows[Example]:
    return RowSlices(store, load_manifest(store, name).of_kind("examples"), Example) if name else ()


def _outcome(
    store: ObjectStore, segments: int, built: Sequence[Shard], judgement: Judgement, files: Mapping[str, bytes]
) -> Outcome:
    rows = {kind: sum(shard.rows for shard in built if shard.kind == kind) for kind in ("examples", "failures")}
    counts = Counts(
        unit="segments",
        rows_in=segments,
        accepted=rows["examples"],
        rejected={CAPTIONLESS: rows["failures"]} if rows["failures"] else {},
    )
    facts: dict[str, JsonValue] = {result.rule: round(result.observed, 6) for result in judgement.results}
    shards = (*built, *_save(store, files))
    return Outcome(
        "examples", shards, counts, {"rules": len(judgement.results), "observed": facts, "drift": judgement.drift}
    )


def _save(store: ObjectStore, files: Mapping[str, bytes]) -> Iterable[Shard]:
    with tempfile.TemporaryDirectory(prefix="clsp-validate-") as folder:
        for path, content in files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return save_files(store, Path(folder))
