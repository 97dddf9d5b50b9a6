"""Sentences of a fine caption: one measure each, two or three forms, the level's words filled in.

Only the voice is spoken of, in the affirmative and in the singular; the rules are those of the caption filters
(reference 1.10).
"""

from random import Random

from clsp.audio.acoustics import Acoustics
from clsp.captions.describer import levels
from clsp.captions.describer.levels import Scale


def main_sentences(acoustics: Acoustics, random: Random) -> list[str]:
    """What every fine caption says: pitch, rate, loudness and liveliness."""
    sentences = [_rate(acoustics, random), _fill(LOUDNESS, levels.LOUDNESS, acoustics, random)]
    if acoustics.pitch_hz <= 0.0:
        return [random.choice(levels.UNPITCHED.wordings(acoustics)), *sentences]
    return [_pitch(acoustics, random), *sentences, _fill(LIVELINESS, levels.LIVELINESS, acoustics, random)]


def change_sentences(acoustics: Acoustics, random: Random) -> list[str]:
    """What happens within the clip: every quantity that changes, and a pause."""
    scales = [(LOUDNESS_CHANGE, levels.LOUDNESS_CHANGE), (RATE_CHANGE, levels.RATE_CHANGE)]
    if acoustics.pitch_hz > 0.0:
        scales.append((PITCH_CHANGE, _pitch_course(acoustics)))
    changes = [_fill(forms, scale, acoustics, random) for forms, scale in scales if not _steady(scale, acoustics)]
    return changes + ([_fill(PAUSES, levels.PAUSES, acoustics, random)] if acoustics.pauses else [])


def secondary_sentences(acoustics: Acoustics, random: Random) -> list[str]:
    """What a fine caption may add: brightness, texture, length, and what stays as it is."""
    sentences = [
        _fill(BRIGHTNESS, levels.BRIGHTNESS, acoustics, random),
        _fill(DURATION, levels.DURATION, acoustics, random),
    ]
    if acoustics.pitch_hz > 0.0:
        sentences.append(_texture(acoustics, random))
    if not acoustics.pauses:
        sentences.append(_fill(PAUSES, levels.PAUSES, acoustics, random))
    if _steady(levels.LOUDNESS_CHANGE, acoustics):
        sentences.append(_fill(LOUDNESS_CHANGE, levels.LOUDNESS_CHANGE, acoustics, random))
    return sentences


PITCH = (
    "The pitch is {word}, around {hertz} hertz.",
    "The voice is {word} in pitch, near {hertz} hertz.",
    "The speaker has {article} {word} voice of about {hertz} hertz.",
)
RATE = (
    "The pace is {word}, about {syllables} a second.",
    "The speaking rate is {word}, near {syllables} each second.",
    "The speaker talks at {article} {word} pace, around {syllables} per second.",
)
LOUDNESS = (
    "The loudness is {word}.",
    "The voice is {word}.",
    "The speaker uses {article} {word} voice.",
)
LIVELINESS = (
    "The intonation is {word}.",
    "The melody of the voice is {word}.",
)
PITCH_CHANGE = (
    "From start to end the pitch {word}.",
    "Over time the pitch {word}.",
)
LOUDNESS_CHANGE = (
    "From start to end the loudness {word}.",
    "Over time the volume of the voice {word}.",
)
RATE_CHANGE = (
    "From start to end the pace {word}.",
    "Along the way the speaking rate {word}.",
)
BRIGHTNESS = (
    "The timbre is {word}.",
    "The tone of the voice is {word}.",
)
TEXTURE = (
    "The texture of the voice is {smooth} and {steady}.",
    "The phonation is {smooth} and {steady}.",
)
PAUSES = (
    "The words {word}.",
    "The phrases {word}.",
)
DURATION = (
    "It is {word} utterance of about {seconds}.",
    "The speaker gives {word} utterance lasting about {seconds}.",
)


def _pitch(acoustics: Acoustics, random: Random) -> str:
    word = random.choice(levels.PITCH.wordings(acoustics))
    hertz = levels.nearest_hertz(acoustics.pitch_hz)
    return random.choice(PITCH).format(word=word, article=_article(word), hertz=hertz)


def _rate(acoustics: Acoustics, random: Random) -> str:
    word = random.choice(levels.RATE.wordings(acoustics))
    syllables = levels.count(acoustics.rate_hz, "syllable")
    return random.choice(RATE).format(word=word, article=_article(word), syllables=syllables)


def _texture(acoustics: Acoustics, random: Random) -> str:
    smooth = random.choice(levels.HARMONICITY.wordings(acoustics))
    steady = random.choice(levels.ROUGHNESS.wordings(acoustics))
    return random.choice(TEXTURE).format(smooth=smooth, steady=steady)


def _pitch_course(acoustics: Acoustics) -> Scale:
    """The change from start to end where there is one, else the arch between them."""
    return levels.PITCH_ARCH if _steady(levels.PITCH_CHANGE, acoustics) else levels.PITCH_CHANGE


def _steady(scale: Scale, acoustics: Acoustics) -> bool:
    """Whether a scale of changes is at its middle level."""
    return scale.level(acoustics) == len(scale.cuts) // 2


def _fill(forms: tuple[str, ...], scale: Scale, acoustics: Acoustics, random: Random) -> str:
    word = random.choice(scale.wordings(acoustics))
    seconds = levels.count(acoustics.duration_s, "second")
    return random.choice(forms).format(word=word, article=_article(word), seconds=seconds)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
