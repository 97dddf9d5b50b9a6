"""Plans of synthetic clips: which voice says what, how, and how that changes within the clip.

A plan is the truth about its clip. Each is drawn from its own generator, seeded by (seed, speaker, number), so
adding speakers or clips leaves the others as they were.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from clsp.audio.synthesis.sentences import PHRASES
from clsp.audio.synthesis.voices import SPEAKERS, Speaker
from clsp.errors import ConfigError

Change = Literal["none", "louder", "softer", "faster", "slower", "higher", "lower", "pause"]
CHANGES: tuple[Change, ...] = ("louder", "softer", "faster", "slower", "higher", "lower", "pause")

PITCH, PITCH_RANGE, WORDS_PER_MINUTE, LEVEL_DBFS = (10, 95), (0, 99), (90, 300), (-42.0, -16.0)
DURATION_S = (1.9, 3.2)
CHANGED_DURATION_S = (1.9, 2.7)  # two endings and a pause make a clip longer
SECONDS_PER_CHARACTER, SECONDS_PER_CLIP = 7.83, 16.3  # at one word a minute; fitted to the library's speech
NEAREST_SENTENCES = 8  # of the wanted length, to choose from
CHANGED_SHARE = 0.55
PITCH_STEP, LEVEL_STEP_DB, RATE_STEP, PAUSE_S = 40, 12.0, 1.8, (0.3, 0.7)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a clip spoken with constant settings.

    pitch and pitch_range: 0 … 99, 50 is the voice's own; level_dbfs: root mean square of the active speech.
    """

    text: str
    pitch: int
    pitch_range: int
    words_per_minute: int
    level_dbfs: float
    pause_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """One clip: its name, speaker, parts in order, and the one change on purpose between them."""

    name: str
    speaker: Speaker
    parts: tuple[Part, ...]
    change: Change = "none"

    @property
    def transcript(self) -> str:
        """All words of the clip."""
        return " ".join(part.text for part in self.parts)


def plan_corpus(seed: int, speakers: int = 40, clips_per_speaker: int = 12) -> tuple[ClipPlan, ...]:
    """Plans for ``speakers`` voices, clips of 1.5 to 4 s. Raises ConfigError for more speakers than there are."""
    if not 1 <= speakers <= len(SPEAKERS):
        raise ConfigError(f"{speakers} synthetic speakers asked for", hint=f"Ask for 1 to {len(SPEAKERS)} speakers.")
    return tuple(
        _plan(seed, speaker, f"{speaker.name}-{number:03d}")
        for speaker in SPEAKERS[:speakers]
        for number in range(clips_per_speaker)
    )


def _plan(seed: int, speaker: Speaker, name: str) -> ClipPlan:
    random = Random(f"{seed}/{name}")  # noqa: S311 - drawn, not secret
    change: Change = random.choice(CHANGES) if random.random() < CHANGED_SHARE else "none"
    rate = random.randint(*WORDS_PER_MINUTE)
    phrases = _phrases(random, rate, DURATION_S if change == "none" else CHANGED_DURATION_S)
    whole = Part(
        " ".join(phrases),
        pitch=random.randint(*PITCH),
        pitch_range=random.randint(*PITCH_RANGE),
        words_per_minute=rate,
        level_dbfs=round(random.uniform(*LEVEL_DBFS), 1),
    )
    if change == "none":
        return ClipPlan(name, speaker, (whole,))
    first, second = (replace(whole, text=phrase) for phrase in phrases)
    return ClipPlan(name, speaker, _changed(random, change, first, second), change)


def _phrases(random: Random, words_per_minute: int, seconds: tuple[float, float]) -> tuple[str, str]:
    """Two phrases that last about as long as wanted at this rate."""
    wanted = (random.uniform(*seconds) * words_per_minute - SECONDS_PER_CLIP) / SECONDS_PER_CHARACTER
    nearest = sorted(PHRASES, key=lambda phrases: abs(len(" ".join(phrases)) - wanted))
    return random.choice(nearest[:NEAREST_SENTENCES])


def _changed(random: Random, change: Change, first: Part, second: Part) -> tuple[Part, Part]:
    """The two parts, moved apart in one setting around the value that was drawn for both."""
    match change:
        case "louder" | "softer":
            step = LEVEL_STEP_DB / 2 if change == "louder" else -LEVEL_STEP_DB / 2
            level = min(max(first.level_dbfs, LEVEL_DBFS[0] + abs(step)), LEVEL_DBFS[1] - abs(step))
            return replace(first, level_dbfs=level - step), replace(second, level_dbfs=level + step)
        case "higher" | "lower":
            half = PITCH_STEP // 2 if change == "higher" else -(PITCH_STEP // 2)
            pitch = min(max(first.pitch, PITCH[0] + abs(half)), PITCH[1] - abs(half))
            return replace(first, pitch=pitch - half), replace(second, pitch=pitch + half)
        case "faster" | "slower":
            factor = RATE_STEP**0.5 if change == "faster" else RATE_STEP**-0.5
            rate = first.words_per_minute
            return (
                replace(first, words_per_minute=round(rate / factor)),
                replace(second, words_per_minute=round(rate * factor)),
            )
        case _:
            return replace(first, pause_after_s=round(random.uniform(*PAUSE_S), 2)), second
