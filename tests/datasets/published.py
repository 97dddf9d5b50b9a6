"""Data sets in the shapes that people download (reference 1.10, 4.2, 4.3), with invented content."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.tiny_model import encoded, tone

SECONDS = 1.5
FINE = "A deep, smooth voice speaks with quiet warmth at a measured pace, lifting gently before it settles ({})."
GLOBAL = "A happy speaker with a deep, smooth voice ({})."


def sound(hertz: float = 220, seconds: float = SECONDS, container: str = "FLAC", rate: int = 24_000) -> bytes:
    return encoded(tone(seconds, hertz, rate), container, rate)


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def emilia_member(clip: str, **changes) -> bytes:
    value = {
        "id": clip, "wav": f"x/{clip}.mp3", "text": " The lamp was still burning.", "duration": SECONDS,
        "speaker": clip.rpartition("_")[0], "language": "en", "dnsmos": 3.31,
    }  # fmt: skip
    return json.dumps({**value, **changes}).encode()


def emilia(path: Path, clips: list[str]) -> Path:
    members = {}
    for number, clip in enumerate(clips):
        members[f"{clip}.json"] = emilia_member(clip)
        members[f"{clip}.mp3"] = sound(200 + 10 * number, container="MP3")
    return write_tar(path, members)


def cut(
    clip: str, source: str, spelling: tuple[str, str] = ("global_captions", "finegrained_captions"), **more
) -> dict:
    custom = {
        "accent": "American", "pitch": "medium-pitched", "speaking_rate": "measured speed",
        "intrinsic_tags": ["deep", "smooth"], "situational_tags": ["happy"],
        spelling[0]: [GLOBAL.format(clip)], spelling[1]: [FINE.format(clip), FINE.format(f"again {clip}")],
    }  # fmt: skip
    recording = {
        "id": clip, "sources": [{"type": "file", "channels": [0], "source": source}], "sampling_rate": 16000,
        "num_samples": int(SECONDS * 16000), "duration": SECONDS, "channel_ids": [0],
    }  # fmt: skip
    supervision = {
        "id": clip, "recording_id": clip, "start": 0.0, "duration": SECONDS, "channel": 0,
        "text": "The lamp was still burning.", "speaker": "spk-0007", "gender": "male", "custom": custom,
    }  # fmt: skip
    return {
        "id": clip, "start": 0.0, "duration": SECONDS, "channel": 0, "type": "MonoCut", "recording": recording,
        "supervisions": [supervision], **more,
    }  # fmt: skip


def write_lines(path: Path, rows: list[dict]) -> Path:
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def fcaps(folder: Path, clips: list[str], spelling=("global_captions", "finegrained_captions")) -> Path:
    for number, clip in enumerate(clips):
        audio = folder / "ears" / f"{clip}.wav"
        audio.parent.mkdir(parents=True, exist_ok=True)
        audio.write_bytes(sound(150 + 20 * number, container="WAV", rate=16_000))
    rows = [cut(clip, f"download/ears/{clip}.wav", spelling) for clip in clips]
    return write_lines(folder / "fcaps.jsonl.gz", rows)


def paraspeechcaps(folder: Path, names: list[str]) -> Path:
    rows = []
    for number, name in enumerate(names):
        audio = folder / "expresso" / f"{name}.wav"
        audio.parent.mkdir(parents=True, exist_ok=True)
        audio.write_bytes(sound(300 + 20 * number, container="WAV", rate=48_000))
        rows.append(
            {
                "source": "expresso", "relative_audio_path": f"{name}.wav", "text_description": [GLOBAL.format(name)],
                "transcription": "The lamp was still burning.", "intrinsic_tags": ["smooth"],
                "situational_tags": None, "speakerid": "ex01", "name": None, "duration": SECONDS, "gender": "male",
                "accent": "American", "pitch": "medium-pitched", "speaking_rate": "measured speed", "noise": "clean",
            }
        )  # fmt: skip
    path = folder / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def shar(folder: Path, clips: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "cuts.000000.jsonl.gz", [cut(clip, "") for clip in clips])
    members = {}
    for clip in clips:
        members[f"{clip}.flac"] = sound(rate=16_000)
        members[f"{clip}.json"] = json.dumps({"id": clip, "sampling_rate": 16000}).encode()
    write_tar(folder / "recording.000000.tar", members)
    return folder
