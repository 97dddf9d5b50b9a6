"""The cluster itself: nodes, names, balancing, pod security, and a second node."""

import json
import urllib.request

import pytest

from tests.cluster.harness.kubectl import KubectlError
from tests.cluster.harness.waiting import until
from tests.cluster.pods import container, deployment, fetch, job, pod_spec, service

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SERVE_NAME = "mkdir -p /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"
SCRATCH = {"volumes": [{"name": "tmp", "emptyDir": {}}]}
MOUNTED = {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}


def test_every_node_is_ready_and_reports_the_stamped_version(cluster):
    nodes = cluster.kubectl.get("nodes")["items"]
    assert nodes
    for node in nodes:
        conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"
    assert json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"] != "v0.0.0-master"


def test_a_pod_resolves_services_by_name(cluster, namespace):
    kubectl = cluster.kubectl.within(namespace)
    lookup = container(cluster.busybox, "nslookup", "kubernetes.default.svc.cluster.local")
    kubectl.apply([job("lookup", pod_spec(lookup), retries=3)])
    kubectl.wait("condition=Complete", "job/lookup")
    expected = cluster.kubectl.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"]
    assert expected in kubectl("logs", "job/lookup")


def test_a_service_balances_over_its_pods(cluster, namespace):
    kubectl = cluster.kubectl.within(namespace)
    server = container(
        cluster.busybox,
        "sh",
        "-c",
        SERVE_NAME,
        readinessProbe={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        **MOUNTED,
    )
    kubectl.apply([deployment("echo", 2, pod_spec(server, **SCRATCH)), service("echo", 80, 8080)])
    kubectl.wait("condition=Available", "deployment/echo")
    address = kubectl.get("service", "echo")["spec"]["clusterIP"]
    ask = f"for i in $(seq 40); do until {fetch(address)}; do sleep 1; done; done"
    kubectl.apply([job("ask", pod_spec(container(cluster.busybox, "sh", "-c", ask)))])
    kubectl.wait("condition=Complete", "job/ask")
    names = {pod["metadata"]["name"] for pod in kubectl.get("pods", "-l", "app=echo")["items"]}
    assert len(names) == 2
    assert set(kubectl("logs", "job/ask").split()) == names


def test_this_machine_reaches_a_service(cluster, namespace):
    kubectl = cluster.kubectl.within(namespace)
    server = container(cluster.busybox, "sh", "-c", SERVE_NAME, **MOUNTED)
    kubectl.apply([deployment("echo", 1, pod_spec(server, **SCRATCH)), service("echo", 80, 8080)])
    kubectl.wait("condition=Available", "deployment/echo")
    name = kubectl.get("pods", "-l", "app=echo")["items"][0]["metadata"]["name"]
    with cluster.reach(namespace, "echo", 80) as url:
        said = until("the Service answers", lambda: urllib.request.urlopen(url, timeout=5).read(), 60)
    assert said.decode().strip() == name


def test_a_pod_that_is_not_restricted_is_refused(cluster, namespace):
    bare = {"containers": [{"name": "main", "image": cluster.busybox}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": bare}
    with pytest.raises(KubectlError, match="restricted"):
        cluster.kubectl.within(namespace).apply([pod])


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_a_namespace_may_ask_for_another_level(cluster, namespace):
    bare = {"containers": [{"name": "main", "image": cluster.busybox, "command": ["true"]}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": {"restartPolicy": "Never", **bare}}
    kubectl = cluster.kubectl.within(namespace)
    kubectl.apply([pod])
    kubectl.wait("jsonpath={.status.phase}=Succeeded", "pod/bare")


def test_a_pod_on_the_second_node_is_reached_from_the_first(cluster, namespace, second_node):
    kubectl = cluster.kubectl.within(namespace)
    server = container(cluster.busybox, "sh", "-c", SERVE_NAME, **MOUNTED)
    there, here = {"nodeName": f"node-{second_node.number}"}, {"nodeName": "node-1"}
    kubectl.apply([deployment("echo", 1, pod_spec(server, **SCRATCH, **there)), service("echo", 80, 8080)])
    kubectl.wait("condition=Available", "deployment/echo")
    address = kubectl.get("service", "echo")["spec"]["clusterIP"]
    ask = f"until {fetch(address)}; do sleep 1; done"
    kubectl.apply([job("ask", pod_spec(container(cluster.busybox, "sh", "-c", ask), **here))])
    kubectl.wait("condition=Complete", "job/ask")
    assert kubectl("logs", "job/ask").startswith("echo-")
