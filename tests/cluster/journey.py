"""The README's third journey as its reader takes it: the commands of its block, run in a copy of the checkout.

What the reader exports before is the test's; nothing else of the commands is changed. The container registry is left
out, since the test cluster has none: images are imported where the reader pushes them.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.access import Access
from tests.cluster.tools.build import binary

ROOT = Path(__file__).parents[2]
HEADING = "**Install it on a cluster and call the endpoints**"
_BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND_SECONDS = 1500


def readme_blocks() -> tuple[dict[str, str], list[str]]:
    """What the reader exports, and the commands that follow, a line each."""
    text = (ROOT / "README.md").read_text().partition(HEADING)[2]
    exports, commands = (match[1] for match in list(_BLOCK.finditer(text))[:2])
    words = [word for line in exports.splitlines() for word in line.partition("#")[0].split()[1:]]
    return dict(word.split("=", 1) for word in words), commands.splitlines()


@dataclass(frozen=True)
class Reader:
    """Somebody with a checkout, a shell and a kubeconfig; ``exported`` is the reader's environment."""

    folder: Path
    exported: dict[str, str]

    def run(self, command: str) -> str:
        """What a command prints; AssertionError with all of it when it fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder, env={**os.environ, **self.exported}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout


def make_checkout(folder: Path) -> None:
    """A copy of the checkout, so that nothing a command writes lands in it; its environment is that of the tests."""
    left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "clsp.yaml")
    shutil.copytree(ROOT, folder, ignore=left_out, dirs_exist_ok=True)
    environment = folder / ".venv"
    environment.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if not entry.name.startswith(".ready"):
            (environment / entry.name).symlink_to(entry)
    (environment / ".ready-default").touch()  # make finds the environment built
    programs = folder / "programs"
    programs.mkdir()
    for name in ("helm", "kubectl"):
        (programs / name).symlink_to(binary(name))


def environment_of(cluster: Access, folder: Path) -> dict[str, str]:
    """What connects a reader to the cluster and its object store, at one address from here and from pods."""
    keys = {"AWS_ACCESS_KEY_ID": cluster.store.access_key, "AWS_SECRET_ACCESS_KEY": cluster.store.secret_key}
    return {
        **keys,
        "AWS_ENDPOINT_URL": cluster.store.host_endpoint,
        "KUBECONFIG": str(cluster.kubeconfig),
        "PATH": f"{folder / 'programs'}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
    }
