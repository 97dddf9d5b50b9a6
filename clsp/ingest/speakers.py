"""Who speaks, where nobody wrote it down: the folder names it, or each file is a speaker of its own.

One speaker in two splits would make retrieval look better than it is, so in doubt two folders are one speaker.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

ENOUGH = 3  # train, dev and test can each have a speaker


def name_speakers(files: Sequence[str], rule: str, depth: int) -> dict[str, str]:
    """Speaker of each recording (relative paths) by ``rule`` 'folder' or 'file'.

    By folder, the first ``depth`` levels name the speaker. With depth 0 it is the fewest levels that tell three
    speakers apart, and a folder that itself holds recordings is one speaker with all below it: ``en/hello.wav`` and
    ``en/digits/1.wav`` are both ``en``. Recordings that lie in the source's own folder share the speaker ``.``.
    """
    if rule == "file":
        return {file: str(PurePosixPath(file).with_suffix("")) for file in files}
    folders = {file: PurePosixPath(file).parent.parts for file in files}
    if depth:
        return {file: _name(parts[:depth]) for file, parts in folders.items()}
    homes = set(folders.values())
    whole = {file: _topmost(parts, homes) for file, parts in folders.items()}
    levels = _fewest_levels(whole.values())
    return {file: _name(parts[:levels]) for file, parts in whole.items()}


def _topmost(parts: tuple[str, ...], homes: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The highest folder above a recording that holds recordings itself."""
    return next(parts[:level] for level in range(len(parts) + 1) if parts[:level] in homes)


def _fewest_levels(folders: Iterable[tuple[str, ...]]) -> int:
    found = set(folders)
    deepest = max((len(parts) for parts in found), default=0)
    counts = (len({parts[:level] for parts in found}) for level in range(deepest + 1))
    return next((level for level, count in enumerate(counts) if count >= ENOUGH), deepest)


def _name(parts: tuple[str, ...]) -> str:
    return "/".join(parts) or "."
