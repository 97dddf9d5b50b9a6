"""``clsp import`` and ``clsp export`` as typed in a shell."""

import orjson
import pytest
from typer.testing import CliRunner

from clsp.errors import ModelError
from pipelines.cli import app
from tests.model.foreign_models import clsp_folder, roberta_folder, spear_folder, weights

WEIGHTS = weights()


def run(*arguments):
    return CliRunner().invoke(app, [str(part) for part in arguments], catch_exceptions=False)


def test_import_says_what_still_needs_training(tmp_path):
    spear, roberta = spear_folder(tmp_path / "spear", WEIGHTS), roberta_folder(tmp_path / "roberta", WEIGHTS)
    said = run("import", "model", spear, "--text", roberta, "--out", tmp_path / "initial").output
    assert "need training: audio_projection" in said
    assert "--tokenizer" in said


def test_import_and_export_as_programs_read_them(tmp_path):
    published = clsp_folder(tmp_path / "published", WEIGHTS)
    result = orjson.loads(run("import", "model", published, "--out", tmp_path / "m", "--json").output)
    assert result["kind"] == "clsp"
    assert result["tensors"] == len(WEIGHTS)
    assert run("export", "model", tmp_path / "m", "--out", tmp_path / "out").output.strip() == str(tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (tmp_path / "m" / "model.safetensors").read_bytes()


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ModelError, match="hint"):
        run("import", "model", tmp_path / "none", "--out", tmp_path / "out")
