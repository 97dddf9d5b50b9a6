"""The describer: which measures a caption mentions, in which order and words, drawn from a seed."""

from random import Random
from typing import Literal

from clsp.audio.acoustics import Acoustics
from clsp.captions.describer.overall import overall_caption
from clsp.captions.describer.sentences import change_sentences, main_sentences, secondary_sentences
from clsp.errors import DataError

Kind = Literal["fine", "global"]

FEWEST_SECONDARY = 4  # sentences beside what every fine caption says


def describe(
    acoustics: Acoustics,
    *,
    seed: int,
    kind: Kind,
    gender: str | None = None,
    accent: str | None = None,
) -> str:
    """A caption of one clip: the same measures and seed give the same text.

    ``fine``: 128 to 768 characters that always name pitch, rate, loudness, liveliness and every change over the clip,
    and some of texture, brightness, pauses and length. ``global``: one sentence of 32 to 160 characters on the
    dominant style; only there do ``gender`` and ``accent`` from metadata count. Raises DataError for a clip in which
    nobody speaks.
    """
    if acoustics.speech_s <= 0.0:
        raise DataError("nothing to describe: the clip is silent", hint="Drop silent clips before captioning.")
    random = Random(f"{kind}/{seed}")  # noqa: S311 - drawn, not secret
    if kind == "global":
        return overall_caption(acoustics, random, gender, accent)
    return _fine_caption(acoustics, random)


def _fine_caption(acoustics: Acoustics, random: Random) -> str:
    main = main_sentences(acoustics, random)
    secondary = secondary_sentences(acoustics, random)
    random.shuffle(secondary)
    kept = secondary[: random.randint(min(FEWEST_SECONDARY, len(secondary)), len(secondary))]
    rest = kept + change_sentences(acoustics, random)
    random.shuffle(main)
    random.shuffle(rest)
    return " ".join(main + rest)
