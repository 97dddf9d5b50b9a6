"""Tiny models with random weights, in the layout that vLLM loads: Qwen3-Omni, which hears, and Qwen3, which reads.

``python -m tests.vllm.tiny_models FOLDER`` writes FOLDER/omni and FOLDER/qwen3. What they say means nothing; how they
are asked, constrained and aborted is the same as with real weights.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.models.qwen2_vl import Qwen2VLImageProcessor, Qwen2VLVideoProcessor
from transformers.models.qwen3_omni_moe import (
    Qwen3OmniMoeConfig,
    Qwen3OmniMoeForConditionalGeneration,
    Qwen3OmniMoeProcessor,
)
from transformers.models.whisper import WhisperFeatureExtractor

MEDIA = {
    "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "audio_token": "<|audio_pad|>",
    "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>",
    "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>",
}  # fmt: skip
END, PAD = "<|im_end|>", "<|endoftext|>"
SPECIAL = [PAD, "<|im_start|>", END, "<think>", "</think>", "user", "assistant", *MEDIA.values()]
SIZE = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32}
TEMPLATE = """{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}\
{% if part.type in ("audio", "audio_url", "input_audio") %}<|audio_start|><|audio_pad|><|audio_end|>\
{% elif part.text is defined %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def main(folder: Path) -> None:
    """Write both models."""
    torch.manual_seed(0)
    build_qwen3(folder / "qwen3")
    build_omni(folder / "omni")


def build_qwen3(folder: Path) -> None:
    """The verifier's kind: text in, text out."""
    tokenizer = _tokenizer({})
    config = Qwen3Config(
        vocab_size=len(tokenizer), intermediate_size=128, max_position_embeddings=8192, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, **SIZE,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def build_omni(folder: Path) -> None:
    """The captioner's kind: audio and text in, text out."""
    tokenizer = _tokenizer(MEDIA)
    thinker = {
        "text_config": _text(tokenizer), "audio_config": _audio(), "vision_config": _vision(),
        **{name: tokenizer.convert_tokens_to_ids(token) for name, token in _thinker_tokens().items()},
    }  # fmt: skip
    config = Qwen3OmniMoeConfig(thinker_config=thinker, enable_audio_output=False)
    processor = Qwen3OmniMoeProcessor(
        image_processor=Qwen2VLImageProcessor(),
        video_processor=Qwen2VLVideoProcessor(),
        feature_extractor=WhisperFeatureExtractor(feature_size=128),
        tokenizer=tokenizer,
        chat_template=TEMPLATE,
    )
    processor.save_pretrained(folder)
    Qwen3OmniMoeForConditionalGeneration(config).to(torch.bfloat16).save_pretrained(folder)


def _tokenizer(media: dict[str, str]) -> PreTrainedTokenizerFast:
    """Bytes, and the special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=END, pad_token=PAD, chat_template=TEMPLATE, extra_special_tokens=media
    )


def _text(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [8, 4, 4], "mrope_interleaved": True}
    return {
        "vocab_size": len(tokenizer), "intermediate_size": 128, "moe_intermediate_size": 32, "num_experts": 4,
        "num_experts_per_tok": 2, "max_position_embeddings": 8192, "rope_parameters": rope,
        "eos_token_id": tokenizer.eos_token_id, "tie_word_embeddings": False, **SIZE,
    }  # fmt: skip


def _audio() -> dict[str, Any]:
    return {
        "num_mel_bins": 128, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "d_model": 64,
        "output_dim": 64, "n_window": 50, "n_window_infer": 100, "downsample_hidden_size": 16, "conv_chunksize": 50,
    }  # fmt: skip


def _vision() -> dict[str, Any]:
    return {
        "depth": 1, "hidden_size": 64, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64,
        "patch_size": 14, "image_size": 224, "num_position_embeddings": 256, "deepstack_visual_indexes": [0],
        "apply_vit_abs_pos_embed": True,
    }  # fmt: skip


def _thinker_tokens() -> dict[str, str]:
    return {
        "audio_token_id": MEDIA["audio_token"], "image_token_id": MEDIA["image_token"],
        "video_token_id": MEDIA["video_token"], "audio_start_token_id": MEDIA["audio_bos_token"],
        "audio_end_token_id": MEDIA["audio_eos_token"], "vision_start_token_id": MEDIA["vision_bos_token"],
        "vision_end_token_id": MEDIA["vision_eos_token"], "user_token_id": "user", "assistant_token_id": "assistant",
    }  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
