"""What the captioner is asked: one prompt for fine captions and one for global ones, versioned by hash.

The rules are those of the published annotation (reference 1.10) in our own words. The first line of a prompt names
the kind of caption, so that whoever answers can tell the two apart.
"""

from collections.abc import Mapping
from functools import cache
from itertools import takewhile
from typing import Literal, get_args

from clsp.hashing import digest_of
from clsp.records import CaptionKind

Hears = Literal["sound", "tags"]
KIND_LINE = "Caption kind: "
_TAG_CHARACTERS = 80

_RULES = """Rules:
- Speak only of the human voice: pitch, loudness, speed, rhythm, timbre, accent, emotion and how they are used.
- Leave the words themselves out: report, quote or hint at nothing of what is said, and use quotation marks nowhere.
- Leave out the surroundings, other sounds and how well the clip was recorded.
- Say what is there. Sentences about what is missing, or that deny something, are forbidden.
- There is exactly one person; write of one speaker throughout.
- Claim only what can be heard; guess nothing about the person's life, looks or intentions.
- Plain English in one paragraph: free of headings, lists, markup and remarks about this task."""

_TASKS: dict[CaptionKind, str] = {
    "fine": """Listen to the recording and describe in detail how this person speaks.
Follow the voice through time: how it begins, where it changes, and how it ends. Write two to five sentences,
150 to 700 characters in all.""",
    "global": """Listen to the recording and sum up in one sentence how this person speaks over the whole clip.
Name the few traits that another listener would pick this voice out by. Write 40 to 200 characters.""",
}

_EXAMPLES: dict[CaptionKind, str] = {
    "fine": """An elderly man opens in a low, gravelly murmur, each phrase drawn out and softly breathed. Halfway
through his pitch climbs and the words come faster, edged with excitement, before he slows again and lets the last
phrase sink to a near whisper.""",
    "global": "A young woman speaks fast and brightly, in a high voice with lively ups and downs.",
}

_CASCADE = """Below are tags of a recording in which one person speaks. Write them out as a description of how this
person speaks. Use what the tags say and nothing else."""

_LENGTHS: dict[CaptionKind, str] = {
    "fine": "Write two to five sentences, 150 to 700 characters in all.",
    "global": "Write one sentence of 40 to 200 characters.",
}

_REFERENCE = "What people noted about this clip; agree with it and weave in what fits:"


def caption_prompt(kind: CaptionKind, tags: Mapping[str, str]) -> str:
    """The prompt for one caption; ``tags`` (name → value, may be empty) are shown as a reference block."""
    parts = [KIND_LINE + kind, _TASKS[kind], _reference_block(tags), _RULES]
    parts += [f"Example of a good caption:\n{' '.join(_EXAMPLES[kind].split())}", "Your caption:"]
    return "\n\n".join(part for part in parts if part)


def cascaded_prompt(kind: CaptionKind, tags: Mapping[str, str]) -> str:
    """The prompt for a model that hears nothing and writes the caption from ``tags``."""
    parts = [KIND_LINE + kind, _CASCADE, _LENGTHS[kind], _reference_block(tags), _RULES]
    parts += [f"Example of a good caption:\n{' '.join(_EXAMPLES[kind].split())}", "Your caption:"]
    return "\n\n".join(part for part in parts if part)


def _reference_block(tags: Mapping[str, str]) -> str:
    lines = [f"- {_one_line(name)}: {_one_line(tags[name])}" for name in sorted(tags) if tags[name].strip()]
    return "\n".join([_REFERENCE, *lines]) if lines else ""


def _one_line(text: str) -> str:
    # Metadata is data: it must not be able to open a paragraph of its own in the prompt.
    return " ".join(text.split())[:_TAG_CHARACTERS]


def read_reference(prompt: str) -> dict[str, str]:
    """The tags in a prompt's reference block; empty when it has none."""
    _, _, block = prompt.partition(_REFERENCE + "\n")
    lines = takewhile(lambda line: line.startswith("- "), block.splitlines())
    return {name: value for name, _, value in (line[2:].partition(": ") for line in lines)}


def kind_of(prompt: str) -> CaptionKind:
    """Which kind of caption a prompt asks for; ``fine`` when its first line does not say."""
    first = prompt.lstrip().partition("\n")[0].strip()
    return next((kind for kind in get_args(CaptionKind) if first == KIND_LINE + kind), "fine")


@cache
def prompt_hash(kind: CaptionKind, hears: Hears = "sound") -> str:
    """Version of the prompt of this kind: the hash of every word in it that does not come from the clip."""
    task = [_TASKS[kind]] if hears == "sound" else [_CASCADE, _LENGTHS[kind]]
    return digest_of([KIND_LINE, kind, *task, _REFERENCE, _RULES, _EXAMPLES[kind]])


def prompts_hash(hears: Hears = "sound") -> str:
    """Version of both prompts together, for the recipe of the step."""
    return digest_of([prompt_hash(kind, hears) for kind in get_args(CaptionKind)])
