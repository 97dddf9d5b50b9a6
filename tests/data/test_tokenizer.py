"""The trained tokenizer: deterministic, RoBERTa's ids, loadable offline by transformers and by the model's reader."""

import pytest
from transformers import AutoTokenizer

from clsp.data.tokenizer import train_tokenizer, vocabulary_size
from clsp.errors import ModelError
from clsp.model.tokens import read_tokenizer

TEXTS = ["A calm voice.", "A loud, high voice near 200 hertz.", "The pitch rises over time."] * 4


@pytest.fixture
def folder(tmp_path):
    train_tokenizer(TEXTS, 320, tmp_path / "a", max_tokens=64)
    return tmp_path / "a"


def test_equal_texts_give_equal_files_in_any_order(folder, tmp_path):
    train_tokenizer(reversed(TEXTS), 320, tmp_path / "b", max_tokens=64)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert all((folder / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_the_model_and_transformers_read_the_same_ids(folder):
    texts = ["A calm voice.", "Unseen: žluťoučký kůň 🐎"]
    size = vocabulary_size(folder)
    mine = read_tokenizer(folder, 64, size).ids(texts)
    theirs = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert mine == theirs(texts)["input_ids"]
    assert theirs.decode(mine[1], skip_special_tokens=True) == texts[1]
    assert all(ids[0] == 0 and ids[-1] == 2 for ids in mine)
    assert (theirs.bos_token_id, theirs.pad_token_id, theirs.eos_token_id, theirs.unk_token_id) == (0, 1, 2, 3)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no usable tokenizer"):
        vocabulary_size(tmp_path)
