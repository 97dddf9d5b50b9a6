"""From a chat request to the text of its answer: a description of the audio in it, or a judgement of the caption.

What measures sound is loaded by the first request that has some: judging needs none of it.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clsp.captions.checklist import read_question
from clsp.captions.prompts import kind_of, read_reference
from clsp.errors import DataError
from components.describer.judging import judge

if TYPE_CHECKING:
    from components.describer.measuring import Measurer

DESCRIBER, VERIFIER = "describer", "describer-verifier"
MODELS = (DESCRIBER, VERIFIER)


class UnknownModelError(Exception):
    """No such model here."""


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")  # clients send what OpenAI's API knows; most of it means nothing here


class Message(_Lenient):
    """One message: text, or parts of text and audio."""

    role: str
    content: str | list[dict[str, Any]]

    @property
    def text(self) -> str:
        """All text of the message."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")


class ChatBody(_Lenient):
    """What is read of a request."""

    model: str
    messages: list[Message]
    seed: int = 0

    @property
    def question(self) -> Message:
        """The first user message: later ones only ask to answer it again."""
        found = next((message for message in self.messages if message.role == "user"), None)
        if found is None:
            raise DataError("the request has no user message", hint="send one with the audio and the prompt")
        return found


class Chat:
    """Answers chat requests; the ``cached_clips`` last clips are measured once. Thread-safe."""

    def __init__(self, cached_clips: int) -> None:
        self._cached_clips = cached_clips

    def answer(self, data: bytes) -> tuple[str, str]:
        """Model and text for a request body; ``DataError`` says what is wrong with it."""
        try:
            body = ChatBody.model_validate_json(data)
        except ValidationError as error:
            raise DataError("not a chat request", hint="see OpenAI's chat completions") from error
        if body.model == DESCRIBER:
            return DESCRIBER, self._describe(body)
        if body.model == VERIFIER:
            return VERIFIER, _judge(body)
        raise UnknownModelError(body.model)

    @cached_property
    def _measurer(self) -> "Measurer":
        from components.describer.measuring import Measurer

        return Measurer(self._cached_clips)

    def _describe(self, body: ChatBody) -> str:
        from clsp.captions.describer import describe

        question = body.question
        tags = read_reference(question.text)
        measures = self._measurer.measure(_audio(question))
        gender, accent = tags.get("gender"), tags.get("accent")
        return describe(measures, seed=body.seed, kind=kind_of(question.text), gender=gender, accent=accent)


def _judge(body: ChatBody) -> str:
    try:
        return judge(read_question(body.question.text)).model_dump_json()
    except ValueError as error:
        raise DataError("no caption to judge", hint="end the message with the JSON block of the checklist") from error


def _audio(message: Message) -> str:
    parts = message.content if isinstance(message.content, list) else []
    for part in parts:
        audio = part.get("input_audio")
        if part.get("type") == "input_audio" and isinstance(audio, dict) and isinstance(audio.get("data"), str):
            return str(audio["data"])
    raise DataError("the request has no input_audio part", hint="send the clip as base64 in an input_audio part")
