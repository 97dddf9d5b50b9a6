"""Settings of annotate and verify: views, sampling, the endpoints and how hard to lean on them."""

from typing import Any, Literal

from pydantic import Field

from clsp.config.base import Section

EMBEDDED = "embedded"
# These change how fast and how patiently an answer is got, never the answer: they stay out of the recipe.
OPERATIONAL = frozenset(
    {
        "url", "concurrency", "first_concurrency", "timeout_seconds", "connect_seconds", "deadline_seconds", "attempts",
        "backoff_seconds", "max_wait_seconds", "max_retry_share", "max_failed_share", "patience", "breaker_faults",
        "outage_seconds", "first_answer_seconds", "grace_seconds", "max_response_bytes", "start_seconds",
    }
)  # fmt: skip


class EndpointSettings(Section):
    """An OpenAI-compatible chat endpoint and how it is called. Credentials come from the environment alone."""

    url: str = Field(
        EMBEDDED, description="Base URLs ending in /v1, separated by commas, or 'embedded' for the built-in describer"
    )
    model: str = Field("describer", description="Model name sent with each request")
    revision: str = Field("", description="Model revision, part of the recipe")
    concurrency: int = Field(512, ge=1, description="Most requests in flight at once to one endpoint")
    first_concurrency: int = Field(64, ge=1, description="Requests in flight at first; the client then finds the limit")
    timeout_seconds: float = Field(60.0, gt=0, description="Deadline of one try of a request")
    connect_seconds: float = Field(10.0, gt=0, description="Deadline of making a connection")
    deadline_seconds: float = Field(900.0, gt=0, description="Deadline of a request with all its tries and waits")
    attempts: int = Field(4, ge=1, description="Tries of one request before its row counts as failed")
    backoff_seconds: float = Field(0.5, ge=0, description="First wait between tries; doubles, with jitter")
    max_wait_seconds: float = Field(30.0, ge=0, description="Longest wait between tries, Retry-After included")
    max_retry_share: float = Field(0.5, ge=0, description="Retries that are made, as a share of all requests")
    max_failed_share: float = Field(0.05, ge=0, le=1, description="More failed rows than this end the step")
    patience: int = Field(16, ge=1, description="This many failed rows without a single answer end the step")
    breaker_faults: int = Field(16, ge=1, description="Faults in a row after which an endpoint is left out for a while")
    outage_seconds: float = Field(600.0, ge=0, description="The step ends when no endpoint was well for so long")
    first_answer_seconds: float = Field(10.0, ge=0, description="The same before any of them ever answered")
    grace_seconds: float = Field(20.0, ge=0, description="How long a step that is told to end waits for answers")
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


class WorkerSettings(Section):
    """How the workers of one step share its units. Nothing here enters a recipe."""

    journal_seconds: float = Field(0.2, ge=0.01, description="Answers wait this long to be written down together")
    beat_seconds: float = Field(5.0, gt=0, description="How often a worker shows that it lives, and looks at others")
    silent_seconds: float = Field(60.0, gt=0, description="A worker that was silent for so long loses its units")


class RuleSettings(Section):
    """Rules that a caption must keep whatever a model says of it (reference 1.10)."""

    min_characters: int = Field(128, description="Shorter fine captions are rejected")
    max_characters: int = Field(768, description="Longer captions are rejected")
    min_overall_characters: int = Field(32, description="Shorter global captions are rejected")
    leak_words: int = Field(4, ge=2, description="This many transcript words in a row in a caption are a leak")


class AnnotateSettings(Section):
    """How many captions a segment gets and from whom."""

    captioner: CaptionerSettings = CaptionerSettings()
    sampling: SamplingSettings = SamplingSettings()
    views: int = Field(3, ge=1, description="Fine captions a segment, one a seed")
    enough: int = Field(
        0, ge=0, description="Stop asking about a segment when so many of its captions keep the rules; 0 asks all views"
    )
    rules: RuleSettings = Field(RuleSettings(), description="The rules of verify, for what counts as enough")
    overall_from_measures: bool = Field(True, description="Ask for a short global caption where metadata has none")
    captioner_hears: Literal["sound", "tags"] = Field(
        "sound", description="What the captioner is sent: the clip, or (a cascade, to compare with) tags measured of it"
    )
    tags_in_prompt: bool = Field(True, description="Show the captioner what people noted about the clip")
    seed: int = Field(0, description="First seed; view v uses seed + v")
    segments_per_unit: int = Field(
        0, ge=0, description="Segments that are captioned and committed together; 0 goes by how many there are"
    )
    workers: WorkerSettings = WorkerSettings()

    def recipe(self) -> dict[str, Any]:
        """What decides the captions, for the recipe of the step."""
        unasked = set() if self.enough else {"rules"}
        return self.model_dump(
            mode="json", exclude={"captioner": set(OPERATIONAL), "workers": True, **dict.fromkeys(unasked, True)}
        )


class VerifySettings(RuleSettings):
    """Who judges captions and by which rules (reference 1.10)."""

    verifier: VerifierSettings = VerifierSettings()
    sampling: VerifierSamplingSettings = VerifierSamplingSettings()
    seed: int = Field(0, description="Seed of the verifier's sampling")
    keep: int = Field(0, ge=0, description="Fine captions of a segment that are kept at most, by view; 0 keeps all")
    keep_least: int = Field(0, ge=0, description="A segment with fewer fine captions that pass keeps none of them")
    reasoning_characters: int = Field(
        2000, ge=0, description="How much of a verifier's thinking is kept beside a verdict"
    )
    captions_per_unit: int = Field(
        0, ge=0, description="Captions that are judged and committed together; 0 goes by how many there are"
    )
    workers: WorkerSettings = WorkerSettings()

    def recipe(self) -> dict[str, Any]:
        """What decides the verdicts, for the recipe of the step."""
        return self.model_dump(mode="json", exclude={"verifier": set(OPERATIONAL), "workers": True})


class DescriberSettings(Section):
    """Limits of the built-in describer's server."""

    cached_clips: int = Field(4096, ge=1, description="Clips whose measures are remembered")
    max_body_bytes: int = Field(32 * 2**20, gt=0, description="A larger request is refused with 413")
