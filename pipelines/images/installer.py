"""What this machine tells pip and uv (certificates, an index, a proxy), as secrets of a build: never in an image."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_SAME = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX"}
_PASSED = (
    *_SAME,
    *_SAME.values(),
    "PIP_TRUSTED_HOST",
    "UV_INSECURE_HOST",
    *(name for word in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (word, word.lower())),
)


def settings_of(environment: Mapping[str, str], configured: Mapping[str, str]) -> dict[str, str]:
    """The variables to pass on: the environment's before those of pip's files; uv is told what pip is."""
    known = {name: value for name, value in {**configured, **environment}.items() if name in _PASSED}
    return {uv: known[pip] for pip, uv in _SAME.items() if pip in known} | known


@contextmanager
def installer_secrets() -> Iterator[dict[str, Path]]:
    """Secret id → file, while a build runs."""
    secrets = {}
    if bundle := next((os.environ[name] for name in _CERTIFICATES if os.environ.get(name)), ""):
        secrets["certificates"] = Path(bundle)
    with tempfile.TemporaryDirectory() as folder:
        if passed := settings_of(os.environ, _pip_configuration()):
            secrets["installer"] = Path(folder) / "installer"
            lines = (f"export {name}={shlex.quote(value)}\n" for name, value in passed.items())
            secrets["installer"].write_text("".join(lines))
        yield secrets


def _pip_configuration() -> dict[str, str]:
    """``PIP_INDEX_URL`` and the like from pip's configuration files."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    pairs = (line.partition("=") for line in answer.stdout.splitlines() if line.startswith("global."))
    return {f"PIP_{name[7:].upper().replace('-', '_')}": value.strip("'\"") for name, _, value in pairs}
