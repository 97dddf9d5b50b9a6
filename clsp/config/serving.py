"""Settings of the embedding server."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from clsp.config.base import Section

Tower = Literal["speech", "text", "both"]


@dataclass(frozen=True)
class Budgets:
    """What one forward holds at most: padded seconds of audio, padded tokens."""

    seconds: float
    tokens: int


# Beyond these a CPU only loses (bench/serve.md): activations leave its caches, the allocator maps them anew each time.
_ON_CPU, _ON_DEVICE = Budgets(60.0, 1024), Budgets(240.0, 16_384)


class ServeSettings(Section):
    """Limits and addresses of ``clsp serve``, and how much work one forward holds."""

    host: str = Field("127.0.0.1", description="Address both servers listen on")
    port: int = Field(0, ge=0, le=65535, description="Port of HTTP; 0 takes a free one")
    grpc: bool = Field(True, description="Whether the gRPC form of KServe V2 is served too")
    grpc_port: int = Field(0, ge=0, le=65535, description="Port of gRPC; 0 takes a free one")
    name: str = Field("", description="Name of the model in requests; empty takes that of the version")
    tower: Tower = Field("both", description="Which tower is loaded; the other kind of input is refused")
    refresh_seconds: float = Field(
        30.0, ge=0, description="How often an alias is looked up for a newer version; 0 only on SIGHUP"
    )
    api_keys_file: str = Field("", description="File of allowed API keys, a line NAME SHA256 each; empty lets all in")
    tls_cert_file: str = Field("", description="PEM certificate chain; with tls_key_file both servers speak TLS")
    tls_key_file: str = Field("", description="PEM private key of the certificate")
    objects_root: str = Field(
        "", description="Folder or s3://bucket/prefix of which callers may name sounds by key; empty: none"
    )
    trace_endpoint: str = Field("", description="OTLP/HTTP URL that spans are sent to (…/v1/traces); empty: none")
    access_log: bool = Field(True, description="A line in the log for each request, without its content")
    device: str = Field("cpu", description="Torch device of the weights")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    compiled: bool = Field(
        False, description="Compile the towers for the usual shapes of batches before ready: faster, starts in minutes"
    )
    threads: int = Field(0, ge=0, description="CPU threads of a forward; 0 leaves it to torch")
    decode_workers: int = Field(2, ge=1, description="Threads that decode, resample and tokenize")
    keep_alive_seconds: int = Field(
        75, ge=1, description="Idle connections stay this long; longer than those of the proxies before the server"
    )
    max_body_bytes: int = Field(32 * 2**20, gt=0, description="Largest request")
    max_items: int = Field(256, ge=1, description="Inputs of one request")
    max_text_characters: int = Field(8192, ge=1, description="Longest text that is tokenized")
    max_audio_seconds: float = Field(30.0, gt=0, description="Longest clip that is embedded")
    max_long_seconds: float = Field(3600.0, gt=0, description="Longest clip that is embedded by windows, when asked to")
    window_seconds: float = Field(10.0, ge=1, description="Length of the windows that a long clip is embedded by")
    timeline_seconds: float = Field(3.0, ge=0.5, description="Length of the window that slides for a timeline")
    timeline_hop_seconds: float = Field(1.0, ge=0.1, description="Distance of a timeline's vectors")
    min_audio_seconds: float = Field(0.1, ge=0.09, description="Shortest clip that is embedded")
    batch_seconds: float = Field(
        0.0, ge=0, description="Padded seconds of audio in one forward; 0 is what is fastest: 60 on a CPU, else 240"
    )
    batch_tokens: int = Field(
        0, ge=0, description="Padded tokens in one forward; 0 is what is fastest: 1024 on a CPU, else 16384"
    )
    batch_forward_seconds: float = Field(
        1.0, gt=0, description="A forward of several inputs holds no more than is expected to take this long"
    )
    max_queued_seconds: float = Field(1800.0, gt=0, description="Audio waiting for the device beyond this gets 429")
    max_queued_tokens: int = Field(2**20, ge=1, description="Tokens waiting for the device beyond this get 429")
    batch_window: int = Field(256, ge=1, description="Waiting inputs among which those of similar length are batched")
    batch_fill: float = Field(0.85, ge=0, le=1, description="Least useful share of a padded batch of several inputs")
    deadline_seconds: float = Field(30.0, gt=0, description="A request whose answer would come later gets 429")
    admission_share: float = Field(
        0.7, gt=0, le=1, description="Share of its deadline within which a request must be expected to be done"
    )
    retry_after_seconds: int = Field(2, ge=1, description="Least Retry-After of a 429")
    drain_seconds: float = Field(
        0.0, ge=0, description="How long requests are still taken after SIGTERM, until balancers know; a second ends it"
    )
    grace_seconds: int = Field(30, ge=0, description="How long requests may still run once no more are taken")
    ready_timeout_seconds: float = Field(120.0, gt=0, description="How long a caller waits for the server to be ready")

    @model_validator(mode="after")
    def _whole_certificate(self) -> Self:
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("tls_cert_file and tls_key_file belong together")
        return self

    def budgets(self, device: str) -> Budgets:
        """What a forward on ``device`` holds at most."""
        usual = _ON_CPU if device == "cpu" else _ON_DEVICE
        return Budgets(self.batch_seconds or usual.seconds, self.batch_tokens or usual.tokens)
