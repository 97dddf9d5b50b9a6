"""Settings of the demo: how much speech is synthesised when no recordings are given, and what is asked at the end."""

from pydantic import Field

from clsp.config.base import Section


class DemoSettings(Section):
    """The synthetic corpus and the example queries."""

    speakers: int = Field(40, ge=3, description="Synthetic voices")
    clips_per_speaker: int = Field(14, ge=1, description="Clips of each voice")
    seed: int = Field(0, description="Changes what the voices say and how")
    queries: tuple[str, ...] = Field(
        (
            "A woman speaks very fast in a loud voice of high pitch.",
            "A man speaks slowly in a soft voice of low pitch.",
            "A lively, loud voice with a pitch that rises.",
        ),
        description="Descriptions that the finished model is asked for",
    )
    best: int = Field(3, ge=1, description="Clips shown for each query")
