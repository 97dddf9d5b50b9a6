"""Data Docs as files that can be kept: the same judgement gives the same bytes, and a page loads nothing.

GX writes random ids and the time of the run into its pages, and they fetch styles, scripts and a logo that reports
who looks. All of that is taken out; a small style of our own is put in, and scripts are forbidden by the page itself.
Its index is drawn by a script alone, so it is replaced by one that is plain HTML.
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment

from data_quality.judgement import RuleResult

_REMOVED = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<style\b.*?</style>|<img\b[^>]*>|<footer\b.*?</footer>", re.DOTALL
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STAMP, _FIXED_STAMP = re.compile(r"\d{8}T\d{6}\.\d{6}Z"), "20000101T000000.000000Z"
_TIME, _FIXED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "2000-01-01T00:00:00Z"
# What a browser would not show, or would obey: control characters, invisible ones, those that turn the direction.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_POLICY = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
_INDEX, _ROWS = "index.html", "rows.html"
Examples = Mapping[str, Mapping[str, Mapping[str, Any]]]  # rows by suite and id, their texts escaped


def collect_pages(context: Any, results: Sequence[RuleResult], examples: Examples, drift: str) -> dict[str, bytes]:
    """Build the Data Docs of a GX file context and return their pages by relative path.

    Rows that results name are shown whole, on a page of their own, from ``examples``; ``drift`` says in words what
    the data set was held against.
    """
    context.build_data_docs()
    site = Path(context.root_directory) / "uncommitted" / "data_docs" / "local_site"
    pages = {page.relative_to(site).as_posix(): page.read_text() for page in sorted(site.rglob("*.html"))}
    pages[_INDEX] = index_page(results, pages, drift)
    pages[_ROWS] = rows_page(results, examples)
    style = _resource("documents.css")
    return {path: clean_page(page, style).encode() for path, page in pages.items()}


def index_page(results: Sequence[RuleResult], pages: Mapping[str, str], drift: str) -> str:
    """The page of all rules, with a link to the page of each suite."""
    suites = {path.split("/")[1]: path for path in pages if path.startswith("validations/")}
    ordered = {name: suites[name] for name in dict.fromkeys(result.rule.partition(".")[0] for result in results)}
    template = Environment(autoescape=True, trim_blocks=True).from_string(_resource("index.html.j2"))
    return template.render(results=results, suites=ordered, drift=drift)


def rows_page(results: Sequence[RuleResult], examples: Examples) -> str:
    """The page of the rows that break a rule, with every column that was judged."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    broken: dict[tuple[str, str], list[str]] = {}
    for result in results:
        suite = result.rule.partition(".")[0]
        for name in result.rows:
            broken.setdefault((name, suite), []).append(result.rule)
            rows.setdefault(name, {}).setdefault(suite, _unescaped(examples[suite][name]))
    template = Environment(autoescape=True, trim_blocks=True).from_string(_resource("rows.html.j2"))
    return template.render(rows=rows, broken=broken)


def _unescaped(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: html.unescape(value) if isinstance(value, str) else value for name, value in row.items()}


def clean_page(page: str, style: str) -> str:
    """One page without scripts, remote parts, random ids, times and unseen characters, and with ``style`` in it."""
    head = f"<head>{_POLICY}<style>\n{style}</style>"
    kept = _REMOVED.sub("", page).replace("<head>", head, 1)
    timeless = _TIME.sub(_FIXED_TIME, _STAMP.sub(_FIXED_STAMP, kept))
    seen = _UNSEEN.sub(lambda match: f"\\u{ord(match.group()):04x}", timeless)
    return re.sub(r"\s*\n\s*", "\n", _UUID.sub(_numbering(), seen))


def _numbering() -> Callable[[re.Match[str]], str]:
    numbers: dict[str, str] = {}
    return lambda match: numbers.setdefault(match.group(), f"part-{len(numbers) + 1}")


def _resource(name: str) -> str:
    return files("data_quality").joinpath(name).read_text()
