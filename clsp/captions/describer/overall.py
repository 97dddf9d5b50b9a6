"""The overall caption of a clip: one short sentence on the style that stands out.

Levels are coarser than in fine captions, as listeners' style tags are: low, medium or high, slow or fast, soft or loud.
"""

from random import Random

from clsp.audio.acoustics import Acoustics
from clsp.captions.describer.levels import (
    LIVELINESS,
    LOUDNESS,
    LOUDNESS_CHANGE,
    PITCH,
    PITCH_CHANGE,
    RATE,
    RATE_CHANGE,
    UNPITCHED,
    Scale,
)

PERSON = {"female": "woman", "woman": "woman", "male": "man", "man": "man"}
FORMS = (
    "{person} speaks {rate} in {voice}{ending}.",
    "In {voice}, {person} speaks {rate}{ending}.",
    "Speaking {rate}, {person} has {voice}{ending}.",
)
# Words for the levels of the fine scale, from the lowest to the highest.
PITCH_WORDS = ("very low", "very low", "low", "low", "medium", "medium", "high", "high", "very high")
RATE_WORDS = ("very slowly", "slowly", "slowly", "at a moderate pace", "fast", "fast", "very fast")
LOUDNESS_WORDS = ("very soft", "soft", "soft", "medium-loud", "loud", "loud", "very loud")
UNPITCHED_WORDS = ("creaking voice", "whisper")
LIVELINESS_WORDS = ("monotone", "even", "", "", "lively", "very lively")
CHANGES: tuple[tuple[Scale, str, str], ...] = (
    (LOUDNESS_CHANGE, "growing softer towards the end", "growing louder towards the end"),
    (RATE_CHANGE, "getting slower towards the end", "getting faster towards the end"),
    (PITCH_CHANGE, "with a pitch that falls", "with a pitch that rises"),
)


def overall_caption(acoustics: Acoustics, random: Random, gender: str | None, accent: str | None) -> str:
    """One sentence of 32 to 160 characters: person, pitch, loudness, rate, and the strongest change."""
    sentence = random.choice(FORMS).format(
        person=_person(gender, accent),
        rate=RATE_WORDS[RATE.level(acoustics)],
        voice=_voice(acoustics),
        ending=_ending(acoustics),
    )
    return sentence[0].upper() + sentence[1:]


def _person(gender: str | None, accent: str | None) -> str:
    person = PERSON.get((gender or "").strip().lower(), "person")
    origin = " ".join((accent or "").split())
    return f"a {person} with {_with_article(origin)} accent" if _usable(origin) else f"a {person}"


def _usable(accent: str) -> bool:
    """Only a short plain label may enter a sentence; anything else in the metadata is left out."""
    return 0 < len(accent) <= 30 and all(letter.isalpha() or letter in " -" for letter in accent)


def _voice(acoustics: Acoustics) -> str:
    loudness = LOUDNESS_WORDS[LOUDNESS.level(acoustics)]
    if acoustics.pitch_hz <= 0.0:
        return f"{_with_article(loudness)} {UNPITCHED_WORDS[UNPITCHED.level(acoustics)]}"
    words = (LIVELINESS_WORDS[LIVELINESS.level(acoustics)], loudness, PITCH_WORDS[PITCH.level(acoustics)])
    *first, pitch = [word for word in words if word]
    return f"{_with_article(', '.join(first))} voice of {pitch} pitch"


def _ending(acoustics: Acoustics) -> str:
    """The change that leaves its middle level furthest; '' when all stay."""
    changes = [(scale.level(acoustics) - len(scale.cuts) // 2, down, up) for scale, down, up in CHANGES]
    step, down, up = max(changes, key=lambda change: abs(change[0]))
    return "" if abs(step) < 2 else f", {down if step < 0 else up}"


def _with_article(phrase: str) -> str:
    return f"{'an' if phrase[0].lower() in 'aeiou' else 'a'} {phrase}"
