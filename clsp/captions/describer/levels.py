"""The one table of cuts: where a measured number passes from one word to the next.

Every scale is monotone: a larger value never gets a lower level. Cuts are absolute, chosen so that speech at common
settings fills all levels; pitch levels are about three semitones apart, what a listener calls clearly different.
"""

from bisect import bisect_right
from dataclasses import dataclass

from clsp.audio.acoustics import Acoustics


@dataclass(frozen=True, slots=True)
class Scale:
    """A measure of ``Acoustics``, the cuts between its levels, and two or three wordings for every level."""

    measure: str
    cuts: tuple[float, ...]
    words: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.cuts) + 1 or list(self.cuts) != sorted(set(self.cuts)):
            raise ValueError(f"scale {self.measure}: one wording more than there are rising cuts")

    def level(self, acoustics: Acoustics) -> int:
        """Level of a clip, 0 for the lowest; a value on a cut belongs above it."""
        return bisect_right(self.cuts, getattr(acoustics, self.measure))

    def wordings(self, acoustics: Acoustics) -> tuple[str, ...]:
        """The wordings that are true of a clip."""
        return self.words[self.level(acoustics)]


PITCH = Scale(
    "pitch_hz",
    (78.0, 93.0, 110.0, 131.0, 156.0, 190.0, 230.0, 290.0),
    (
        ("extremely low", "extremely deep"),
        ("very low", "very deep"),
        ("low", "deep"),
        ("fairly low", "somewhat deep"),
        ("medium", "mid-range"),
        ("slightly high", "a little raised"),
        ("fairly high", "somewhat high"),
        ("high", "light and high"),
        ("very high", "extremely high"),
    ),
)
RATE = Scale(
    "rate_hz",
    (2.8, 3.7, 4.6, 5.5, 6.4, 7.4),
    (
        ("extremely slow", "dragging"),
        ("very slow", "drawn-out"),
        ("slow", "unhurried"),
        ("moderate", "measured"),
        ("fairly fast", "brisk"),
        ("fast", "quick"),
        ("very fast", "rapid"),
    ),
)
LOUDNESS = Scale(
    "loudness_dbfs",
    (-38.0, -33.0, -28.5, -24.0, -19.5, -15.0),
    (
        ("very quiet", "very soft"),
        ("quiet", "soft"),
        ("fairly quiet", "rather soft"),
        ("medium-loud", "moderately loud"),
        ("fairly loud", "rather strong"),
        ("loud", "strong"),
        ("very loud", "powerful"),
    ),
)
LIVELINESS = Scale(
    "pitch_range_st",
    (1.5, 3.5, 6.0, 9.0, 12.0),
    (
        ("completely flat", "monotone"),
        ("nearly flat", "very even"),
        ("gently varied", "calm"),
        ("varied", "expressive"),
        ("lively", "animated"),
        ("very lively", "sweeping"),
    ),
)
UNPITCHED = Scale(
    "tilt_db",
    (0.0,),
    (
        ("The voice creaks too irregularly for a pitch to form.", "The voice is an irregular creak."),
        ("The speaker whispers, with breath in place of pitch.", "The voice is a whisper made of breath alone."),
    ),
)
BRIGHTNESS = Scale(
    "centroid_hz",
    (950.0, 1_250.0, 1_550.0, 1_850.0, 2_300.0),
    (
        ("very dark", "very mellow"),
        ("dark", "mellow"),
        ("balanced", "neutral"),
        ("fairly bright", "open"),
        ("bright", "sharp"),
        ("very bright", "piercing"),
    ),
)
HARMONICITY = Scale(
    "harmonicity_db",
    (5.0, 7.5, 10.0, 13.0),
    (
        ("very breathy", "hoarse"),
        ("breathy", "husky"),
        ("slightly breathy", "a little husky"),
        ("smooth", "firm"),
        ("very smooth", "ringing"),
    ),
)
ROUGHNESS = Scale(
    "roughness_st",
    (0.13, 0.32),
    (("steady", "stable"), ("slightly rough", "a little unsteady"), ("rough", "creaky")),
)
PAUSES = Scale(
    "longest_pause_s",
    (0.20, 0.45),
    (
        ("flow in one stretch", "run on in one breath"),
        ("are broken by a short pause", "stop for a short pause"),
        ("are broken by a long pause", "stop for a long pause"),
    ),
)
PITCH_CHANGE = Scale(
    "pitch_change_st",
    (-6.0, -3.0, -1.5, 1.5, 3.0, 6.0),
    (
        ("falls steeply", "drops a lot"),
        ("falls", "drops"),
        ("falls slightly", "drops a little"),
        ("stays level", "keeps its height"),
        ("rises slightly", "climbs a little"),
        ("rises", "climbs"),
        ("rises steeply", "climbs a lot"),
    ),
)
PITCH_ARCH = Scale(
    "pitch_arch_st",
    (-2.5, 2.5),
    (
        ("dips in the middle", "sinks in the middle and returns"),
        ("stays level", "keeps its height"),
        ("peaks in the middle", "rises in the middle and returns"),
    ),
)
LOUDNESS_CHANGE = Scale(
    "loudness_change_db",
    (-9.0, -5.0, -2.5, 2.5, 5.0, 9.0),
    (
        ("becomes much softer", "fades strongly"),
        ("becomes softer", "fades"),
        ("becomes slightly softer", "fades a little"),
        ("stays even", "keeps its strength"),
        ("becomes slightly louder", "swells a little"),
        ("becomes louder", "swells"),
        ("becomes much louder", "swells strongly"),
    ),
)
RATE_CHANGE = Scale(
    "rate_change",
    (-1.0, -0.6, 0.6, 1.0),
    (
        ("slows down a lot", "becomes much slower"),
        ("slows down", "becomes slower"),
        ("stays regular", "keeps its tempo"),
        ("speeds up", "becomes faster"),
        ("speeds up a lot", "becomes much faster"),
    ),
)
DURATION = Scale(
    "duration_s",
    (2.0, 4.0, 8.0, 15.0),
    (
        ("a very short", "a very brief"),
        ("a short", "a brief"),
        ("a medium-length", "a fairly short"),
        ("a long", "an extended"),
        ("a very long", "a lengthy"),
    ),
)
SCALES = (
    PITCH,
    RATE,
    LOUDNESS,
    LIVELINESS,
    UNPITCHED,
    BRIGHTNESS,
    HARMONICITY,
    ROUGHNESS,
    PAUSES,
    PITCH_CHANGE,
    PITCH_ARCH,
    LOUDNESS_CHANGE,
    RATE_CHANGE,
    DURATION,
)

# fmt: off
HERTZ = (
    60, 65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 120, 130, 140, 150, 160, 170, 180, 200, 220, 240, 260, 280, 300,
    330, 360, 400, 440, 480, 520, 560, 600,
)
# fmt: on
# fmt: off
NUMBERS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "twenty-one", "twenty-two",
    "twenty-three", "twenty-four", "twenty-five", "twenty-six", "twenty-seven", "twenty-eight", "twenty-nine", "thirty",
)
# fmt: on


def nearest_hertz(pitch_hz: float) -> int:
    """The round number nearest to a pitch on a musical (logarithmic) scale."""
    return min(HERTZ, key=lambda hertz: max(hertz / pitch_hz, pitch_hz / hertz))


def count(value: float, noun: str) -> str:
    """A rounded count in words with its noun: "one second", "thirty seconds" for all that is longer."""
    number = min(max(round(value), 1), len(NUMBERS))
    return f"{NUMBERS[number - 1]} {noun}{'s' if number > 1 else ''}"
