"""Strings to token ids with the tokenizer of a model directory, ready for many threads.

Only the tokenizer's own file is read (no code, no network). Padding is left to whoever forms the batch.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from clsp.errors import DataError, ModelError
from clsp.model.config import ModelConfig

TOKENIZER_FILE = "tokenizer.json"
_BYTE_PAIRS = ("vocab.json", "merges.txt")
_POSITION_OFFSET = 2  # RoBERTa's first position comes after its padding index
_COMPANIONS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


class TextTokenizer:
    """Texts to ids of at most ``max_tokens``, special tokens included; safe to share between threads."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, unpadded."""
        rows = list(texts)
        for position, text in enumerate(rows):
            if not isinstance(text, str) or any("\ud800" <= sign <= "\udfff" for sign in text):
                raise DataError(f"text {position} is no string of Unicode", hint="give a list of strings")
        return [list(encoding.ids) for encoding in self._tokenizer.encode_batch(rows)]


def read_tokenizer(folder: Path, max_tokens: int, vocabulary: int) -> TextTokenizer | None:
    """The tokenizer in ``folder`` (tokenizer.json, or RoBERTa's vocab.json + merges.txt); None when there is none.

    ``ModelError`` when it is damaged or has more tokens than the text tower has embeddings.
    """
    try:
        tokenizer = _read(folder)
    except Exception as error:
        raise ModelError(
            f"the tokenizer cannot be read: {error}", hint="copy the tokenizer files of the model again"
        ) from error
    if tokenizer is None:
        return None
    if tokenizer.get_vocab_size() > vocabulary:
        raise ModelError(
            f"the tokenizer knows {tokenizer.get_vocab_size()} tokens, the text tower {vocabulary}",
            hint="use the tokenizer that this model was trained with",
        )
    return TextTokenizer(tokenizer, max_tokens)


def longest_text(config: ModelConfig) -> int:
    """Tokens that the text tower has positions for."""
    return int(config.text.get("max_position_embeddings", 512)) - _POSITION_OFFSET


def checked_tokens(input_ids: Tensor, attention_mask: Tensor, config: ModelConfig) -> Tensor:
    """(N, L) ids with padding under the mask; ``DataError`` when the text tower cannot take them.

    RoBERTa numbers its positions by which ids are padding, and its vector is that of the first position.
    """
    if not isinstance(input_ids, Tensor) or not isinstance(attention_mask, Tensor) or input_ids.is_floating_point():
        raise DataError(
            "token ids and their mask must be tensors of integers", hint='tokenizer(…, return_tensors="pt")'
        )
    if input_ids.ndim != 2 or input_ids.shape != attention_mask.shape:
        raise DataError("token ids and their mask must both be (N, L)", hint="pass what one tokenizer call returned")
    kept = attention_mask.bool()
    ids = input_ids.masked_fill(~kept, config.text.get("pad_token_id", 1))
    if not ids.numel():
        return ids
    if not bool(kept[:, 0].all()):
        raise DataError("a text begins with padding", hint="pad on the right, and give each text a token")
    if int(kept.sum(dim=1).max()) > longest_text(config):
        raise DataError(f"a text has more than {longest_text(config)} tokens", hint="cut it there")
    vocabulary = int(config.text.get("vocab_size", 50_265))
    if int(ids.min()) < 0 or int(ids.max()) >= vocabulary:
        raise DataError(f"a token id is not below {vocabulary}", hint="use the tokenizer of this model")
    return ids


def copy_tokenizer(folder: Path, out: Path) -> bool:
    """Copy the tokenizer's files, and no other file, to ``out``; False when ``folder`` holds no tokenizer."""
    for name in (TOKENIZER_FILE, *_BYTE_PAIRS, *_COMPANIONS):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
    return holds_tokenizer(out)


def holds_tokenizer(folder: Path) -> bool:
    """Whether ``read_tokenizer`` finds one there."""
    return (folder / TOKENIZER_FILE).is_file() or all((folder / name).is_file() for name in _BYTE_PAIRS)


def _read(folder: Path) -> Tokenizer | None:
    if (folder / TOKENIZER_FILE).is_file():
        return Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    vocabulary, merges = (folder / name for name in _BYTE_PAIRS)
    if not (vocabulary.is_file() and merges.is_file()):
        return None
    return _byte_pairs(vocabulary, merges)


def _byte_pairs(vocabulary: Path, merges: Path) -> Tokenizer:
    """RoBERTa's byte-level BPE from its two files, with <s> and </s> around each text."""
    model = models.BPE.from_file(str(vocabulary), str(merges))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ids = tokenizer.get_vocab()
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", ids["</s>"]), ("<s>", ids["<s>"]), add_prefix_space=False
    )
    plain = [AddedToken(token, special=True) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    tokenizer.add_special_tokens([*plain, AddedToken("<mask>", special=True, lstrip=True)])
    return tokenizer
