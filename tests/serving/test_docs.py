"""/docs: everything the server offers on one page that asks no other host for anything."""

import re
import shutil
import subprocess

import httpx
import pytest


@pytest.fixture(scope="module")
def page(server):
    response = httpx.get(f"{server.url}/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    return response.text


def test_the_page_names_every_route_and_the_fields_of_ours(server, page):
    for path in httpx.get(f"{server.url}/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page
    for field in ("encoding_format", "timeline", "texts", "pairs"):
        assert f"<code>{field}</code>" in page
    assert "float or base64 or int8" in page


def test_the_page_needs_no_other_host(page):
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "<script" not in page
    assert "@import" not in page


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_a_browser_shows_it(server, tmp_path):
    picture = tmp_path / "docs.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,1400"]
    own = [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}"]
    subprocess.run(["chromium", *flags, *own, f"{server.url}/docs"], check=True, capture_output=True, timeout=120)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
