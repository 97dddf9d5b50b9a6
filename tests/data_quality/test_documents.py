"""Data Docs are the same for the same rows, load nothing, and show captions as text."""

import re
from dataclasses import replace

import pytest

from data_quality.documents import clean_page

UNSEEN = "\r\x00\x07\u202e\u200b"
MARKUP = "</td></table><style>*{display:none}</style><script>alert(1)</script><img src=x onerror=alert(2)> $column"
HOSTILE = f"{UNSEEN}{MARKUP} & not"


@pytest.fixture(scope="module")
def spoiled(evidence):
    first, *others = evidence.accepted
    return replace(evidence, accepted=(replace(first, text=HOSTILE), *others))


@pytest.fixture(scope="module")
def pages(gate, spoiled):
    return gate.judge(spoiled).pages


def test_the_same_rows_give_the_same_bytes(pages, gate, spoiled, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert gate.judge(spoiled).pages == pages


def test_there_is_a_page_a_suite_and_every_link_leads_to_one(pages):
    suites = {"captions", "segments", "verdicts", "accepted", "examples"}
    assert {path.split("/")[1].removesuffix(".html") for path in pages if "/" in path} == suites
    links = re.findall(r'href="([^"#]+\.html)"', pages["index.html"].decode())
    assert {link.removeprefix("./") for link in links} <= pages.keys()
    assert len(links) == len(suites)


def test_pages_say_which_rows_they_are_about_and_what_drift_is_judged_against(pages, spoiled):
    page = next(page.decode() for path, page in pages.items() if path.startswith("validations/accepted"))
    assert f"accepted, {len(spoiled.accepted)} rows" in page
    assert "None" not in page[: page.index("Statistics")]
    assert "Drift is judged against data set ba5eba5eba5e, of 16 examples." in pages["index.html"].decode()


def test_a_row_that_breaks_a_rule_is_one_click_away(pages, spoiled):
    links = set(re.findall(r'href="rows\.html#([^"]+)"', pages["index.html"].decode()))
    page = pages["rows.html"].decode()
    assert spoiled.accepted[0].id in links
    assert all(f'<h2 id="{link}">' in page for link in links)
    assert "accepted.fine_length" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_pages_load_and_run_nothing(pages):
    for page in pages.values():
        text = page.decode()
        assert not re.search(r"<(script|link|img|iframe)\b", text)
        assert "default-src 'none'" in text
        assert not re.search(r'(src|action)="?https?:', text)


def test_a_caption_is_shown_as_text(pages):
    page = next(page for path, page in pages.items() if path.startswith("validations/accepted"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.decode()


def test_what_a_browser_would_not_show_is_shown_by_number(pages):
    shown = r"\u0007\u202e\u200b&lt;/td&gt;"
    for path, page in pages.items():
        assert not re.search(r"[\x00-\x08\r\u200b\u202e]", page.decode())
        assert (shown in page.decode()) == (path == "rows.html" or path.startswith("validations/accepted"))


def test_random_ids_and_times_are_taken_out():
    page = "<head></head> 20261123T224834.059093Z 2026-11-23T22:48:34Z {0} {1} {0}".format(
        "4a227740-a27d-493f-a2ab-2bf0cb79a635", "e58bcac4-7e72-4b23-8283-fc012c237c79"
    )
    cleaned = clean_page(page, "p { color: red }")
    assert "2026" not in cleaned
    assert cleaned.endswith("part-1 part-2 part-1")
    assert "p { color: red }" in cleaned
