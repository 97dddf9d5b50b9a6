"""``clsp import`` and ``clsp export`` as typed in a shell."""

import re
import resource
import subprocess
import sys
from functools import partial

import orjson
import pytest
from typer.testing import CliRunner

from clsp.errors import ModelError
from pipelines.cli import app, main
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


def test_a_disk_that_takes_no_more_is_two_lines_and_leaves_nothing(tmp_path):
    """The real command below a limit on the size of a file, which a system call refuses as it does on a full disk."""
    published = clsp_folder(tmp_path / "published", WEIGHTS)
    typed = [sys.executable, "-m", "pipelines.cli", "import", "model", published, "--out", tmp_path / "out"]
    small = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (50_000, 50_000))
    done = subprocess.run(typed, capture_output=True, text=True, check=False, preexec_fn=small)
    assert done.returncode == 7
    assert re.fullmatch(r"clsp: cannot write model\.safetensors: .*large.*\n  hint: free space.*\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_a_folder_that_takes_no_files_is_two_lines(tmp_path, monkeypatch, capsys):
    published = clsp_folder(tmp_path / "published", WEIGHTS)
    monkeypatch.setattr(sys, "argv", ["clsp", "import", "model", str(published), "--out", "/proc/out"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert re.fullmatch(r"clsp: .*/proc/.*\n  hint: check that path.*\n", capsys.readouterr().err)


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ModelError, match="hint"):
        run("import", "model", tmp_path / "none", "--out", tmp_path / "out")
