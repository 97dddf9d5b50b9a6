"""Settings of the embedding server."""

from pydantic import Field

from clsp.config.base import Section


class ServeSettings(Section):
    """Limits and addresses of ``clsp serve``."""

    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535, description="0 takes a free port")
    max_body_bytes: int = Field(32 * 2**20, gt=0)
    max_items: int = Field(256, ge=1, description="Inputs of one request")
    max_audio_seconds: float = Field(30.0, gt=0, description="Longest clip that is embedded")
    min_audio_seconds: float = Field(0.1, gt=0, description="Shortest clip that is embedded")
    batch_seconds: float = Field(240.0, gt=0, description="Padded seconds of audio in one forward")
