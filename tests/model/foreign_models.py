"""Tiny models in the layouts that people bring: CLSP, SPEAR and RoBERTa directories, icefall checkpoints."""

from pathlib import Path, PosixPath

import orjson
import torch
from safetensors.torch import save_file
from torch import Tensor

from clsp.model import DualEncoder, ModelConfig
from tests.model.published_encoder import golden_config

SHAPE = golden_config(num_mel_bins=128)
STACK_FIELDS = (
    "downsampling_factor", "num_encoder_layers", "encoder_dim", "encoder_unmasked_dim", "num_heads", "feedforward_dim",
    "cnn_module_kernel", "query_head_dim", "pos_head_dim", "value_head_dim",
)  # fmt: skip


def weights(seed: int = 0, config: ModelConfig = SHAPE) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {name: torch.randn_like(value) / 9 for name, value in DualEncoder(config).state_dict().items()}


def spelled_as_published(config: ModelConfig = SHAPE) -> dict:
    """config.json with comma-joined strings and other libraries' bookkeeping."""
    strings = {name: ",".join(map(str, getattr(config, name))) for name in STACK_FIELDS}
    numbers = {
        "num_mel_bins": config.num_mel_bins,
        "pos_dim": str(config.pos_dim),
        "output_downsampling_factor": config.output_downsampling_factor,
        "embedding_dim": config.embedding_dim,
    }
    foreign = {"architectures": ["CLSPModel"], "auto_map": {"AutoModel": "modeling_clsp.CLSPModel"}, "causal": False}
    return strings | numbers | foreign | {"text": config.text}


def write(folder: Path, tensors: dict[str, Tensor], config: dict) -> Path:
    folder.mkdir()
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_bytes(orjson.dumps(config))
    (folder / "modeling.py").write_text("raise SystemExit('remote code ran')")
    return folder


def clsp_folder(folder: Path, tensors: dict[str, Tensor], config: ModelConfig = SHAPE) -> Path:
    return write(folder, {f"model.{name}": value for name, value in tensors.items()}, spelled_as_published(config))


def spear_folder(folder: Path, tensors: dict[str, Tensor], output_factor: int = 1) -> Path:
    tower = {name: value for name, value in tensors.items() if name.startswith(("encoder_embed.", "encoder."))}
    tower.pop("encoder.downsample_output.bias")
    named = {f"model.model.{name}": value for name, value in tower.items()} | {"model.model.mask_emb": torch.ones(128)}
    config = spelled_as_published() | {"output_downsampling_factor": output_factor, "architectures": ["SpearModel"]}
    del config["text"], config["embedding_dim"]
    return write(folder, named, config)


def roberta_folder(folder: Path, tensors: dict[str, Tensor], config: ModelConfig = SHAPE) -> Path:
    """As roberta-base is published: below a language-model head, its pooler never trained."""
    tower = {name.removeprefix("text_encoder."): value for name, value in tensors.items() if "text_encoder." in name}
    named = {f"roberta.{name}": value for name, value in tower.items() if "pooler" not in name}
    extra = {"lm_head.bias": torch.zeros(50), "roberta.embeddings.position_ids": torch.arange(40)[None]}
    bookkeeping = {"architectures": ["RobertaForMaskedLM"], "model_type": "roberta", "transformers_version": "4.1"}
    return write(folder, named | extra, config.text | bookkeeping)


def icefall_checkpoint(path: Path, tensors: dict[str, Tensor], average: dict[str, Tensor], batches: int = 7) -> Path:
    """As icefall saves: the trainer's settings, paths among them, lie beside the weights."""
    state = {
        "model": tensors,
        "model_avg": {name: value.double() for name, value in average.items()},
        "optimizer": {"state": {0: {"step": 3, "delta": torch.zeros(2)}}, "param_groups": [{"lr": 0.045}]},
        "scheduler": {"base_lrs": [0.045], "epoch": 1, "batch": batches},
        "grad_scaler": None,
        "sampler": None,
        "batch_idx_train": batches,
        "exp_dir": PosixPath("spear_roberta/exp"),
        "best_train_loss": float("inf"),
    }
    torch.save(state, path)
    return path
