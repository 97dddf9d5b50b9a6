"""Settings of annotate and verify: views, sampling, the endpoints and how hard to lean on them."""

from pydantic import Field

from clsp.config.base import Section


class EndpointSettings(Section):
    """An OpenAI-compatible chat endpoint and how it is called."""

    url: str = Field("embedded", description="Base URL ending in /v1, or 'embedded' for the built-in describer")
    model: str = Field("describer", description="Model name sent with each request")
    revision: str = Field("", description="Model revision, part of the recipe")
    concurrency: int = Field(8, ge=1, description="Requests in flight at once")
    timeout_seconds: float = Field(60.0, gt=0, description="Deadline of one request")
    attempts: int = Field(4, ge=1, description="Tries of one request before its row counts as failed")
    backoff_seconds: float = Field(0.5, ge=0, description="First wait between tries; doubles, with jitter")
    max_failed_share: float = Field(0.05, ge=0, le=1, description="More failed rows than this end the step")


class SamplingSettings(Section):
    """Sampling of the captioner (reference 1.10)."""

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 20
    max_tokens: int = 512


class AnnotateSettings(Section):
    """How many captions a segment gets and from whom."""

    captioner: EndpointSettings = EndpointSettings()
    sampling: SamplingSettings = SamplingSettings()
    views: int = Field(3, ge=1, description="Fine captions a segment, one a seed")
    overall_from_measures: bool = Field(True, description="Ask for a short global caption where metadata has none")
    seed: int = Field(0, description="First seed; view v uses seed + v")
    segments_per_unit: int = Field(64, ge=1, description="Segments that are captioned and committed together")


class VerifySettings(Section):
    """Who judges captions and by which rules (reference 1.10)."""

    verifier: EndpointSettings = EndpointSettings()
    min_characters: int = Field(128, description="Shorter fine captions are rejected")
    max_characters: int = Field(768, description="Longer fine captions are rejected")
    min_overall_characters: int = Field(32, description="Shorter global captions are rejected")
    leak_words: int = Field(4, ge=2, description="This many transcript words in a row in a caption are a leak")
    captions_per_unit: int = Field(256, ge=1, description="Captions that are judged and committed together")
