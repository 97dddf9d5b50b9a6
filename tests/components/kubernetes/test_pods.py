"""The parts that all our pods share, and what a pod's status means."""

import pytest

from clsp.config import ClusterSettings, Pool, parse_settings
from clsp.config.cluster import PodSize
from clsp.errors import ConfigError
from components.kubernetes.pods import container, pod_spec
from components.kubernetes.states import why_failed, why_none_runs, why_waiting
from tests.components.kubernetes.manifests import as_pod, check


def spec_of(**settings):
    cluster, pool, size = ClusterSettings(**settings), Pool(), PodSize()
    return pod_spec(
        {"main": size}, [container("main", "i", ["c"], size, pool=pool, cluster=cluster)], pool=pool, cluster=cluster
    )


def test_every_pod_mounts_what_the_operator_names():
    weights = {"path": "/models", "claim": "weights"}
    cache = {"path": "/cache", "host_path": "/mnt/cache", "read_only": False}
    spec = spec_of(mounts=(weights, cache), environment={"HTTPS_PROXY": "http://proxy:3128"})
    check(as_pod(spec_of(mounts=(weights,))))
    mounts = {mount["mountPath"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts["/models"]["readOnly"]
    assert not mounts["/cache"]["readOnly"]
    sources = {volume["name"]: volume for volume in spec["volumes"]}
    assert sources[mounts["/models"]["name"]]["persistentVolumeClaim"]["claimName"] == "weights"
    assert sources[mounts["/cache"]["name"]]["hostPath"]["path"] == "/mnt/cache"
    assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in spec["containers"][0]["env"]


@pytest.mark.parametrize("sources", [{}, {"claim": "c", "host_path": "/h"}])
def test_a_mount_has_one_source(sources):
    with pytest.raises(ConfigError, match="needs one of claim and host_path"):
        parse_settings(ClusterSettings, {"mounts": [{"path": "/models", **sources}]})


def test_a_failed_pod_is_told_by_the_container_that_failed():
    fine = {"name": "engine", "state": {"terminated": {"exitCode": 0}}}
    ended = {"name": "client", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": " x\n"}}}
    assert why_failed({"status": {"containerStatuses": [ended], "initContainerStatuses": [fine]}}) == (
        "client ended with 137 (OOMKilled): x"
    )
    assert why_failed({"status": {"reason": "Evicted", "message": "disk pressure"}}) == "disk pressure"
    assert why_failed({}) == "unknown"


def test_a_waiting_pod_is_told_by_its_image_or_the_scheduler():
    pulling = {"name": "client", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    creating = {"name": "client", "state": {"waiting": {"reason": "ContainerCreating"}}}
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}
    assert why_waiting({"status": {"containerStatuses": [pulling]}}) == "client: ImagePullBackOff no such image"
    assert why_waiting({"status": {"containerStatuses": [creating]}}) == ""
    assert why_waiting({"status": {"conditions": [unscheduled]}}) == "not scheduled: 0/3 nodes"
    assert why_none_runs([]) == "no pod was made"
