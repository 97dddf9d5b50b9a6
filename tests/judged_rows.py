"""Rows that pass every rule of data quality, for tests to spoil one at a time."""

from clsp.data.examples import build_examples
from clsp.records import Caption, Segment, Verdict
from data_quality.evidence import Evidence

LEVELS = ("soft", "even", "firm", "bright", "rough", "warm", "crisp", "breathy")
COURSES = ("rises towards the end", "falls after a lively start", "stays level throughout", "swells in the middle")
ANY_DRIFT = "examples: {min_examples_for_drift: 1}"  # thresholds that judge drift among 16 examples
SPLITS = ("train", "train", "dev", "test")


def segment(number: int) -> Segment:
    split = SPLITS[number % 4]
    return Segment(
        id=f"segment-{number:03d}",
        source=f"{number}.wav",
        start_s=0.0,
        duration_s=2.0 + number / 10,
        split=split,
        speaker=f"{split}-speaker-{number % 8}",
        gender="",
        accent="",
        language="en",
        transcript="",
        licence="CC0-1.0",
        tags={},
        audio_key="shards/audio/x.tar",
        audio_offset=512 * number,
        audio_length=400 + number,
    )


def caption(number: int, view: int, kind: str = "fine") -> Caption:
    level, course = LEVELS[(number + view) % 8], COURSES[(number // 2 + view) % 4]
    text = (
        f"A {level} voice, heard as clip {'abcdefghijklmnopqrstuvwxyz'[number]}{'xyz'[view]}, speaks at a measured pace"
        f" while its pitch {course}; the loudness is moderate and syllables follow one another evenly"
    )
    return Caption(
        id=f"caption-{number:03d}-{kind}-{view}",
        segment_id=f"segment-{number:03d}",
        kind=kind,
        view=view,
        text=text if kind == "fine" else f"Somebody speaks with a {level} and moderate voice.",
        model="describer",
        model_revision="1",
        prompt_hash="p",
        seed=view,
        sampling={},
    )


def verdict(of: Caption, item: str = "") -> Verdict:
    return Verdict(of.id, of.segment_id, of.kind, not item, item, "", "describer", "p")


def passing_evidence() -> Evidence:
    """16 segments of 8 speakers, two fine views and a global caption each; one caption in eight was rejected."""
    segments = tuple(segment(number) for number in range(16))
    captions = tuple(
        caption(number, view, kind) for number in range(16) for view, kind in ((0, "fine"), (1, "fine"), (0, "global"))
    )
    verdicts = tuple(verdict(one, "negation" if place % 8 == 1 else "") for place, one in enumerate(captions))
    accepted = tuple(one for one, judged in zip(captions, verdicts, strict=True) if judged.passed)
    examples = tuple(build_examples(segments, accepted))
    return Evidence(segments, captions, verdicts, accepted, (), examples, baseline=examples, baseline_name="ba5e" * 16)
