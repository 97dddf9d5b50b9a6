"""A real buildah leaves no mount on the machine, not even for a container that it forgets to close."""

import shutil
from pathlib import Path

import pytest

from pipelines.images.tools import Build, choose_tool

pytestmark = pytest.mark.skipif(not shutil.which("buildah"), reason="needs buildah")
# The middle stage does nothing: buildah 1.28 keeps its container, mounted.
FORGETFUL = """\
FROM scratch AS base
COPY word /word
FROM base AS idle
FROM base AS step
COPY --from=idle /word /said
"""


def test_what_a_build_mounts_is_gone_after_it(tmp_path):
    tool = choose_tool("buildah", tmp_path / "store")
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "word").write_text("spoken")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(FORGETFUL)
    for image in ("localhost/step:1", "localhost/step:2"):
        assert tool.build(Build(dockerfile, tmp_path / "context", "step", image)) == tool.find(image)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
