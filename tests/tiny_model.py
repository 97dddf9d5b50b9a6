"""A random model of the tiny preset with a real tokenizer, and sounds to feed it."""

import io
from pathlib import Path

import numpy as np
import soundfile
import torch

from clsp.data.tokenizer import train_tokenizer
from clsp.export import save_model
from clsp.model import DualEncoder, preset

VOCABULARY = 320
TEXTS = ["a calm elderly man speaks slowly", "a bright young woman, quick and loud", "someone whispers"]


def write_tiny_model(folder: Path, seed: int = 0) -> Path:
    """A model directory in the published layout."""
    torch.manual_seed(seed)
    config = preset("tiny").with_text(vocab_size=VOCABULARY, max_position_embeddings=66)
    save_model(folder, DualEncoder(config), config)
    train_tokenizer(TEXTS * 3, VOCABULARY, folder, 64)
    return folder


def tone(seconds: float, hertz: float = 220.0, rate: int = 16_000) -> np.ndarray:
    """A decaying tone, (n,) float32, that every container keeps below full scale."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * hertz * time) * np.exp(-time)).astype(np.float32)


def encoded(samples: np.ndarray, container: str = "FLAC", rate: int = 16_000) -> bytes:
    """The bytes of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container)
    return file.getvalue()
