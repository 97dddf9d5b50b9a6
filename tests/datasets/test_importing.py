"""Every published layout becomes segments and captions whose sums add up, and hostile members are refused."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from clsp.config import IngestSettings
from clsp.data.clips import decode_flac
from clsp.datasets.importing import Request, import_data
from clsp.errors import ConfigError, DataError
from clsp.records import Caption, Failure, Segment
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.manifest import load_manifest, read_rows
from pipelines.cli import app
from tests.datasets import published

CLIPS = [f"EN_B00000_S0000{speaker}_W00000{number}" for speaker in (1, 2) for number in (1, 2)]


def run(store, form, *places, settings=None, **changes):
    imported = import_data(store, Request(form, places, "test", **changes), settings or IngestSettings())
    counts = imported.counts
    assert counts.rows_in == counts.accepted + counts.rejected_total + counts.failed_total
    return imported


def rows(store, imported, kind, record):
    return list(read_rows(store, load_manifest(store, imported.manifest), kind, record))


def segments(store, imported):
    return {row.id: row for row in rows(store, imported, "segments", Segment)}


def test_emilia_tars_joined_with_fcaps_by_id(store, tmp_path):
    tar = published.emilia(tmp_path / "EN-B000000.tar", CLIPS)
    described = [published.cut(clip, "x.mp3") for clip in [*CLIPS[1:], "EN_B00000_S99999_W000001"]]
    captions = published.write_lines(tmp_path / "fcaps.jsonl.gz", described)
    imported = run(store, "emilia", tar, captions=captions)
    assert imported.counts.accepted == 4
    assert imported.unmatched_audio == (CLIPS[0],)
    assert imported.unmatched_captions == ("EN_B00000_S99999_W000001",)
    found = segments(store, imported)
    assert found[CLIPS[0]].transcript == "The lamp was still burning."
    assert found[CLIPS[0]].speaker == "EN_B00000_S00001"
    assert found[CLIPS[0]].tags["dnsmos"] == "3.31"
    assert load_manifest(store, imported.manifest).info["source_rates"] == {"24000": 4}
    texts = rows(store, imported, "captions", Caption)
    assert [(text.kind, text.view) for text in texts[:3]] == [("fine", 0), ("fine", 1), ("global", 0)]
    assert texts[0].text == published.FINE.format(CLIPS[1])


@pytest.mark.parametrize("spelling", [("global_captions", "finegrained_captions"), ("short_captions", "long_captions")])
def test_fcaps_in_either_spelling_with_and_without_download(store, tmp_path, spelling):
    manifest = published.fcaps(tmp_path, ["ears-1", "ears-2"], spelling)
    imported = run(store, "fcaps", manifest, audio_root=tmp_path)
    assert (imported.counts.accepted, len(rows(store, imported, "captions", Caption))) == (2, 6)
    assert segments(store, imported)["ears-1"].accent == "American"
    assert segments(store, imported)["ears-1"].tags["intrinsic_tags"] == "deep, smooth"


def test_a_cut_without_its_recording_fails_and_is_listed(store, tmp_path):
    manifest = published.fcaps(tmp_path, ["ears-1", "ears-2"])
    (tmp_path / "ears/ears-2.wav").unlink()
    imported = run(store, "fcaps", manifest, audio_root=tmp_path)
    assert imported.counts.failed == {"audio_missing": 1}
    assert (imported.unmatched_captions, imported.unmatched_audio) == (("ears-2",), ())


def test_a_cut_takes_its_stretch_of_the_recording(store, tmp_path):
    (tmp_path / "long.wav").write_bytes(published.sound(seconds=9.0, container="WAV", rate=16_000))
    cuts = [published.cut("part", "long.wav", start=2.0, duration=1.25)]
    imported = run(store, "fcaps", published.write_lines(tmp_path / "cuts.jsonl", cuts))
    assert segments(store, imported)["part"].duration_s == 1.25
    assert segments(store, imported)["part"].start_s == 2.0


def test_paraspeechcaps_tables(store, tmp_path):
    table = published.paraspeechcaps(tmp_path, ["ex01/happy/one", "ex01/happy/two"])
    imported = run(store, "paraspeechcaps", table, audio_root=tmp_path)
    found = segments(store, imported)["expresso/ex01/happy/one"]
    assert (found.speaker, found.gender, found.tags["pitch"]) == ("ex01", "male", "medium-pitched")
    assert [row.kind for row in rows(store, imported, "captions", Caption)] == ["global", "global"]


def test_shar_folders(store, tmp_path):
    imported = run(store, "shar", published.shar(tmp_path / "shar", ["a", "b"]))
    assert (imported.counts.accepted, len(rows(store, imported, "captions", Caption))) == (2, 6)


def test_a_folder_of_recordings(store, tmp_path):
    for name in ("one/a.flac", "two/b.wav"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(published.sound(container=path.suffix[1:].upper()))
    imported = run(store, "folder", tmp_path / "in")
    assert {row.id: row.speaker for row in segments(store, imported).values()} == {"one/a": "one", "two/b": "two"}


def test_the_stored_sound_is_16_khz_mono_and_in_place(store, tmp_path):
    imported = run(store, "webdataset", published.emilia(tmp_path / "x.tar", CLIPS[:1]))
    row = segments(store, imported)[CLIPS[0]]
    sound = decode_flac(read_sound(store, ByteRange(row.audio_key, row.audio_offset, row.audio_length)), row.id)
    assert len(sound) / 16_000 == pytest.approx(row.duration_s)
    spectrum = np.abs(np.fft.rfft(sound.numpy()))
    assert np.argmax(spectrum) * 16_000 / len(sound) == pytest.approx(200, abs=3)


class Exploit:
    def __reduce__(self):
        return os.system, ("touch /tmp/clsp-was-here",)


def test_hostile_members_are_refused_and_counted(store, tmp_path):
    good = CLIPS[0]
    tar = published.write_tar(
        tmp_path / "evil.tar",
        {
            f"{good}.json": published.emilia_member(good), f"{good}.mp3": published.sound(container="MP3"),
            "lhotse.data": pickle.dumps(Exploit()), "model.pickle": pickle.dumps(Exploit()),
            "../../escape.json": b"{}", "../../escape.mp3": published.sound(container="MP3"),
            "/etc/absolute.mp3": published.sound(container="MP3"),
            "inner.json": json.dumps({"id": "../../../tmp/inner"}).encode(),
            "inner.mp3": published.sound(container="MP3"),
            "torn.json": b'{"id": ', "torn.mp3": published.sound(container="MP3"),
        },
    )  # fmt: skip
    imported = run(store, "webdataset", tar)
    assert imported.counts.accepted == 1
    assert imported.counts.rejected == {"pickled_member": 2, "unsafe_name": 3, "broken_json": 1}
    assert not Path("/tmp/clsp-was-here").exists()
    assert not list(tmp_path.parent.glob("escape*"))


def test_links_out_of_the_audio_root_are_not_followed(store, tmp_path):
    manifest = published.fcaps(tmp_path / "in", ["ears-1", "ears-2"])
    audio = tmp_path / "in/ears/ears-2.wav"
    outside = audio.rename(tmp_path / "secret.wav")
    audio.symlink_to(outside)
    cuts = [published.cut("climb", "../secret.wav")]
    climbing = published.write_lines(tmp_path / "in/climb.jsonl", cuts)
    imported = run(store, "fcaps", manifest, climbing, audio_root=tmp_path / "in")
    assert imported.counts.accepted == 1
    assert imported.counts.failed == {"audio_missing": 1}
    assert imported.counts.rejected == {"unsafe_name": 1}


def test_what_cannot_be_used_is_counted_by_reason(store, tmp_path):
    members = {
        "short.mp3": published.sound(seconds=0.2, container="MP3"), "text.mp3": b"no sound at all " * 20,
        "empty.flac": b"", "long.flac": published.sound(seconds=31.0), "alone.json": b"{}",
        "twice.flac": published.sound(), "between.flac": published.sound(300),
    }  # fmt: skip
    again = published.write_tar(tmp_path / "again.tar", {"twice.flac": published.sound(500)})
    imported = run(store, "webdataset", published.write_tar(tmp_path / "a.tar", members), again)
    assert imported.counts.accepted == 2
    assert imported.counts.rejected == {"too_short": 1, "too_long": 1, "duplicate_id": 1}
    assert imported.counts.failed == {"not_audio": 1, "empty_file": 1, "audio_missing": 1}
    assert len(rows(store, imported, "failures", Failure)) == 6


def test_splits_are_given_drawn_or_those_of_the_data_set(store, tmp_path):
    clips = [f"s{number:02d}_W1" for number in range(30)]
    tar = published.emilia(tmp_path / "x.tar", clips)
    given = segments(store, run(store, "emilia", tar, split="dev"))
    assert {row.split for row in given.values()} == {"dev"}
    settings = IngestSettings(dev_share=0.3, test_share=0.3)
    drawn = segments(store, run(store, "emilia", tar, split="speakers", settings=settings))
    assert {row.split for row in drawn.values()} == {"train", "dev", "test"}


def test_an_import_is_done_once_and_changed_files_are_new_work(store, tmp_path):
    tar = published.emilia(tmp_path / "x.tar", CLIPS[:2])
    first = run(store, "emilia", tar)
    assert run(store, "emilia", tar) == first
    published.emilia(tar, CLIPS)
    assert run(store, "emilia", tar).counts.accepted == 4


@pytest.mark.parametrize(
    ("form", "make"),
    [
        ("fcaps", lambda folder: published.write_lines(folder / "x.jsonl", [{"id": "no cut"}])),
        ("emilia", lambda folder: published.write_lines(folder / "x.tar", [{"no": "tar"}])),
        ("emilia", lambda folder: folder),
        ("shar", lambda folder: folder),
        ("emilia", lambda folder: folder / "missing.tar"),
    ],
)
def test_a_source_that_is_none_is_named(store, tmp_path, form, make):
    with pytest.raises(DataError) as caught:
        run(store, form, make(tmp_path))
    assert caught.value.hint


def test_an_unknown_format_lists_the_known_ones(store, tmp_path):
    with pytest.raises(ConfigError, match="unknown data format") as caught:
        run(store, "kaldi", tmp_path)
    assert "fcaps" in caught.value.hint


def test_captions_that_come_twice_are_refused(store, tmp_path):
    tar = published.emilia(tmp_path / "x.tar", CLIPS[:1])
    twice = published.write_lines(tmp_path / "c.jsonl", [{"id": "a", "fine": ["x"]}] * 2)
    with pytest.raises(DataError, match="twice"):
        run(store, "emilia", tar, captions=twice)


def test_the_command_answers_in_the_contract_s_shape(tmp_path):
    tar = published.emilia(tmp_path / "x.tar", CLIPS[:2])
    captions = published.write_lines(tmp_path / "c.jsonl", [{"id": CLIPS[0], "fine": ["a calm voice"]}, {"id": "b"}])
    store = str(tmp_path / "store")
    arguments = ["import", "data", "--format", "emilia", str(tar), "--captions", str(captions), "--store", store]
    ran = CliRunner().invoke(app, [*arguments, "--name", "emilia", "--json"])
    assert ran.exit_code == 0, ran.output
    answer = orjson.loads(ran.stdout)
    assert {key: value for key, value in answer.items() if key != "manifest"} == {
        "rows_in": 2, "accepted": 2, "rejected": 0, "failed": 0, "unmatched_audio": [CLIPS[1]],
        "unmatched_captions": ["b"], "reasons": {},
    }  # fmt: skip


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(tmp_path, store):
    """The import dies by SIGKILL after its first unit; the next one keeps that unit and gives the same manifest."""
    tar = published.emilia(tmp_path / "x.tar", CLIPS)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from clsp.config import IngestSettings\n"
        "from clsp.datasets import importing\n"
        "from clsp.storage import open_store\n"
        "from clsp.storage.ledger import Ledger\n"
        "importing.CLIPS_PER_UNIT = 1\n"
        "record = Ledger.record\n"
        "def die(self, unit, result):\n"
        "    record(self, unit, result)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Ledger.record = die if sys.argv[3] == 'die' else record\n"
        "request = importing.Request('emilia', (Path(sys.argv[2]),), 'test')\n"
        "print(importing.import_data(open_store(sys.argv[1]), request, IngestSettings()).manifest)\n"
    )

    def started(where, how):
        command = [sys.executable, "-c", code, where, str(tar), how]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    undisturbed = started(str(tmp_path / "other"), "live").stdout
    assert started(store.uri, "die").returncode == -9
    assert len(list(store.list("ledger/import/"))) == 1
    assert started(store.uri, "live").stdout == undisturbed != ""
