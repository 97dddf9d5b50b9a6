"""What ``clsp embed`` does: recordings and descriptions to vectors, by a server or in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clsp.errors import DataError

Named = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Wanted:
    """Names of existing sound files, and descriptions, each once and in the order they were given."""

    sounds: tuple[str, ...]
    texts: tuple[str, ...]


def sort_inputs(inputs: Sequence[str]) -> Wanted:
    """Tell files from descriptions; ``DataError`` for what looks like a file that is not there, or for nothing."""
    distinct = tuple(dict.fromkeys(inputs))
    sounds = tuple(name for name in distinct if Path(name).is_file())
    texts = tuple(name for name in distinct if name not in sounds)
    if unlikely := [text for text in texts if Path(text).suffix and " " not in text]:
        raise DataError(f"no file {unlikely[0]!r}", hint="give existing recordings, and descriptions in quotes")
    if not distinct:
        raise DataError("there is nothing to embed", hint='name recordings and descriptions: hello.wav "a calm voice"')
    return Wanted(sounds, texts)


def embed_remotely(url: str, wanted: Wanted, api_key: str) -> Named:
    """Vectors by name from the server at ``url``, with a line of progress now and then."""
    from clsp.progress import Progress
    from serving.client import EmbeddingClient

    names = [*wanted.sounds, *wanted.texts]
    inputs = [*map(Path, wanted.sounds), *wanted.texts]
    with EmbeddingClient(url, api_key=api_key) as client, Progress("embed", len(names), "inputs") as progress:
        return dict(zip(names, client.embed_many(inputs, progress=progress.advance), strict=True))


def embed_here(model: str, wanted: Wanted) -> Named:
    """Vectors by name from a model that is loaded for it."""
    import torch

    from clsp.audio.decode import decode
    from clsp.model.loading import load_model

    loaded = load_model(model)
    decoded = {name: decode(Path(name)) for name in wanted.sounds}
    vectors = {
        name: loaded.encode_speech([torch.from_numpy(sound.samples)], sampling_rate=sound.sampling_rate)[0]
        for name, sound in decoded.items()
    }
    vectors |= {text: loaded.encode_text([text])[0] for text in wanted.texts}
    return {name: vector.numpy() for name, vector in vectors.items()}
