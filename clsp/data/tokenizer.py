"""The text tower's tokenizer: RoBERTa's byte-level BPE, given or trained on the captions themselves.

A tiny model on a few thousand words has no use for 50,265 tokens. Training is deterministic, and the files are those
that ``AutoTokenizer`` loads offline.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from clsp.errors import ModelError

TOKENIZER_FILE = "tokenizer.json"
# RoBERTa's own ids: a text tower takes pad_token_id 1 and position offset 2 for granted.
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def train_tokenizer(texts: Iterable[str], vocabulary: int, folder: Path, max_tokens: int) -> None:
    """Train a tokenizer of at most ``vocabulary`` tokens on ``texts`` and write its files into ``folder``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(set(texts)), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    _wrapped(tokenizer, max_tokens).save_pretrained(folder)


def _wrapped(tokenizer: Tokenizer, max_tokens: int) -> Any:
    from transformers import PreTrainedTokenizerFast  # half a second; who only counts the vocabulary goes without

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_tokens,
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        cls_token="<s>",  # noqa: S106
        sep_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        mask_token="<mask>",  # noqa: S106
    )


def vocabulary_size(folder: Path) -> int:
    """Tokens of the tokenizer in ``folder``, which is how many embeddings a text tower needs for it."""
    try:
        return int(Tokenizer.from_file(str(folder / TOKENIZER_FILE)).get_vocab_size())
    except Exception as error:  # the library raises no narrower class
        raise ModelError(
            f"no usable tokenizer in {folder.name!r}", hint=f"the folder must hold {TOKENIZER_FILE}"
        ) from error
