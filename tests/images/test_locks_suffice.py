"""What each image's lock names is enough: its modules load where nothing else is installed."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from pipelines.images.locks import FOLDER, read_pins
from pipelines.images.roles import ROLES

ROOT = Path(__file__).parents[2]
COMMON = ("pipelines.cli", "components.annotate.main", "clsp.captions.client", "clsp.audio.decode")
STEP = (
    *("clsp.ingest.step", "components.verify.main", "components.validate.validation", "data_quality.gate"),
    *("components.features.training_set", "components.features.repository", "components.describer.server"),
    *("kfp.dsl.executor_main", "components.kubernetes.client", "kubernetes.client", "pipelines.doctor.examination"),
)
TORCH = ("kfp.dsl.executor_main", "kubernetes.client")
MODULES = {
    "annotator": COMMON,
    "step": COMMON + STEP,
    "trainer": (
        *COMMON,
        *TORCH,
        "components.train.training",
        "clsp.evaluation.evaluate",
        "components.register.version",
    ),
    "embedder": (*COMMON, *TORCH, "components.serve.trial", "serving.launch", "serving.kserve_sdk", "serving.server"),
}


def install(lock: str, site: Path) -> None:
    """Link every file of the distributions that a lock names into ``site``."""
    for name in read_pins((FOLDER / f"{lock}.lock").read_text()):
        package = distribution(name)
        for file in package.files or ():
            source = Path(str(package.locate_file(file)))
            if ".." not in file.parts and source.exists():
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                (site / file).symlink_to(source)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_has_what_its_modules_load(role, tmp_path):
    install("common", tmp_path)
    install(role.name, tmp_path)
    if role.shares_torch:
        install("torch", tmp_path)
    program = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]; import {', '.join(MODULES[role.name])}"
    clean = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(clean, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
