"""The verifier: asks a model the checklist about captions and turns its answers into verdicts.

An answer that is not the JSON asked for is pointed out once; a second bad one fails the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from clsp.captions.chat import Message, assistant_message, text_body, user_message
from clsp.captions.checklist import CORRECTION, Judgement, ask_about, checklist_hash, parse_judgement, response_format
from clsp.captions.client import Answered, ChatRequest, Reply
from clsp.captions.hearing import Hearing
from clsp.captions.overall import noted_tags
from clsp.config.captions import VerifySettings
from clsp.hashing import digest_of
from clsp.records import Caption, Failure, Segment, Verdict

BAD_ANSWER = "bad_answer"
_REASON_CHARACTERS = 300

Row = tuple[Caption, Segment]


@dataclass(frozen=True)
class Verifier:
    """Judges captions; bad answers count against the budget like lost ones."""

    hearing: Hearing
    settings: VerifySettings

    def judge(self, unit: str, rows: Sequence[Row]) -> dict[str, Verdict | Failure]:
        """Verdict or failure by caption id, for captions of one unit."""
        questions = {caption.id: [user_message(_question(caption, segment))] for caption, segment in rows}
        first = self._ask(unit, questions)
        again = {name: _corrected(questions[name], reply) for name, reply in first.items() if _is_bad(reply)}
        replies = first | self._ask(unit, again)
        return {caption.id: self._conclude(caption, replies[caption.id], caption.id in again) for caption, _ in rows}

    def _ask(self, unit: str, questions: dict[str, list[Message]]) -> dict[str, Reply]:
        ids = {_asked_id(name, messages): name for name, messages in questions.items()}
        requests = [ChatRequest(asked, partial(self._body, questions[name])) for asked, name in ids.items()]
        return {ids[asked]: reply for asked, reply in self.hearing.ask(unit, requests, _is_judgement).items()}

    def _body(self, messages: list[Message]) -> bytes:
        settings = self.settings
        return text_body(settings.verifier.model, messages, settings.sampling, settings.seed, response_format())

    def _conclude(self, caption: Caption, reply: Reply, asked_twice: bool) -> Verdict | Failure:
        before = 1 if asked_twice else 0
        if not isinstance(reply, Answered):
            return Failure(caption.id, "verify", "failed", reply.reason, reply.detail, reply.attempts + before)
        judgement = _read(reply.text)
        if judgement is None:
            self.hearing.budget.failed(BAD_ANSWER)
            detail = "not the JSON asked for"
            return Failure(caption.id, "verify", "failed", BAD_ANSWER, detail, reply.attempts + before)
        return self._verdict(caption, judgement, reply.reasoning)

    def _verdict(self, caption: Caption, judgement: Judgement, reasoning: str) -> Verdict:
        settings = self.settings
        return Verdict(
            caption_id=caption.id,
            segment_id=caption.segment_id,
            kind=caption.kind,
            passed=not judgement.item,
            item=judgement.item,
            reason=judgement.reason[:_REASON_CHARACTERS],
            judge=settings.verifier.model,
            prompt_hash=checklist_hash(),
            judge_revision=settings.verifier.revision,
            seed=settings.seed,
            sampling={name: float(value) for name, value in settings.sampling.model_dump().items()},
            reasoning=reasoning[: settings.reasoning_characters],
        )


def _question(caption: Caption, segment: Segment) -> str:
    return ask_about(caption.text, segment.transcript, noted_tags(segment))


def _asked_id(caption: str, messages: Sequence[Message]) -> str:
    """Id of a question: the caption's, or another where the question is a second one that quotes the first answer."""
    return caption if len(messages) == 1 else digest_of([caption, messages[1:]])


def _is_bad(reply: Reply) -> bool:
    return isinstance(reply, Answered) and not _is_judgement(reply.text)


def _is_judgement(text: str) -> bool:
    return _read(text) is not None


def _corrected(messages: list[Message], reply: Reply) -> list[Message]:
    said = reply.text if isinstance(reply, Answered) else ""
    return [*messages, assistant_message(said), user_message(CORRECTION)]


def _read(text: str) -> Judgement | None:
    try:
        return parse_judgement(text)
    except ValueError:
        return None
