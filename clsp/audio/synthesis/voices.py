"""The speakers of the synthetic corpus: voice variants of eSpeak NG, each with one English accent.

A variant is used once, so a split by speaker is a split by voice.
"""

from dataclasses import dataclass
from itertools import cycle, zip_longest

ACCENTS = {
    "en-us": "American",
    "en": "British",
    "en-gb-scotland": "Scottish",
    "en-gb-x-gbclan": "Lancastrian",
    "en-029": "Caribbean",
    "en-gb-x-rp": "Received Pronunciation",
    "en-us-nyc": "New York",
    "en-gb-x-gbcwmd": "West Midlands",
}
# fmt: off
FEMALE = (
    "f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "anika", "aunty", "belinda", "grandma",
    "linda", "whisperf", "steph", "shelby",
)
MALE = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "croak", "Alex", "Andy", "Denis", "Diogo",
    "Gene", "Hugo", "Jacky", "whisper", "Lee", "Mario", "Mike", "Reed", "adam", "antonio", "boris",
    "ed", "grandpa", "iven", "kaukovalta", "max", "miguel", "paul", "victor", "Michael", "norbert",
    "pablo", "pedro", "travis", "robert", "michel",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Speaker:
    """One voice: a language and a variant of eSpeak NG, with the labels that metadata carries."""

    name: str
    language: str
    variant: str
    gender: str
    accent: str

    @property
    def voice(self) -> str:
        """The voice as eSpeak NG names it."""
        return f"{self.language}+{self.variant}"


def _speaker(variant: str, gender: str, language: str) -> Speaker:
    return Speaker(f"{language}-{variant}".lower(), language, variant, gender, ACCENTS[language])


def _speakers() -> tuple[Speaker, ...]:
    women = ((variant, "female") for variant in FEMALE)
    men = ((variant, "male") for variant in MALE)
    voices = [voice for pair in zip_longest(women, men) for voice in pair if voice]
    languages = cycle(language for language in ACCENTS for _ in ("female", "male"))
    return tuple(
        _speaker(variant, gender, language) for (variant, gender), language in zip(voices, languages, strict=False)
    )


SPEAKERS = _speakers()
