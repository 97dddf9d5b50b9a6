"""What is counted in the words of captions: likeness of two texts, language, runs of words.

All is linear in the number of words, because a data set has millions of captions.
"""

import re
from collections.abc import Iterable

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


def english_share(text: str) -> float:
    """Share of the words of ``text`` that hold English sentences together: about 0.4 in English, near 0 elsewhere."""
    found = words(text)
    return sum(word in _FUNCTION_WORDS for word in found) / len(found) if found else 0.0


def share_a_phrase(text: str, other: str, length: int) -> bool:
    """Whether ``length`` words in a row of ``other`` stand in a row in ``text``; a shorter ``other`` has none."""
    runs = _runs(words(other), length)
    return bool(runs) and not runs.isdisjoint(_runs(words(text), length))


def _runs(found: list[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(found[start : start + length]) for start in range(len(found) - length + 1)}


def phrase_pattern(phrases: Iterable[str]) -> str:
    """Regular expression that finds any of ``phrases`` as whole words, in any case."""
    alternatives = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in phrases)
    return rf"(?i)\b(?:{alternatives})\b"
