"""``clsp import model``: weights from elsewhere become a model directory that everything here reads.

The directory appears whole or not at all, holds no code, and its tensors are those of the source, bit for bit.
"""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from clsp.errors import ModelError
from clsp.model.building import build_towers
from clsp.model.config import ModelConfig
from clsp.model.directory import save_model
from clsp.model.sources import Source, read_source, with_output_factor, with_text_tower
from clsp.model.tokens import copy_tokenizer, holds_tokenizer
from clsp.model.weights import refuse_not_finite


@dataclass(frozen=True)
class ImportedModel:
    """What was written to ``folder``: ``untrained`` are the modules that no source brought."""

    folder: str
    kind: str
    parameters: int
    tensors: int
    untrained: tuple[str, ...]
    has_tokenizer: bool


@dataclass(frozen=True)
class ImportOptions:
    """What to read besides the source itself; see ``clsp import model --help``."""

    shape: ModelConfig | None = None
    text: Path | None = None
    tokenizer: Path | None = None
    output_factor: int | None = None
    averaged: bool = False
    seed: int = 0


def import_model(path: Path, out: Path, options: ImportOptions | None = None) -> ImportedModel:
    """Read any source that ``read_source`` knows and write it to ``out`` in the published layout.

    ``ModelError`` when ``out`` exists, or when names or shapes do not fit; nothing is left behind then.
    """
    options = options or ImportOptions()
    if options.tokenizer is not None and not holds_tokenizer(options.tokenizer):
        raise ModelError(
            f"there is no tokenizer in {str(options.tokenizer)!r}", hint="give the folder of tokenizer.json"
        )
    if not path.exists():
        raise ModelError(f"there is no {str(path)!r}", hint="give a model directory or an icefall .pt")
    return write_source(assemble(path, options), out, options.tokenizer or options.text, options.seed)


def write_source(source: Source, out: Path, tokenizer: Path | None, seed: int = 0) -> ImportedModel:
    """Write a source to ``out``, with the tokenizer of a folder or else of the source."""
    if out.exists():
        raise ModelError(f"{out.name!r} exists already", hint="name a folder that does not exist yet")
    towers = build_towers(source, seed=seed)
    refuse_not_finite(towers)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        written = Path(scratch) / "model"
        save_model(written, towers, source.config, source.untrained)
        has_tokenizer = copy_tokenizer(tokenizer or source.folder, written)
        written.rename(out)
    sizes = [math.prod(value.shape) for value in towers.state_dict().values()]
    return ImportedModel(str(out), source.kind, sum(sizes), len(sizes), tuple(sorted(source.untrained)), has_tokenizer)


def assemble(path: Path, options: ImportOptions) -> Source:
    """The source that ``import_model`` writes."""
    source = read_source(path, options.shape, averaged=options.averaged)
    if options.text is not None:
        source = with_text_tower(source, read_source(options.text))
    factor = options.output_factor
    if factor is None or factor == source.config.output_downsampling_factor:
        return source
    return with_output_factor(source, factor)
