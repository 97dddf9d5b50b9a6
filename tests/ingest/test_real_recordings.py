"""Real recorded speech, where Debian's packages put it: every file ends as segments or as a counted refusal."""

from collections import Counter
from pathlib import Path

import pytest

from clsp.config import IngestSettings
from clsp.records import Failure, Segment
from clsp.storage import open_store
from clsp.storage.manifest import load_manifest, read_rows
from components.ingest.main import run

PROMPTS = Path("/usr/share/asterisk/sounds")
VOICES = Path("/usr/share/games/hedgewars/Data/Sounds/voices")


def subset(root: Path, into: Path, every: int) -> Path:
    """Every so many-th recording of each folder below ``root``, copied."""
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        for path in sorted(path for path in folder.iterdir() if path.is_file())[::every]:
            copy = into / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return into


def ingest(tmp_path, source):
    store = str(tmp_path / "store")
    name = run(store=store, run_id="r", settings=IngestSettings().model_dump_json(), source=str(source))
    manifest = load_manifest(open_store(store), name)
    segments = list(read_rows(open_store(store), manifest, "segments", Segment))
    failures = list(read_rows(open_store(store), manifest, "failures", Failure))
    return manifest, segments, failures


def check_nothing_is_lost(source, segments, failures):
    ended = {segment.source for segment in segments} | {failure.id.split("#")[0] for failure in failures}
    assert ended == {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}


@pytest.mark.skipif(not PROMPTS.is_dir(), reason="asterisk-core-sounds is not installed")
def test_telephone_prompts_of_five_languages(tmp_path):
    source = subset(PROMPTS, tmp_path / "in", every=12)
    manifest, segments, failures = ingest(tmp_path, source)
    check_nothing_is_lost(source, segments, failures)
    assert manifest.counts.failed == {}
    assert set(manifest.counts.rejected) <= {"too_short", "silence", "duplicate"}
    languages = {folder.name for folder in source.iterdir()}
    assert {segment.speaker for segment in segments} == languages
    assert all(segment.source.startswith(f"{segment.speaker}/") for segment in segments)
    assert manifest.info["source_rates"] == {"8000": sum(1 for _ in source.rglob("*.wav"))}


@pytest.mark.skipif(not VOICES.is_dir(), reason="hedgewars-data is not installed")
def test_acted_voices(tmp_path):
    source = subset(VOICES, tmp_path / "in", every=6)
    manifest, segments, failures = ingest(tmp_path, source)
    check_nothing_is_lost(source, segments, failures)
    assert manifest.counts.failed == {}
    speakers = Counter(segment.speaker for segment in segments)
    assert len(speakers) >= 12
    splits = {(segment.speaker, segment.split) for segment in segments}
    assert len(splits) == len(speakers)
    assert {split for _, split in splits} == {"train", "dev", "test"}
