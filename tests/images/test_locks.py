"""Each image's lock is the part of requirements.lock that its extras need, and it is up to date."""

from importlib.metadata import version
from pathlib import Path

import pytest

from clsp.errors import ConfigError
from pipelines.images.locks import FOLDER, closure, make_locks, read_pins
from pipelines.images.roles import ROLES

ROOT = Path(__file__).parents[2]
ALL = read_pins((ROOT / "requirements.lock").read_text())
LOCKS = {file.stem: read_pins(file.read_text()) for file in FOLDER.glob("*.lock")}
CPU_BUILD = "+cpu" in version("torch")  # says nothing of the libraries that the CUDA build needs


def test_the_locks_are_those_of_the_extras():
    made = {name.removesuffix(".lock"): read_pins(text) for name, text in make_locks().items()}
    if CPU_BUILD:
        made["torch"] = LOCKS["torch"]
    assert made == LOCKS


def test_images_hold_the_versions_that_were_tested():
    assert all(pins.items() <= ALL.items() for pins in LOCKS.values())


def test_torch_is_one_layer_of_its_own():
    assert "torch" in LOCKS["torch"]
    assert not any(LOCKS[role.name].keys() & LOCKS["torch"].keys() for role in ROLES if role.shares_torch)
    assert not any("torch" in LOCKS[role.name] for role in ROLES if not role.shares_torch)
    assert not [name for name in LOCKS["torch-cpu"] if name.startswith(("nvidia", "cuda", "triton"))]


def test_what_all_roles_need_is_one_layer_below_all_others():
    assert "numpy" in LOCKS["common"]
    assert not any(pins.keys() & LOCKS["common"].keys() for name, pins in LOCKS.items() if name != "common")


def test_the_annotation_client_is_small():
    client = LOCKS["common"].keys() | LOCKS["annotator"].keys()
    assert not client & {"torch", "kfp", "pandas", "feast", "kserve", "great-expectations"}
    assert "httpx" in client


def test_no_image_holds_what_checks_or_tests():
    tools = {"pip", "mypy", "ruff", "pytest", "hypothesis", "import-linter"}
    assert not any(pins.keys() & tools for pins in LOCKS.values())


def test_a_closure_follows_extras_and_markers():
    needed = closure(["uvicorn[standard]"])
    assert {"uvicorn", "h11", "click", "uvloop", "httptools"} <= needed
    assert "colorama" not in needed  # Windows only
    assert "uvloop" not in closure(["uvicorn"])


def test_a_package_that_is_not_locked_is_named(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    (tmp_path / "requirements.lock").write_text("\n".join(line for line in lines if not line.startswith("httpx==")))
    with pytest.raises(ConfigError, match=r"requirements\.lock lacks httpx"):
        make_locks(tmp_path)


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(ConfigError, match="no-such-package is not installed"):
        closure(["no-such-package"])
