"""What words of a caption give away: surroundings, negation, several people, quoted speech, markup.

Rule filters reject by these patterns and the built-in verifier judges by them, so a word list is written once.
"""

import re
import unicodedata
from collections.abc import Mapping

NEWLINE = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
MARKUP = re.compile(r"<\s*[a-z/!|?]|[`{}\[\]|\\]|\*\*|__|~~|^\s*(#|[-*>]\s)|https?:|&(#\d+|#x[0-9a-f]+|[a-z]+);", re.I)
QUOTATION = re.compile('["\u201c\u201d\u201e\u00ab\u00bb]')
# Reference 1.10 names these words; contractions and their kin say the same.
NEGATION = re.compile(
    r"\b(no|not|neither|nor|never|none|nothing|cannot|free (from|of)|without|lack(s|ing)?|absent|absence of|"
    r"rather than)\b|n['\u2019]t\b",
    re.I,
)
SEVERAL_SPEAKERS = re.compile(
    r"\bspeakers\b|\b(first|second|third|other|another) (speaker|voice|person|man|woman)\b|"
    r"\b(two|three|four|several|multiple|many|both|different) (people|persons|men|women|voices|characters|roles)\b",
    re.I,
)
BACKGROUND = re.compile(
    r"\b(background|environment|surroundings|ambien(t|ce)|noise|noisy|music|echo(es|ing|ey)?|reverb\w*|room|hall|"
    r"studio|microphone|mic|recording|recorded|audio|sound quality|hiss(ing)?|static|hum of|traffic|crowd|"
    r"applause|distortion|distorted|clipping|bandwidth|telephone line)\b",
    re.I,
)
INSTRUCTION = re.compile(
    r"\b(ignore|disregard|forget) (all |any |the |your )*(previous|above|prior|earlier)|\binstructions?\b|"
    r"\b(system|user|assistant) ?(prompt|message|:)|\bas an ai\b|\blanguage model\b|\bcaption kind\b|\bjson\b|"
    r"\byou are (a|an)\b|\bhere is (a|the|your)\b|^(caption|answer|description)\s*:",
    re.I,
)
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")

_WOMAN = re.compile(r"\b(woman|women|female|girl|lady|feminine|she|her|hers)\b", re.I)
_MAN = re.compile(r"\b(man|men|male|boy|gentleman|masculine|he|him|his)\b", re.I)
_GENDER_WORDS = {"female": (_WOMAN, _MAN), "woman": (_WOMAN, _MAN), "male": (_MAN, _WOMAN), "man": (_MAN, _WOMAN)}
_OPPOSITES = {
    "speaking_rate": (r"fast|quick|rapid|brisk|hurried", r"slow|slowly|unhurried|leisurely|drawn-out|sluggish"),
    "pitch": (r"high-pitched|high pitch|high voice", r"low-pitched|low pitch|low voice|deep voice"),
}


def has_hidden_characters(text: str) -> bool:
    """Whether control, format, private, surrogate or unassigned characters are in ``text`` (line ends aside)."""
    return any(unicodedata.category(letter) in _HIDDEN for letter in NEWLINE.sub("", text))


def words_of(text: str) -> list[str]:
    """Words in order, folded so that case and the form of letters and apostrophes do not matter."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return _WORD.findall(folded)


def leaks(caption: str, transcript: str, run: int) -> bool:
    """Whether ``run`` words of the transcript stand in a row in the caption; shorter transcripts cannot leak."""
    said = _runs(words_of(transcript), run)
    return bool(said) and not said.isdisjoint(_runs(words_of(caption), run))


def _runs(words: list[str], run: int) -> set[tuple[str, ...]]:
    return {tuple(words[start : start + run]) for start in range(len(words) - run + 1)}


def contradicted_tag(caption: str, tags: Mapping[str, str]) -> str:
    """Name of a tag whose opposite the caption states while never stating the tag's own side; '' when all agree."""
    if _other_gender(caption, tags.get("gender", "")):
        return "gender"
    return next((name for name, sides in _OPPOSITES.items() if _other_side(caption, tags.get(name, ""), sides)), "")


def _other_gender(caption: str, gender: str) -> bool:
    own, other = _GENDER_WORDS.get(gender.strip().lower(), (None, None))
    return own is not None and other is not None and bool(other.search(caption)) and not own.search(caption)


def _other_side(caption: str, value: str, sides: tuple[str, str]) -> bool:
    for own, other in (sides, sides[::-1]):
        if _states(value, own.replace(" pitch", "").replace(" voice", "")) and not _states(caption, own):
            return _states(caption, other)
    return False


def _states(text: str, words: str) -> bool:
    return re.search(rf"\b({words})\b", text, re.I) is not None
