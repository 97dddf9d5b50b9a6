"""A context of the user's: of several in the kubeconfig only the named one is reached, and it is left as it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.kubernetes.client import connect
from components.kubernetes.objects import Kind, Ref
from tests.cluster.harness.access import Access, forwarded
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.sources import CLUSTER, CONTEXT, of_the_user
from tests.cluster.harness.waiting import until
from tests.cluster.own_pods import SECRET, store_of
from tests.cluster.pods import RESOLVE, container, fetch, job, pod_spec

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"name": "elsewhere", "cluster": {"server": "https://127.0.0.1:9"}}
PASSING = {"nodes.metrics.k8s.io"}


@pytest.fixture
def context(cluster: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test cluster as one of two contexts of a kubeconfig, whose current one is the other."""
    file = tmp_path / "config"
    theirs = yaml.safe_load(cluster.kubeconfig.read_text())
    named = theirs["current-context"]
    theirs["clusters"].append(ELSEWHERE)
    place = {"cluster": "elsewhere", "user": theirs["users"][0]["name"]}
    theirs["contexts"].append({"name": "elsewhere", "context": place})
    file.write_text(yaml.safe_dump({**theirs, "current-context": "elsewhere"}))
    monkeypatch.setenv("KUBECONFIG", str(file))
    return str(named)


def objects_of_the_cluster(kubectl: Kubectl) -> set[str]:
    """Namespaces, definitions, webhooks, roles, classes: everything that is in no namespace."""
    kinds = set(kubectl("api-resources", "--namespaced=false", "--verbs=list", "-o", "name").split()) - PASSING
    return set(kubectl("get", ",".join(sorted(kinds)), "-o", "name", "--ignore-not-found").split())


@pytest.mark.cluster
@pytest.mark.slow
def test_only_the_named_context_is_used_and_nothing_is_left_there(cluster, context, monkeypatch):
    before = objects_of_the_cluster(cluster.kubectl)
    with of_the_user(context) as access, access.fresh_namespace() as namespace:
        assert not access.nodes
        store = store_of(access, namespace, monkeypatch)
        store.put_blob("caption.txt", b"calm")
        assert store.get("caption.txt") == b"calm"
        assert connect(namespace).get(Ref(Kind("v1", "Secret"), SECRET)), "this process reaches the same cluster"
        host = access.store.endpoint.removeprefix("http://").partition(":")[0]
        ask = f"{RESOLVE}; {fetch(f'$(address {host})', 9000, '/minio/health/ready')} > /dev/null && echo found"
        kubectl = access.kubectl.within(namespace)
        kubectl.apply([job("ask", pod_spec(container(access.busybox, "sh", "-c", ask)), retries=3)])
        kubectl.wait("condition=Complete", "job/ask")
    cluster.kubectl("wait", "--for=delete", f"namespace/{namespace}", "--timeout=60s")
    assert objects_of_the_cluster(cluster.kubectl) - before == set()


@pytest.mark.cluster
@pytest.mark.slow
def test_a_cluster_without_the_operators_is_refused_with_what_it_lacks(bare, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(bare.kubeconfig))
    named = yaml.safe_load(bare.kubeconfig.read_text())["current-context"]
    lacks = "does not serve inferenceservices.serving.kserve.io, pytorchjobs.kubeflow.org"
    with pytest.raises(LookupError, match=lacks), of_the_user(named):
        pass
    with pytest.raises(LookupError, match="CLSP_TEST_KUBECONTEXT=nobody"), of_the_user("nobody"):
        pass


@pytest.mark.parametrize("variable", [CONTEXT, CLUSTER])
def test_two_sessions_on_one_given_cluster_are_refused(variable):
    command = (sys.executable, "-m", "pytest", "-n", "2", "-m", "cluster", "tests/cluster/test_tools.py")
    environment = {**os.environ, variable: "nobody"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert f"ERROR: {variable} names one cluster, on which two sessions would meet: leave -n out" in done.stderr


def test_a_port_that_is_forwarded_long_does_not_stand_still(tmp_path):
    """kubectl tells of every connection; unread, it would block once the pipe is full."""
    program, done = tmp_path / "kubectl", tmp_path / "done"
    chatty = "i=0; while [ $i -lt 4000 ]; do echo Handling connection for 40001; i=$((i+1)); done"
    first = "echo 'Forwarding from 127.0.0.1:40001 -> 9000'"
    program.write_text(f"#!/bin/sh\n{first}; {chatty}; echo > {done}; exec sleep 60\n")
    program.chmod(0o755)
    with forwarded(Kubectl(program, tmp_path / "none"), "service/minio", 9000) as url:
        assert url == "http://127.0.0.1:40001"
        until("all was said", done.exists, 20)
