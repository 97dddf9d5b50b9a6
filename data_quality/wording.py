"""What is counted in the words of captions: likeness of two texts and variety of many.

Both are linear in the number of words, because a data set has millions of captions.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_FUNCTION_WORDS = frozenset(
    (
        "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have", "he", "her",
        "his", "in", "into", "is", "it", "its", "of", "on", "or", "she", "that", "the", "their", "them",
        "they", "this", "to", "was", "while", "who", "with",
    )
)  # fmt: skip


def words(text: str) -> list[str]:
    """Words of ``text`` in lower case, without digits and punctuation."""
    return [match.lower() for match in _WORD.findall(text)]


def fingerprint(text: str) -> str:
    """The set of content words of ``text``: texts that only reorder or repeat their words have the same one."""
    return " ".join(sorted(set(words(text)) - _FUNCTION_WORDS))


def distinct_word_share(texts: Iterable[str], window: int) -> float:
    """Distinct words in ``window`` consecutive words, as a share of the window, mean over whole windows.

    A fixed window makes the number independent of the size of the data. Fewer words than one window are taken as
    one; no words give 0.
    """
    shares = [len(set(part)) / len(part) for part in _windows(chain.from_iterable(map(words, texts)), window)]
    return sum(shares) / len(shares) if shares else 0.0


def _windows(stream: Iterator[str], window: int) -> Iterator[list[str]]:
    first = list(islice(stream, window))
    part = first
    while part and (len(part) == window or part is first):
        yield part
        part = list(islice(stream, window))


def phrase_pattern(phrases: Iterable[str]) -> str:
    """Regular expression that finds any of ``phrases`` as whole words, in any case."""
    alternatives = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in phrases)
    return rf"(?i)\b(?:{alternatives})\b"
