"""Reading config.json in every spelling in use, and refusing what would be misread."""

import pytest
from pydantic import ValidationError

from clsp.model import ModelConfig
from tests.model.published_encoder import TINY_TEXT, golden_config


def test_lists_strings_and_single_values_mean_the_same() -> None:
    config = golden_config()
    assert config.encoder_unmasked_dim == (24, 24, 24)
    assert config.cnn_module_kernel == (7, 5, 5)
    assert config == golden_config(encoder_dim=[32, 32, 32], feedforward_dim="64,64,64", pos_dim="12,12,12")
    assert [stack.downsampling_factor for stack in config.stacks] == [1, 2, 4]


def test_published_file_is_read_without_other_libraries_bookkeeping() -> None:
    values = golden_config().model_dump(exclude={"frontend_channels", "regularisation", "padding"})
    published = values | {"architectures": ["CLSPModel"], "auto_map": {}, "causal": False, "chunk_size": 8}
    assert ModelConfig.from_published(published) == golden_config()
    with pytest.raises(ValueError, match="causal"):
        ModelConfig.from_published(published | {"causal": True})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"num_heads": "4,4"}, "num_heads has 2 values for 3 stacks"),
        ({"cnn_module_kernel": "7,4,5"}, "odd"),
        ({"encoder_dims": "32"}, "encoder_dims"),
        ({"encoder_dim": "32,x,32"}, "encoder_dim"),
        ({"encoder_dim": 0}, "greater than 0"),
    ],
)
def test_wrong_settings_are_refused_by_name(change: dict, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        golden_config(**change)


def test_text_settings_can_be_changed() -> None:
    changed = golden_config().with_text(vocab_size=77)
    assert changed.text == TINY_TEXT | {"vocab_size": 77}
    assert golden_config().text == TINY_TEXT
