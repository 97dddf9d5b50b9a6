"""Captions and verdicts by command, over a data set that was imported."""

import orjson
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from tests.datasets import published


def ask(*arguments: str) -> dict:
    ran = CliRunner().invoke(app, [*arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    return orjson.loads(ran.stdout)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    tar = published.emilia(folder / "x.tar", ["S1_W1", "S2_W1"])
    store = str(folder / "store")
    answer = ask("import", "data", "--format", "emilia", str(tar), "--store", store, "--name", "x")
    return store, answer["manifest"]


def test_annotate_then_verify_print_manifests_whose_sums_add_up(imported):
    store, segments = imported
    captions = ask("annotate", segments, "--views", "2", "--store", store)
    assert (captions["rows_in"], captions["accepted"]) == (6, 6)  # two fine views and a global one a clip
    verdicts = ask("verify", captions["manifest"], "--store", store)
    assert verdicts["rows_in"] == 6 == verdicts["accepted"] + verdicts["rejected"] + verdicts["failed"]
    again = ask("annotate", segments, "--views", "2", "--store", store)
    assert again["manifest"] == captions["manifest"]


@pytest.mark.parametrize("form", ["fcaps", "webdataset", "parquet"])
def test_what_was_captioned_goes_out_and_comes_in_again_as_it_was(imported, form, tmp_path):
    store, segments = imported
    captions = ask("annotate", segments, "--views", "2", "--store", store)["manifest"]
    ask("export", "data", segments, captions, "--format", form, "--out", str(tmp_path / "out"), "--store", store)
    again, other = str(tmp_path / "again"), str(tmp_path / "other")
    place = ["import", "data", "--format", form, str(tmp_path / "out"), "--name", "x", "--store"]
    manifest = ask(*place, again)["manifest"]
    ask("export", "data", manifest, "--format", form, "--out", other, "--store", again)
    for path in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        assert (tmp_path / "other" / path.relative_to(tmp_path / "out")).read_bytes() == path.read_bytes()


def test_verify_judges_captions_that_were_imported_with_their_clips(tmp_path):
    manifest = published.fcaps(tmp_path, ["a", "b"])
    store = str(tmp_path / "store")
    answer = ask(
        "import", "data", "--format", "fcaps", str(manifest), "--audio-root", str(tmp_path), "--store", store,
        "--name", "x",
    )  # fmt: skip
    verdicts = ask("verify", answer["manifest"], "--store", store)
    assert verdicts["rows_in"] == 6
