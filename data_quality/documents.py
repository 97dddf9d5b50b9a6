"""Data Docs as files that can be kept: the same judgement gives the same bytes, and a page loads nothing.

GX writes random ids and the time of the run into its pages, and they fetch styles, scripts and a logo that reports
who looks. All of that is taken out; a small style of our own is put in, and scripts are forbidden by the page itself.
"""

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

_REMOVED = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<style\b.*?</style>|<img\b[^>]*>|<footer\b.*?</footer>", re.DOTALL
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STAMP, _FIXED_STAMP = re.compile(r"\d{8}T\d{6}\.\d{6}Z"), "20000101T000000.000000Z"
_TIME, _FIXED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "2000-01-01T00:00:00Z"
_POLICY = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"


def collect_pages(context: Any) -> dict[str, bytes]:
    """Build the Data Docs of a GX file context and return their pages by relative path."""
    context.build_data_docs()
    site = Path(context.root_directory) / "uncommitted" / "data_docs" / "local_site"
    style = files("data_quality").joinpath("documents.css").read_text()
    pages = sorted(site.rglob("*.html"))
    return {page.relative_to(site).as_posix(): clean_page(page.read_text(), style).encode() for page in pages}


def clean_page(page: str, style: str) -> str:
    """One page without scripts, remote parts, random ids and times, and with ``style`` in it."""
    head = f"<head>{_POLICY}<style>\n{style}</style>"
    kept = _REMOVED.sub("", page).replace("<head>", head, 1)
    timeless = _TIME.sub(_FIXED_TIME, _STAMP.sub(_FIXED_STAMP, kept))
    numbered = _UUID.sub(_numbering(), timeless)
    return re.sub(r"\s*\n\s*", "\n", numbered)


def _numbering() -> Callable[[re.Match[str]], str]:
    numbers: dict[str, str] = {}
    return lambda match: numbers.setdefault(match.group(), f"part-{len(numbers) + 1}")
