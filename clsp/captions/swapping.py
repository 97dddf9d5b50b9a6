"""A caption with one attribute swapped: the hard negative of stage 3, made anew from a seed and stored nowhere.

Equal keys give equal copies on any process and after any restart.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

from clsp.captions.attributes import ACCENTS, GENDER, INTRINSIC, PITCH, RATE, SAME_REGION, SITUATIONAL
from clsp.hashing import unit_interval

_KINDS = ("gender", "rate", "pitch", "accent", "intrinsic", "situational")
_OPPOSITES = {"rate": RATE, "pitch": PITCH, "intrinsic": INTRINSIC, "situational": SITUATIONAL}
_ARTICLE = re.compile(r"\b(an?)(?= (\w))", re.I)
T = TypeVar("T")
Choose = Callable[[str], float]


def swap_attribute(caption: str, *key: object) -> str | None:
    """``caption`` with another gender, rate, pitch, accent or manner, chosen by ``key``; None when it names none."""

    def choose(what: str) -> float:
        return unit_interval("swap", what, *key)

    named = [kind for kind in _KINDS if _words(kind).search(caption)]
    if not named:
        return None
    kind = _pick(named, choose("kind"))
    if kind == "gender":
        return _with_articles(_words(kind).sub(lambda found: _like(found[0], GENDER[found[0].lower()]), caption))
    found = _pick(list(_words(kind).finditer(caption)), choose("place"))
    word = found[0].lower()
    other = _other_accent(word, choose) if kind == "accent" else _pick(_OPPOSITES[kind][word], choose("word"))
    return _with_articles(caption[: found.start()] + _like(found[0], other) + caption[found.end() :])


@cache
def _words(kind: str) -> re.Pattern[str]:
    """Finds the words of a kind, longer ones first, as whole words."""
    tables: Mapping[str, Iterable[str]] = {
        "gender": GENDER,
        "accent": [accent for region in ACCENTS for accent in region],
        **_OPPOSITES,
    }
    words = "|".join(re.escape(word) for word in sorted(tables[kind], key=len, reverse=True))
    after = r"(?=[ -]accent(?:ed)?\b)" if kind == "accent" else r"(?![\w-])"
    return re.compile(rf"(?<![\w-])({words}){after}", re.I)


def _other_accent(accent: str, choose: Choose) -> str:
    (region,) = [region for region in ACCENTS if accent in region]
    near = [other for other in region if other != accent]
    far = [other for others in ACCENTS if others is not region for other in others]
    return _pick(near if choose("region") < SAME_REGION else far, choose("word"))


def _like(word: str, other: str) -> str:
    """``other`` in the capitals of ``word``; accents are proper names."""
    if word.isupper() and len(word) > 1:
        return other.upper()
    if word[0].isupper():
        return other.title() if any(other in region for region in ACCENTS) else other[0].upper() + other[1:]
    return other


def _with_articles(text: str) -> str:
    """``a`` and ``an`` as the words after them ask for, so that an article gives nothing away."""

    def article(found: re.Match[str]) -> str:
        right = "an" if found[2].lower() in "aeiou" else "a"
        return right.capitalize() if found[1][0].isupper() else right

    return _ARTICLE.sub(article, text)


def _pick(items: Sequence[T], share: float) -> T:
    return items[int(share * len(items))]
