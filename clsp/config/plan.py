"""Settings of ``clsp plan``: what a corpus, its annotation and its training are expected to take and cost.

Rates are estimates until ``clsp bench annotate`` and ``clsp bench train`` have measured them on the pool in question.
"""

from pydantic import Field

from clsp.config.base import Section


class PlanSettings(Section):
    """Rates, sizes and prices of a plan."""

    clip_seconds: float = Field(9.29, gt=0, description="Mean length of a clip (Emilia's, reference 1.5)")
    caption_tokens: float = Field(110.0, gt=0, description="Output tokens of one caption (reference 1.10)")
    captioner_tokens_per_second: float = Field(4000.0, gt=0, description="Output tokens a second of a captioner's GPU")
    verdict_tokens: float = Field(900.0, gt=0, description="Output tokens of one verdict, its reasoning included")
    verifier_tokens_per_second: float = Field(4000.0, gt=0, description="Output tokens a second of a verifier's GPU")
    kept_share: float = Field(0.8, gt=0, le=1, description="Share of captions that pass verification")
    flac_bytes_per_second: float = Field(17_000.0, gt=0, description="Stored audio: 16 kHz mono FLAC of speech")
    caption_bytes: float = Field(450.0, gt=0, description="Stored caption with its provenance, compressed")
    vector_bytes: float = Field(2048.0, gt=0, description="One embedding: 512 values of float32")
    flops_per_audio_second: float = Field(72e9, gt=0, description="Forward and backward of clsp-xlarge (reference 1.2)")
    gpu_flops: float = Field(125e12, gt=0, description="Sustained bf16 of one GPU, 40 % of an A100's peak")
    epochs: float = Field(45.0, gt=0, description="Passes of stage 1 over the corpus (reference 1.5)")
    gpus: int = Field(8, ge=1, description="GPUs that work at once")
    gpu_hour_price: float = Field(2.0, ge=0, description="Money for one GPU hour")
    gib_month_price: float = Field(0.023, ge=0, description="Money for one GiB stored for a month")
