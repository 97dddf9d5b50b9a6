"""The ingest step as it is run: everything a folder may hold, counted; twice, killed, on S3, on a full disk."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from clsp.config import IngestSettings
from clsp.errors import DataError, StorageError
from clsp.records import Failure, Segment
from clsp.storage import open_store
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.manifest import load_manifest, read_rows
from components.ingest.main import run
from tests.sounds import babble, encoded, tone, write


def ingest(store, source, metadata="", run_id="run", **settings):
    """Run the step; returns its manifest's name, manifest, segments and failures."""
    chosen = IngestSettings(**settings).model_dump_json()
    name = run(store=store, run_id=run_id, settings=chosen, source=str(source), metadata=str(metadata))
    manifest = load_manifest(open_store(store), name)
    rows = [list(read_rows(open_store(store), manifest, kind, record)) for kind, record in KINDS]
    return name, manifest, *rows


KINDS = (("segments", Segment), ("failures", Failure))


def voices(folder: Path, speakers=4, clips=3) -> Path:
    for speaker in range(speakers):
        for clip in range(clips):
            write(folder / f"s{speaker}" / f"{clip}.wav", babble(1.5, seed=100 * speaker + clip))
    return folder


@pytest.fixture
def uri(tmp_path):
    return str(tmp_path / "store")


def test_everything_a_folder_may_hold_is_counted(uri, tmp_path):
    source = voices(tmp_path / "in")
    good = babble(2.0, seed=7)
    not_numbers = np.full(20_000, np.nan, np.float32)
    write(source / "good" / "stereo.ogg", np.stack([good, good], 1), container="ogg")
    write(source / "good" / "six.wav", tone(2.0, 48_000, channels=6), 48_000, "wav24")
    write(source / "good" / "fast.flac", tone(2.0, 192_000), 192_000, "flac")
    write(source / "good" / "phone.m4a", good, container="m4a")
    write(source / "good" / "long.mp3", babble(70, seed=8), container="mp3")
    write(source / "good" / "one.wav", good)
    write(source / "good" / "same.flac", good, container="flac")
    write(source / "bad" / "short.wav", tone(0.05))
    write(source / "bad" / "silent.wav", np.zeros(32_000, np.float32))
    write(source / "bad" / "clipped.wav", np.sign(tone(2.0)))
    write(source / "bad" / "nan.wav", not_numbers, container="wavfloat")
    (source / "bad" / "empty.wav").touch()
    (source / "bad" / "poem.wav").write_text("these are words")
    (source / "bad" / "torn.flac").write_bytes(encoded(good, 16_000, "flac")[:-4000])
    (source / "bad" / "folder.wav").mkdir()
    (source / "bad" / "dangling.wav").symlink_to("nowhere.wav")
    (source / "bad" / "outward.wav").symlink_to("/etc/hostname")
    _, manifest, segments, failures = ingest(uri, source)
    assert manifest.counts.rejected == {"clipped": 1, "duplicate": 1, "link_outside": 1, "silence": 1, "too_short": 1}
    assert manifest.counts.failed == {
        "empty_file": 1, "nan_samples": 1, "not_a_file": 1, "not_audio": 1, "truncated": 1, "unreadable": 1,
    }  # fmt: skip
    assert len(failures) == manifest.counts.rows_in - manifest.counts.accepted == 11
    by_file = Counter(segment.source for segment in segments)
    assert by_file.pop("good/long.mp3") >= 3
    assert set(by_file.values()) == {1}
    assert len(by_file) == 12 + 5  # of the two that are the same, one
    assert len({segment.id for segment in segments}) == len(segments) == manifest.counts.accepted
    assert all(1 <= segment.duration_s <= 30 for segment in segments)
    assert manifest.info["files"] == 12 + 17


def test_segments_are_read_where_they_say(uri, tmp_path):
    _, manifest, segments, _ = ingest(uri, voices(tmp_path / "in"), files_per_unit=5, shard_bytes=100_000)
    store = open_store(uri)
    for segment in segments:
        flac = read_sound(store, ByteRange(segment.audio_key, segment.audio_offset, segment.audio_length))
        assert flac.startswith(b"fLaC")
    assert {segment.audio_key for segment in segments} == {shard.key for shard in manifest.of_kind("audio")}
    assert len(manifest.of_kind("audio")) > 3


def test_no_speaker_is_in_two_splits(uri, tmp_path):
    _, manifest, segments, _ = ingest(uri, voices(tmp_path / "in", speakers=6))
    splits = {}
    for segment in segments:
        assert splits.setdefault(segment.speaker, segment.split) == segment.split
    assert set(splits.values()) == {"train", "dev", "test"}
    assert manifest.info["split_by"] == "speaker"
    assert manifest.info["segments_by_split"] == Counter(segment.split for segment in segments)


@pytest.mark.parametrize(("speakers", "clips", "by"), [(2, 4, "file"), (1, 1, "segment")])
def test_with_too_few_speakers_the_split_is_finer_and_says_so(uri, tmp_path, speakers, clips, by):
    source = voices(tmp_path / "in", speakers, clips)
    if clips == 1:
        write(source / "s0" / "0.wav", babble(120))
    _, manifest, segments, _ = ingest(uri, source)
    assert manifest.info["split_by"] == by
    assert {segment.split for segment in segments} == {"train", "dev", "test"}


def test_metadata_reaches_the_segments_and_strangers_are_counted(uri, tmp_path):
    source = voices(tmp_path / "in", 3, 2)
    table = tmp_path / "about.csv"
    table.write_text(
        "file,speaker,gender,language,transcript,license,mood\n"
        "s0/0.wav,ann,female,en,hello there,cc0,calm\nghost.wav,x,,,,,\n1,y,,,,,\ns0/0,again,,,,,\n"
    )
    _, manifest, segments, _ = ingest(uri, source, table, licence="cc-by")
    segment = {segment.source: segment for segment in segments}["s0/0.wav"]
    assert (segment.speaker, segment.gender, segment.language) == ("ann", "female", "en")
    assert (segment.transcript, segment.licence, segment.tags) == ("hello there", "cc0", {"mood": "calm"})
    assert {segment.licence for segment in segments} == {"cc0", "cc-by"}
    assert manifest.info["unmatched_metadata"] == {"count": 1, "first": ["ghost.wav"]}
    assert manifest.info["ambiguous_metadata"] == {"count": 1, "first": ["1"]}
    assert manifest.info["repeated_metadata"] == {"count": 1, "first": ["s0/0"]}


def test_a_second_run_does_nothing_and_changed_content_is_new_work(uri, tmp_path):
    source = voices(tmp_path / "in")
    first, *_ = ingest(uri, source)
    written = set(open_store(uri).list("shards/"))
    assert ingest(uri, source, run_id="again", threads=1)[0] == first
    assert set(open_store(uri).list("shards/")) == written
    write(source / "s0" / "0.wav", babble(1.5, seed=999))
    second, *_ = ingest(uri, source, run_id="changed")
    (source / "metadata.csv").write_text("file,speaker\ns0/0.wav,new\n")
    assert len({first, second, ingest(uri, source, run_id="told")[0]}) == 3


def test_the_manifest_depends_on_neither_place_nor_threads(tmp_path):
    first, *_ = ingest(str(tmp_path / "one"), voices(tmp_path / "in"), files_per_unit=4)
    shutil.copytree(tmp_path / "in", tmp_path / "moved" / "there")
    second, *_ = ingest(str(tmp_path / "two"), tmp_path / "moved" / "there", files_per_unit=4, threads=3)
    assert first == second


def test_the_same_flow_from_and_to_s3(s3_store, tmp_path):
    source = voices(tmp_path / "in")
    for path in sorted(source.rglob("*.wav")):
        s3_store.put_file(f"in/{path.relative_to(source).as_posix()}", path)
    name, *_ = ingest(f"{s3_store.uri}/out", f"{s3_store.uri}/in")
    assert name == ingest(str(tmp_path / "store"), source)[0]


@pytest.mark.parametrize("content", [{}, {"readme.txt": b"x"}, {"a.wav": b"", "b.wav": b"words"}])
def test_nothing_usable_is_an_error_that_helps(uri, tmp_path, content):
    (tmp_path / "in").mkdir()
    for name, data in content.items():
        (tmp_path / "in" / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        ingest(uri, tmp_path / "in")
    assert caught.value.hint
    if "a.wav" in content:
        assert "empty_file 1, not_audio 1" in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"min_seconds": 20.0}, {"dev_share": 0.6, "test_share": 0.6}, {"max_seconds": -1.0}]
)
def test_settings_that_contradict_each_other_are_refused(settings):
    with pytest.raises(ValueError, match=r"seconds|share"):
        IngestSettings(**settings)


def command(store, source):
    script = (
        "import sys\nfrom components.ingest.main import run\n"
        "run(store=sys.argv[1], run_id='r', settings='{\"files_per_unit\": 2}', source=sys.argv[2])\n"
    )
    return [sys.executable, "-c", script, str(store), str(source)]


def test_killed_at_any_unit_and_started_again_it_ends_the_same(tmp_path):
    source = voices(tmp_path / "in", 6, 3)
    undisturbed, *_ = ingest(str(tmp_path / "calm"), source, files_per_unit=2)
    store = tmp_path / "store"
    for units in (1, 4):
        process = subprocess.Popen(command(store, source), stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(store.glob("ledger/ingest/*/*.json"))) < units:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert ingest(str(store), source, files_per_unit=2)[0] == undisturbed


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small disk needs root")
def test_a_full_disk_is_named_and_after_making_room_it_goes_on(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], check=True, timeout=30)
    try:
        source = voices(tmp_path / "in", 6, 4)
        with pytest.raises(StorageError, match="No space left") as caught:
            ingest(str(disk / "store"), source, files_per_unit=2)
        assert "free space" in caught.value.hint
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True, timeout=30)
        name, *_ = ingest(str(disk / "store"), source, files_per_unit=2)
    finally:
        subprocess.run(["umount", str(disk)], check=True, timeout=30)
    assert name == ingest(str(tmp_path / "store"), source, files_per_unit=2)[0]
