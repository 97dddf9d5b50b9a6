"""Settings of annotate and verify: views, sampling, the endpoints and how hard to lean on them."""

from typing import Any

from pydantic import Field

from clsp.config.base import Section

EMBEDDED = "embedded"
# These change how fast and how patiently an answer is got, never the answer: they stay out of the recipe.
OPERATIONAL = frozenset(
    {
        "url", "concurrency", "timeout_seconds", "attempts", "backoff_seconds", "max_wait_seconds",
        "max_failed_share", "max_response_bytes", "start_seconds",
    }
)  # fmt: skip


class EndpointSettings(Section):
    """An OpenAI-compatible chat endpoint and how it is called. Credentials come from the environment alone."""

    url: str = Field(EMBEDDED, description="Base URL ending in /v1, or 'embedded' for the built-in describer")
    model: str = Field("describer", description="Model name sent with each request")
    revision: str = Field("", description="Model revision, part of the recipe")
    concurrency: int = Field(8, ge=1, description="Requests in flight at once")
    timeout_seconds: float = Field(60.0, gt=0, description="Deadline of one request")
    attempts: int = Field(4, ge=1, description="Tries of one request before its row counts as failed")
    backoff_seconds: float = Field(0.5, ge=0, description="First wait between tries; doubles, with jitter")
    max_wait_seconds: float = Field(30.0, ge=0, description="Longest wait between tries, Retry-After included")
    max_failed_share: float = Field(0.05, ge=0, le=1, description="More failed rows than this end the step")
    max_response_bytes: int = Field(2**20, gt=0, description="A longer answer is garbage")
    start_seconds: float = Field(30.0, gt=0, description="The embedded describer must be ready within this time")


class CaptionerSettings(EndpointSettings):
    """The endpoint that listens and describes."""


class VerifierSettings(EndpointSettings):
    """The endpoint that reads captions and judges them."""

    model: str = Field("describer-verifier", description="Model name sent with each request")


class SamplingSettings(Section):
    """Sampling of the captioner (reference 1.10)."""

    temperature: float = Field(0.6, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(20, ge=1)
    max_tokens: int = Field(512, ge=1)


class VerifierSamplingSettings(SamplingSettings):
    """Sampling of the verifier: a thinking model needs room before its answer."""

    max_tokens: int = Field(8192, ge=1)


class AnnotateSettings(Section):
    """How many captions a segment gets and from whom."""

    captioner: CaptionerSettings = CaptionerSettings()
    sampling: SamplingSettings = SamplingSettings()
    views: int = Field(3, ge=1, description="Fine captions a segment, one a seed")
    overall_from_measures: bool = Field(True, description="Ask for a short global caption where metadata has none")
    tags_in_prompt: bool = Field(True, description="Show the captioner what people noted about the clip")
    seed: int = Field(0, description="First seed; view v uses seed + v")
    segments_per_unit: int = Field(64, ge=1, description="Segments that are captioned and committed together")

    def recipe(self) -> dict[str, Any]:
        """What decides the captions, for the recipe of the step."""
        return self.model_dump(mode="json", exclude={"captioner": set(OPERATIONAL)})


class VerifySettings(Section):
    """Who judges captions and by which rules (reference 1.10)."""

    verifier: VerifierSettings = VerifierSettings()
    sampling: VerifierSamplingSettings = VerifierSamplingSettings()
    seed: int = Field(0, description="Seed of the verifier's sampling")
    min_characters: int = Field(128, description="Shorter fine captions are rejected")
    max_characters: int = Field(768, description="Longer captions are rejected")
    min_overall_characters: int = Field(32, description="Shorter global captions are rejected")
    leak_words: int = Field(4, ge=2, description="This many transcript words in a row in a caption are a leak")
    captions_per_unit: int = Field(256, ge=1, description="Captions that are judged and committed together")

    def recipe(self) -> dict[str, Any]:
        """What decides the verdicts, for the recipe of the step."""
        return self.model_dump(mode="json", exclude={"verifier": set(OPERATIONAL)})


class DescriberSettings(Section):
    """Limits of the built-in describer's server."""

    cached_clips: int = Field(4096, ge=1, description="Clips whose measures are remembered")
    max_body_bytes: int = Field(32 * 2**20, gt=0, description="A larger request is refused with 413")
