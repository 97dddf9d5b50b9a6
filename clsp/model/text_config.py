"""Which fields of a RoBERTa config.json describe the text tower, and which are only bookkeeping.

A configuration comes from strangers and ends in a library that, told to, fetches attention kernels from a hub. So
only the fields that shape the tower get through; what would change its mathematics is refused.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

ROBERTA_BASE: Mapping[str, Any] = MappingProxyType(
    {
        "vocab_size": 50_265,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    }
)
_SHAPE = frozenset(ROBERTA_BASE) | {
    "attention_probs_dropout_prob",
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_dropout_prob",
    "initializer_range",
    "pad_token_id",
}
_REFUSED: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "add_cross_attention": (False, None),
        "is_decoder": (False, None),
        "is_encoder_decoder": (False, None),
        "model_type": ("roberta", None),
        "position_embedding_type": ("absolute", None),
    }
)
# Fields that transformers of any version writes and that leave the tower as it is.
_BOOKKEEPING = """
_attn_implementation _name_or_path adapters architectures attn_implementation bad_words_ids begin_suppress_tokens
chunk_size_feed_forward classifier_dropout cross_attention_hidden_size decoder_start_token_id diversity_penalty
do_sample dtype early_stopping encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task
forced_bos_token_id forced_eos_token_id gradient_checkpointing id2label label2id length_penalty max_length min_length
no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states
output_scores output_past prefix problem_type pruned_heads remove_invalid_values repetition_penalty return_dict
return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss
tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript transformers_version
typical_p use_bfloat16 use_cache
"""


def text_shape(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``values`` that shape the tower; ``ValueError`` names those that are unknown or not RoBERTa's."""
    for key, allowed in _REFUSED.items():
        if values.get(key) not in allowed:
            raise ValueError(f"{key} is {values[key]!r}; the text tower is a RoBERTa encoder")
    unknown = sorted(values.keys() - _SHAPE - _REFUSED.keys() - set(_BOOKKEEPING.split()))
    if unknown:
        raise ValueError(f"unknown fields of the text tower: {', '.join(unknown)}")
    return {key: value for key, value in values.items() if key in _SHAPE}
