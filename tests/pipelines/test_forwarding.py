"""``kubectl port-forward``, played by a script that ends as kubectl does when its pod goes."""

import os
from pathlib import Path

import pytest

from clsp.errors import ClusterError
from pipelines.remote.forwarding import forwarding
from tests.cluster.harness.waiting import until

PLAYED = """#!/bin/sh
printf '%s\\n' "$*" >> "{folder}/calls"
[ "$(wc -l < "{folder}/calls")" -gt {ends} ] || {{ {first}; exit 1; }}
echo "Forwarding from 127.0.0.1:4321 -> 8080"
exec sleep 600
"""


def kubectl(folder: Path, monkeypatch: pytest.MonkeyPatch, first: str, ends: int = 1) -> Path:
    """A kubectl that does only ``first`` the first ``ends`` times; the file of what it was called with."""
    script = folder / "kubectl"
    script.write_text(PLAYED.format(folder=folder, first=first, ends=ends))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "calls"


def test_it_begins_anew_at_the_same_port_when_the_pod_goes(tmp_path, monkeypatch):
    calls = kubectl(tmp_path, monkeypatch, "echo 'Forwarding from 127.0.0.1:4321 -> 8080'")
    with forwarding("clsp-text-predictor", "speech", "mine") as url:
        assert url == "http://127.0.0.1:4321"
        until("it is started again", lambda: len(calls.read_text().splitlines()) == 2, 20)
    first, again = calls.read_text().splitlines()
    where = "-n speech --context mine port-forward --address=127.0.0.1 service/clsp-text-predictor"
    assert (first, again) == (f"{where} :80", f"{where} 4321:80")


def test_a_service_that_cannot_be_reached_is_said(tmp_path, monkeypatch):
    kubectl(tmp_path, monkeypatch, "echo 'no such service' >&2")
    with (
        pytest.raises(ClusterError, match="clsp-text-predictor cannot be reached"),
        forwarding("clsp-text-predictor", "n"),
    ):
        pass


def test_without_kubectl_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="kubectl is not installed") as caught, forwarding("s", "n"):
        pass
    assert "--no-forward" in caught.value.hint
