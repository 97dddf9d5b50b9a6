"""What strangers' data sets may not do: name a place outside their own, or bring an object that code would run from."""

import re
from pathlib import Path, PurePosixPath

from clsp.hashing import digest

PICKLES = frozenset({"pickle", "pkl", "pyd", "pt", "pth", "npy", "npz", "joblib", "data"})
UNSAFE_NAME, PICKLED = "unsafe_name", "pickled_member"
_LONGEST_ID = 300
_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,89}")


def is_safe_name(name: str) -> bool:
    """Whether a relative name stays inside its place and can be shown: no '..', no root, no control characters."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    printable = name.isprintable() and 0 < len(name) <= _LONGEST_ID
    return printable and bool(parts) and ".." not in parts and parts[0] != "/" and ":" not in parts[0]


def is_pickle(extension: str) -> bool:
    """Whether a tar member of this extension is read by unpickling where it is read at all."""
    return extension.lower().rpartition(".")[2] in PICKLES


def inside(root: Path, name: str) -> Path | None:
    """The existing file ``name`` below ``root``; None when there is none there or a link leads outside."""
    if not is_safe_name(name):
        return None
    path = (root / name).resolve()
    return path if path.is_relative_to(root.resolve()) and path.is_file() else None


def member_name(clip: str) -> str:
    """A name for the clip that every tar and file system takes: its id, or the hash of an id with odd characters."""
    return clip if _MEMBER.fullmatch(clip) else digest(clip.encode())[:32]
