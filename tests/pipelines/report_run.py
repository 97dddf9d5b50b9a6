"""A finished run in a store, with everything the report reads: sounds, verdicts, curves, scores, a registered model.

Small, but shaped like a real one: voices differ in pitch, the encoder is right more often than not, one caption is
hostile and some are rejected.
"""

import io
import math
from dataclasses import asdict, dataclass

import numpy as np
import soundfile
import torch

from clsp.config import EvaluationSettings
from clsp.evaluation.evaluate import evaluate_encoder
from clsp.hashing import canonical_json, unit_interval
from clsp.records import Caption, Example, Segment, Verdict
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Counts, Manifest, Recipe, Shard, save_manifest, save_rows
from clsp.training.rows import ProgressRow
from components.runner import StepReport

RUN = "20250301-101500-a1b2"
HOSTILE = "</script><script>window.stolen = 1</script><img src=x onerror=alert(1)> \"quoted\" & 'single'"
VIEWS = 2
_PITCHES = ("a low", "a fairly low", "a medium-pitched", "a fairly high", "a high")
_RATES = ("slowly and evenly", "at an unhurried pace", "at a moderate pace", "quickly", "very fast")


@dataclass(frozen=True)
class Clip:
    """One made-up clip and what it sounds like."""

    number: int
    id: str
    speaker: str
    split: str
    seconds: float
    pitch: float
    rate: float
    loudness: float

    def flac(self) -> bytes:
        time = np.arange(int(16_000 * self.seconds)) / 16_000
        envelope = np.abs(np.sin(math.pi * self.rate / 2 * time)) * (0.55 + 0.45 * np.sin(1.3 * time + self.number))
        wave = sum(np.sin(2 * math.pi * self.pitch * k * time) / k for k in range(1, 5))
        buffer = io.BytesIO()
        soundfile.write(buffer, (0.2 * envelope * wave).astype("float32"), 16_000, format="FLAC")
        return buffer.getvalue()

    def texts(self) -> list[str]:
        pitch = _PITCHES[min(4, int((self.pitch - 80) // 45))]
        rate = _RATES[min(4, int((self.rate - 2) // 0.9))]
        loud = (
            "softly"
            if self.loudness < -27
            else "with a full, loud voice"
            if self.loudness > -21
            else "at an even volume"
        )
        fine = [
            f"A speaker with {pitch} voice near {self.pitch:.0f} hertz talks {rate}, {loud}; view {view} hears the "
            f"pitch {'rise' if (self.number + view) % 3 else 'fall'} towards the end, with pauses between phrases."
            for view in range(VIEWS)
        ]
        return [*fine, f"{pitch.capitalize()} voice speaking {rate}."]


class NoisyEncoder:
    """Hears and reads the same hidden style, each with some noise."""

    def __init__(self, clips: list[Clip], size: int = 24) -> None:
        self._by_peak = {len(soundfile.read(io.BytesIO(clip.flac()))[0]): clip.number for clip in clips}
        self._by_text = {text: clip.number for clip in clips for text in clip.texts()}
        random = np.random.default_rng(0)
        style = random.normal(size=(len(clips), size))
        self._speech = style + random.normal(size=style.shape) * 0.75
        self._text = style + random.normal(size=style.shape) * 0.75

    def encode_speech(self, waveforms):
        return self._rows(self._speech, [self._by_peak[len(wave)] for wave in waveforms])

    def encode_text(self, texts):
        return self._rows(self._text, [self._by_text.get(text, 0) for text in texts])

    def _rows(self, table, numbers):
        return torch.nn.functional.normalize(torch.tensor(table[numbers], dtype=torch.float32), dim=1)


def make_clips(voices: int, clips_per_voice: int) -> list[Clip]:
    return [_clip(voice, index, voices, clips_per_voice) for voice in range(voices) for index in range(clips_per_voice)]


def _clip(voice: int, index: int, voices: int, clips_per_voice: int) -> Clip:
    number = voice * clips_per_voice + index
    draw = [unit_interval(name, number) for name in ("seconds", "pitch", "rate", "loudness")]
    return Clip(
        number=number, id=f"{number:04x}{'9c3fb27a' * 7}", speaker=f"voice{voice:02d}",
        split="test" if voice % 4 == 0 else "dev" if voice % 4 == 1 else "train",
        seconds=1.2 + number / 1000 + 1.5 * draw[0], pitch=90 + 150 * voice / voices + 40 * draw[1],
        rate=2.2 + 4 * draw[2], loudness=-32 + 14 * draw[3],
    )  # fmt: skip


def make_run(store, voices: int = 8, clips_per_voice: int = 6, steps: int = 60) -> dict[str, str]:
    """Write a whole run; its manifests by step, in flow order."""
    clips = make_clips(voices, clips_per_voice)
    shard, places = save_audio(store, [Sound(clip.id, clip.flac(), {}) for clip in clips])
    segments = [_segment(clip, place) for clip, place in zip(clips, places, strict=True)]
    captions = [row for clip in clips for row in _captions(clip)]
    verdicts = [_verdict(row) for row in captions]
    passed = [row for row, verdict in zip(captions, verdicts, strict=True) if verdict.passed]
    items = [verdict.item for verdict in verdicts if not verdict.passed]
    rejected = {item: items.count(item) for item in sorted(set(items))}
    examples = [_example(segment, clip, passed) for segment, clip in zip(segments, clips, strict=True)]
    saved = {
        "segments": save_rows(store, "segments", Segment, segments),
        "captions": save_rows(store, "captions", Caption, captions),
        "passed": save_rows(store, "captions", Caption, passed),
        "verdicts": save_rows(store, "verdicts", Verdict, verdicts),
        "examples": save_rows(store, "examples", Example, examples),
    }
    run = _Run(store)
    count = len(clips)
    run.add(
        "ingest",
        "segments",
        [saved["segments"], shard],
        _counts("segments", count + 5, count, {"too_short": 3}, {"unreadable": 2}),
    )
    run.add("annotate", "captions", [saved["captions"]], _counts("captions", len(captions), len(captions)))
    run.add(
        "verify",
        "captions",
        [saved["passed"], saved["verdicts"]],
        _counts("captions", len(captions), len(passed), rejected),
    )
    judged = {"rules": 45, "drift": "Drift is judged against data set ba5eba5eba5e, of 48 examples."}
    run.add("validate", "examples", [saved["examples"]], _counts("segments", count, count), judged, reused=True)
    run.add("features", "examples", [saved["examples"]], _counts("examples", count, count))
    for number, stage in enumerate(("train_stage1", "train_stage2"), start=1):
        progress = save_rows(store, "progress", ProgressRow, [_progress(number, step, steps) for step in range(steps)])
        run.add(stage, "", [progress], _counts("examples", count, count))
    settings = EvaluationSettings(resamples=200, control_shuffles=60)
    outcome = evaluate_encoder(
        store, Ledger(store, "evaluate", "k"), settings, run.names["features"], NoisyEncoder(clips)
    )
    run.add("evaluate", "", list(outcome.shards), outcome.counts, info=dict(outcome.info))
    version = {
        "name": "clsp",
        "version": "000001-7c1e",
        "uri": f"{store.uri}/models/clsp/000001-7c1e",
        "sha256": "5e" * 32,
        "manifest": "0" * 64,
    }
    run.add("register", "", [], _counts("models", 1, 1), info=version)
    run.add("serve", "", [], _counts("requests", 2, 2))
    return run.names


class _Run:
    def __init__(self, store) -> None:
        self._store = store
        self.names: dict[str, str] = {}

    def add(self, step: str, record: str, shards: list[Shard], counts: Counts, info=None, reused: bool = False) -> None:
        recipe = Recipe(step=step, code="0.1.0", prompt_hash="ab12cd34" * 8 if step in {"annotate", "verify"} else "")
        manifest = Manifest(
            record=record, recipe=recipe, parents=tuple(self.names.values())[-1:], shards=tuple(shards), counts=counts,
            info=info or {},
        )  # fmt: skip
        name = self.names[step] = save_manifest(self._store, manifest)
        seconds = 0.01 if reused else round(2 + 88 * unit_interval("seconds", step) ** 2, 3)
        report = StepReport(
            name=step, unit=counts.unit, rows_in=counts.rows_in, accepted=counts.accepted, rejected=counts.rejected,
            failed=counts.failed, seconds=seconds, max_rss_bytes=int(2**28 * (1 + 4 * unit_interval(step))),
            reused=reused, manifest=name,
        )  # fmt: skip
        self._store.put_if_absent(f"runs/{RUN}/{step}.json", canonical_json(asdict(report)))


def _counts(unit: str, rows_in: int, accepted: int, rejected=None, failed=None) -> Counts:
    return Counts(unit=unit, rows_in=rows_in, accepted=accepted, rejected=rejected or {}, failed=failed or {})


def _segment(clip: Clip, place) -> Segment:
    return Segment(
        id=clip.id, source=f"{clip.speaker}/{clip.number}.wav", start_s=0.0, duration_s=clip.seconds, split=clip.split,
        speaker=clip.speaker, gender="", accent="", language="en", transcript="The ferry leaves at seven <b>sharp</b>.",
        licence="CC0-1.0", tags={}, audio_key=place.key, audio_offset=place.offset, audio_length=place.length,
    )  # fmt: skip


def _captions(clip: Clip) -> list[Caption]:
    *fine, overall = clip.texts()
    texts = [*(("fine", view, text) for view, text in enumerate(fine)), ("global", 0, overall)]
    if clip.number == 0:
        texts.append(("fine", VIEWS, HOSTILE))
    return [
        Caption(f"{clip.number}-{kind}-{view}", clip.id, kind, view, text, "describer", "", "", view, {})
        for kind, view, text in texts
    ]


def _verdict(row: Caption) -> Verdict:
    draw = unit_interval("verdict", row.id)
    item = "leak" if row.text == HOSTILE else "negation" if draw < 0.05 else "background" if draw < 0.09 else ""
    item = item if row.kind == "fine" and row.view else ""
    reason = {"leak": "repeats what is said", "negation": "says what is absent", "background": "speaks of the room"}
    return Verdict(row.id, row.segment_id, row.kind, not item, item, reason.get(item, ""), "describer", "")


def _example(segment: Segment, clip: Clip, passed: list[Caption]) -> Example:
    own = [row for row in passed if row.segment_id == clip.id]
    return Example(
        segment_id=clip.id, split=clip.split, speaker=clip.speaker, duration_s=clip.seconds, licence="CC0-1.0",
        language="en", fine=tuple(row.text for row in own if row.kind == "fine"),
        overall=tuple(row.text for row in own if row.kind == "global"), audio_key=segment.audio_key,
        audio_offset=segment.audio_offset, audio_length=segment.audio_length,
        measures={"pitch_hz": clip.pitch, "rate_hz": clip.rate, "loudness_dbfs": clip.loudness},
    )  # fmt: skip


def _progress(stage: int, step: int, steps: int) -> ProgressRow:
    share, noise = step / steps, unit_interval("noise", stage, step) - 0.5
    probability = max(0.5, 0.95 - 0.6 * share) if stage == 2 else 0.0
    task = "fine" if stage == 1 else "global_and_fine" if unit_interval("task", step) < probability else "two_fine"
    loss = (3.9 if stage == 1 else 2.6) * math.exp(-1.1 * share) + 0.35 * noise + (0.3 if task == "two_fine" else 0.0)
    return ProgressRow(
        stage=f"stage{stage}", step=step, epoch=1 + step // 20, task=task, loss=loss, scale=14.3 + 9 * share,
        task_probability=probability, lr=0.03 / (1 + 3 * share) * min(1.0, 0.5 + 8 * share),
        grad_norm=1.5 * math.exp(-share) + 0.5 * abs(noise), clip_factor=1.0, skipped=0,
    )  # fmt: skip
