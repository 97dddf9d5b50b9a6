"""The verifying mode: the checklist answered from the words of a caption, its transcript and its tags.

It hears nothing and understands nothing; it looks for the words that give a fault away, and says which it found.
"""

from clsp.captions import wording
from clsp.captions.checklist import Judgement, Question

LEAK_WORDS = 3  # in a row; stricter than the rule filter, as a reader would be


def judge(question: Question) -> Judgement:
    """Answer the four items about one caption."""
    caption = question.caption
    background = wording.BACKGROUND.search(caption)
    negation = wording.NEGATION.search(caption)
    leak = wording.leaks(caption, question.transcript, LEAK_WORDS)
    several = wording.SEVERAL_SPEAKERS.search(caption)
    tag = wording.contradicted_tag(caption, question.tags)
    reasons = [
        f"mentions {background.group()!r}" if background else "",
        f"says {negation.group()!r}" if negation else "",
        "repeats the transcript" if leak else "",
        "has several speakers" if several else "",
        f"disagrees with the tag {tag!r}" if tag else "",
    ]
    return Judgement(
        background=background is not None,
        negation=negation is not None,
        transcript=leak,
        tags=several is not None or bool(tag),
        reason="; ".join(reason for reason in reasons if reason),
    )
