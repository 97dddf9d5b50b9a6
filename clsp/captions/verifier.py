"""The verifier: asks a model the checklist about captions and turns its answers into verdicts.

An answer that is not the JSON asked for is pointed out once; a second bad one fails the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from clsp.captions.budget import FailureBudget
from clsp.captions.chat import Message, assistant_message, text_body, user_message
from clsp.captions.checklist import CORRECTION, Judgement, ask_about, checklist_hash, parse_judgement, response_format
from clsp.captions.client import Answered, ChatClient, ChatRequest, Reply
from clsp.captions.overall import noted_tags
from clsp.config.captions import VerifySettings
from clsp.records import Caption, Failure, Segment, Verdict

BAD_ANSWER = "bad_answer"
_REASON_CHARACTERS = 300

Row = tuple[Caption, Segment]


@dataclass(frozen=True)
class Verifier:
    """Judges captions through ``client``; bad answers count against ``budget`` like lost ones."""

    client: ChatClient
    budget: FailureBudget
    settings: VerifySettings

    def judge(self, rows: Sequence[Row]) -> dict[str, Verdict | Failure]:
        """Verdict or failure by caption id."""
        questions = {caption.id: [user_message(_question(caption, segment))] for caption, segment in rows}
        first = self._ask(questions)
        again = {name: _corrected(questions[name], reply) for name, reply in first.items() if _is_bad(reply)}
        replies = first | self._ask(again)
        return {caption.id: self._conclude(caption, replies[caption.id], caption.id in again) for caption, _ in rows}

    def _ask(self, questions: dict[str, list[Message]]) -> dict[str, Reply]:
        requests = [ChatRequest(name, partial(self._body, messages)) for name, messages in questions.items()]
        return {reply.id: reply for reply in self.client.ask(requests, usable=_is_judgement)}

    def _body(self, messages: list[Message]) -> bytes:
        settings = self.settings
        return text_body(settings.verifier.model, messages, settings.sampling, settings.seed, response_format())

    def _conclude(self, caption: Caption, reply: Reply, asked_twice: bool) -> Verdict | Failure:
        before = 1 if asked_twice else 0
        if not isinstance(reply, Answered):
            return Failure(caption.id, "verify", "failed", reply.reason, reply.detail, reply.attempts + before)
        judgement = _read(reply.text)
        if judgement is None:
            self.budget.failed(BAD_ANSWER)
            detail = "not the JSON asked for"
            return Failure(caption.id, "verify", "failed", BAD_ANSWER, detail, reply.attempts + before)
        return self._verdict(caption, judgement)

    def _verdict(self, caption: Caption, judgement: Judgement) -> Verdict:
        return Verdict(
            caption_id=caption.id,
            segment_id=caption.segment_id,
            kind=caption.kind,
            passed=not judgement.item,
            item=judgement.item,
            reason=judgement.reason[:_REASON_CHARACTERS],
            judge=self.settings.verifier.model,
            prompt_hash=checklist_hash(),
        )


def _question(caption: Caption, segment: Segment) -> str:
    return ask_about(caption.text, segment.transcript, noted_tags(segment))


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
