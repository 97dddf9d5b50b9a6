"""Global captions from metadata: what people noted about a clip, said in one plain sentence.

Gender and accent say who speaks, not how; a sentence is made only where metadata also names a manner of speaking.
The wording repairs of reference 1.10 (one speaker, no brackets) apply to sentences that people wrote themselves.
"""

import re
from collections.abc import Mapping

from clsp.records import Segment

WRITTEN = ("global_caption", "style_prompt")
TRAITS = {"pitch": "pitch", "speaking_rate": "pace", "loudness": "volume"}
MANNERS = {"emotion": "tone", "style": "style"}
_UNSAID = frozenset({"", "unknown", "none", "n/a", "na", "other", "neutral"})
_PEOPLE = {"female": "woman", "woman": "woman", "male": "man", "man": "man"}
_BRACKETS = re.compile(r"\s*[\(\[\{][^\)\]\}]*[\)\]\}]")
_NOUN_ENDING = re.compile(r"[- ](pitch(ed)?|speed|pace|rate|volume|voice|tone|style)$")


def overall_from_metadata(segment: Segment) -> str:
    """One sentence about the whole clip, or '' where metadata does not say how the person speaks."""
    written = next((segment.tags[name] for name in WRITTEN if segment.tags.get(name, "").strip()), "")
    if written:
        return _repaired(written)
    ways = [f"in {way}" for way in _phrases(segment.tags, MANNERS)]
    traits = _phrases(segment.tags, TRAITS)
    ways += [f"with {_joined(traits)}"] if traits else []
    sentence = f"{_with_article(_person(segment))} speaks {' '.join(ways)}."
    return sentence[0].upper() + sentence[1:] if ways else ""


def noted_tags(segment: Segment) -> dict[str, str]:
    """Everything people noted about how a clip sounds, by name: what captioner and verifier are shown."""
    noted = {"gender": segment.gender, "accent": segment.accent, **segment.tags}
    return {name: value for name, value in noted.items() if name not in WRITTEN and _said(value)}


def _repaired(text: str) -> str:
    single = re.sub(r"\bspeakers\b", "speaker", _BRACKETS.sub("", text))
    return " ".join(single.split())


def _phrases(tags: Mapping[str, str], nouns: Mapping[str, str]) -> list[str]:
    said = {name: _said(tags.get(name, "")) for name in nouns}
    return [_with_article(f"{_NOUN_ENDING.sub('', said[name])} {noun}") for name, noun in nouns.items() if said[name]]


def _said(value: str) -> str:
    value = " ".join(value.replace("_", " ").split())
    return "" if value.lower() in _UNSAID else value.lower()


def _person(segment: Segment) -> str:
    person = _PEOPLE.get(_said(segment.gender), "speaker")
    age = _said(segment.tags.get("age", ""))
    described = f"{age} {person}" if age.isalpha() else person
    accent = " ".join(segment.accent.split())
    return f"{described} with {_with_article(f'{accent} accent')}" if _said(accent) else described


def _with_article(phrase: str) -> str:
    return f"{'an' if phrase[0].lower() in 'aeiou' else 'a'} {phrase}"


def _joined(parts: list[str]) -> str:
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last
