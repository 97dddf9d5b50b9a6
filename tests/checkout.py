"""What this checkout is: the hash that tests keep results under which only other code could change."""

import hashlib
from pathlib import Path

from pipelines.images.stages import copied_by, files_below

ROOT = Path(__file__).parents[1]


def code_hash(*more: Path) -> str:
    """Hash of everything that images copy from the checkout, and of ``more`` files."""
    digest = hashlib.sha256()
    copied = [file for name in copied_by("code") for file in files_below(ROOT / name)]
    for file in [*copied, *more]:
        digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
