"""Rule filters: what can be told about a caption without a model, free and first (reference 1.10).

Each rule has a name; a rejection names the first rule that a caption breaks.
"""

from collections.abc import Callable, Iterable

from clsp.captions import wording
from clsp.config.captions import RuleSettings
from clsp.records import Caption, Segment

PLURAL_SPEAKERS = "plural_speakers"
Rule = Callable[[Caption, Segment, RuleSettings], bool]

RULES: dict[str, Rule] = {
    "newline": lambda caption, _, __: wording.NEWLINE.search(caption.text) is not None,
    "control_characters": lambda caption, _, __: wording.has_hidden_characters(caption.text),
    "length": lambda caption, _, settings: not _fits(caption, settings),
    "markup": lambda caption, _, __: wording.MARKUP.search(caption.text) is not None,
    "instruction": lambda caption, _, __: wording.INSTRUCTION.search(caption.text) is not None,
    "quotation": lambda caption, _, __: wording.QUOTATION.search(caption.text) is not None,
    PLURAL_SPEAKERS: lambda caption, _, __: mentions_several(caption),
    "negation": lambda caption, _, __: wording.NEGATION.search(caption.text) is not None,
    "transcript": lambda caption, segment, settings: wording.leaks(
        caption.text, segment.transcript, settings.leak_words
    ),
}


def _fits(caption: Caption, settings: RuleSettings) -> bool:
    shortest = settings.min_characters if caption.kind == "fine" else settings.min_overall_characters
    return shortest <= len(caption.text) <= settings.max_characters


def mentions_several(caption: Caption) -> bool:
    """Whether a caption speaks of more than one speaker."""
    return wording.SEVERAL_SPEAKERS.search(caption.text) is not None


def broken_rule(caption: Caption, segment: Segment, settings: RuleSettings) -> str:
    """Name of the first rule that ``caption`` breaks, '' when it keeps them all."""
    return next((name for name, breaks in RULES.items() if breaks(caption, segment, settings)), "")


def filter_clip(captions: Iterable[Caption], segment: Segment, settings: RuleSettings) -> dict[str, str]:
    """Broken rule ('' for none) by caption id, for all captions of one segment.

    One caption that mentions several speakers casts doubt on the clip itself: all its fine captions are dropped.
    """
    captions = list(captions)
    rules = {caption.id: broken_rule(caption, segment, settings) for caption in captions}
    if any(mentions_several(caption) for caption in captions):
        doubted = [caption.id for caption in captions if caption.kind == "fine"]
        rules |= {name: rules[name] or PLURAL_SPEAKERS for name in doubted}
    return rules
