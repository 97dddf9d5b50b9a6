"""The report of a whole run: what it holds, that it fetches nothing, and that other people's text stays text."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from clsp.storage.manifest import load_manifest
from pipelines.report import build_report
from pipelines.report.gather import gather
from pipelines.report.numbers import percent
from tests.pipelines.report_run import HOSTILE, RUN

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Page(HTMLParser):
    """Elements and text of a page, as a browser would split them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def report(finished_run, tmp_path_factory):
    store, manifests = finished_run
    return build_report(store, RUN, manifests, tmp_path_factory.mktemp("report") / "nested" / "report.html")


@pytest.fixture(scope="module")
def page(report):
    return Page(report.read_text(encoding="utf-8"))


def test_shows_what_the_run_measured(finished_run, page):
    store, manifests = finished_run
    scores = load_manifest(store, manifests["evaluate"]).info["retrieval"]["fine"]
    shown = " ".join(page.text)
    for direction in scores.values():
        assert percent(direction["r1"]) in shown
        assert f"{percent(direction['r1_low'])} – {percent(direction['r1_high'])}" in shown
    assert all(name in shown for name in manifests.values())
    assert "5e" * 32 in shown


def test_shows_every_count_and_its_reason(finished_run, page):
    shown = " ".join(" ".join(page.text).split())
    assert "too_short 3" in shown
    assert "unreadable 2" in shown
    assert re.search(r"leak 1\b", shown)
    assert "reused" in shown
    assert "The data keeps all 45 rules. Drift is judged against data set ba5eba5eba5e, of 48 examples." in shown


def test_is_one_file_that_fetches_nothing(page):
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_hostile_captions_stay_text(report, page):
    assert HOSTILE in "".join(page.text)
    assert "<script>window.stolen" not in report.read_text()
    assert len(page.of("script")) == 1
    assert page.of("img") == []
    assert page.of("b") != []
    assert "seven <b>sharp</b>" in "".join(page.text)


def test_charts_and_players_have_names(page):
    drawings = page.of("svg")
    assert len(drawings) > 20
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    assert len(page.of("title")) >= len(drawings)
    assert len(page.of("desc")) == len(drawings)
    players = page.of("audio")
    assert len(players) == 9
    assert all(player["src"].startswith("data:audio/flac;base64,ZkxhQ") and player["aria-label"] for player in players)


def test_clips_cover_voices_and_rejections(finished_run):
    store, manifests = finished_run
    clips = gather(store, RUN, manifests).clips
    rejected = {caption.item for clip in clips for caption in clip.captions if caption.passed is False}
    assert {"leak", "negation"} <= rejected
    assert len({clip.speaker for clip in clips[:6]}) == 6
    assert clips[0].split == "test"
    for clip in clips:
        assert [caption.kind for caption in clip.captions if not caption.folded and caption.passed] == [
            "global",
            "fine",
        ]
        assert not any(caption.folded for caption in clip.captions if not caption.passed)


def test_same_run_same_bytes(finished_run, report, tmp_path):
    store, manifests = finished_run
    again = build_report(store, RUN, manifests, tmp_path / "again.html")
    assert again.read_bytes() == report.read_bytes()


@pytest.mark.parametrize("last", ["ingest", "verify", "train_stage1", "evaluate"])
def test_part_of_a_flow_has_a_report(finished_run, tmp_path, last):
    store, manifests = finished_run
    steps = list(manifests)
    part = {step: manifests[step] for step in steps[: steps.index(last) + 1]}
    html = build_report(store, RUN, part, tmp_path / "part.html").read_text()
    assert ("id=retrieval" in html.replace('"', "")) == (last == "evaluate")
    assert 'id="flow"' in html


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium on this machine")
def test_opens_in_a_browser_without_errors(report, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={tmp_path}"]
    done = subprocess.run(
        [browser, *options, "--virtual-time-budget=2000", "--dump-dom", report.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    drawn = Page(done.stdout)
    assert len([line for line in drawn.of("line") if line.get("class") == "guide"]) == 9  # the script ran
    assert drawn.of("img") == []
