"""The JSON bodies of the platform's own routes, and how a body that is none is refused."""

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from serving.encodings import Encoding
from serving.errors import bad_request

B = TypeVar("B", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = ""


class EmbeddingsBody(_Body):
    """Body of ``POST /v1/embeddings``: a text, or a list of texts and ``input_audio`` parts."""

    input: Any
    encoding_format: Encoding = "float"
    dimensions: int | None = None
    user: str | None = None
    long: Literal["refuse", "windows"] = "refuse"
    timeline: bool = False


class SimilarityBody(_Body):
    """Body of ``POST /v1/similarity``: texts, and clips as ``input_audio`` parts."""

    texts: list[str] = Field(min_length=1)
    clips: list[dict[str, Any]] = Field(min_length=1)


class Pair(BaseModel):
    """One clip as an ``input_audio`` part, and the description it is compared with."""

    model_config = ConfigDict(extra="forbid")

    clip: dict[str, Any]
    text: str


_PAIR_HINT = 'a pair is {"clip": {"type": "input_audio", "input_audio": {"data": BASE64}}, "text": "a calm voice"}'


class StyleBody(_Body):
    """Body of ``POST /v1/style-score``: one pair, or several."""

    clip: dict[str, Any] | None = None
    text: str | None = None
    pairs: list[Pair] = Field(default_factory=list)

    def all_pairs(self) -> list[Pair]:
        """The pairs in order; 400 unless the body holds one pair or a list of them."""
        single = self.clip is not None and self.text is not None
        if single == bool(self.pairs) or (self.pairs and (self.clip or self.text)):
            raise bad_request("bad_request", "send either clip and text, or pairs", _PAIR_HINT)
        return [Pair(clip=self.clip or {}, text=self.text or "")] if single else self.pairs


def parse_body(kind: type[B], data: bytes) -> B:
    """Read a body; 400 names each field that is wrong, and repeats nothing of what was sent."""
    try:
        return kind.model_validate(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise bad_request("bad_json", "the body is not JSON", "send application/json in UTF-8") from error
    except ValidationError as error:
        problems = "; ".join(f"{_place(item['loc'])}: {item['msg']}" for item in error.errors())
        raise bad_request("bad_request", problems, "see /docs for the fields") from error


def parse_lines(data: bytes) -> list[Pair]:
    """Pairs of JSON lines; 400 names the line that holds none."""
    pairs = []
    for number, line in enumerate((line for line in data.splitlines() if line.strip()), start=1):
        try:
            pairs.append(Pair.model_validate(orjson.loads(line)))
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise bad_request("bad_line", f"line {number} is no pair", _PAIR_HINT) from error
    if not pairs:
        raise bad_request("bad_request", "there is no line", _PAIR_HINT)
    return pairs


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "body"
