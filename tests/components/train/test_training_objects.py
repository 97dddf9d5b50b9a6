"""The objects of a training as they go to the cluster."""

import pytest

from clsp.config import ClusterSettings, Pool, TrainSettings
from components.kubernetes.pods import QUEUE_LABEL
from components.train.cluster.backends import BACKENDS, pytorchjob, training_runtime, trainjob
from components.train.cluster.submission import Submission, companions
from tests.components.kubernetes.manifests import as_pod, check, check_restricted, pod_specs

TRAIN = {"min_nodes": 2, "max_nodes": 4, "late_seconds": 20, "retries": 5, "timeout_seconds": 1000}


def submission(processes=2, **train):
    gpus = {**ClusterSettings().pools["a100"].model_dump(), "queue": "team", "priority_class": "batch"}
    settings = ClusterSettings(
        enabled=True, service_account="clsp-train", pools={"a100": gpus, "cpu": Pool()}, train={**TRAIN, **train}
    )
    return Submission(
        "clsp-train-stage1-0123", "a1b2", "s3://b/p", "orders/x.json", TrainSettings(processes=processes), settings
    )


def workers(job):
    return job["spec"]["pytorchReplicaSpecs"]["Worker"]


def container(spec):
    return spec["containers"][0]


def options(spec):
    return dict(text[2:].split("=", 1) for text in container(spec)["command"][3:])


def test_a_pytorchjob_is_elastic_and_meets_at_a_host_that_is_no_worker():
    job = pytorchjob(submission())
    policy = job["spec"]["elasticPolicy"]
    assert (policy["minReplicas"], policy["maxReplicas"], workers(job)["replicas"]) == (2, 4, 4)
    assert policy["rdzvHost"] == "clsp-train-stage1-0123-rdzv"
    assert {"key": "is_host", "value": "0"} in policy["rdzvConf"]
    assert workers(job)["restartPolicy"] == "ExitCode"
    assert job["spec"]["runPolicy"]["activeDeadlineSeconds"] == 1000
    assert job["metadata"]["labels"][QUEUE_LABEL] == "team"
    assert job["metadata"]["annotations"] == {"clsp/attempt": "a1b2", "clsp/order": "orders/x.json"}


def test_a_trainjob_points_to_a_runtime_that_runs_the_same_pod():
    job, runtime, other = trainjob(submission()), training_runtime(submission()), pytorchjob(submission())
    assert job["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]
    assert job["spec"]["trainer"] == {"numNodes": 4}
    assert QUEUE_LABEL not in runtime["metadata"]["labels"]
    (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert replicated["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    template = replicated["template"]["spec"]["template"]
    assert container(template["spec"])["name"] == "node"
    assert container(template["spec"])["command"] == container(workers(other)["template"]["spec"])["command"]
    check({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": replicated["template"]["spec"]})


def test_workers_know_their_network_their_nodes_and_the_rendezvous():
    (spec,) = pod_specs(pytorchjob(submission()))
    check_restricted(spec)
    check(as_pod(spec))
    environment = {item["name"]: item.get("value") for item in container(spec)["env"]}
    assert environment["GLOO_SOCKET_IFNAME"] == environment["NCCL_SOCKET_IFNAME"] == "eth0"
    assert container(spec)["envFrom"] == [{"secretRef": {"name": "clsp-store", "optional": False}}]
    assert {"name": "pytorch-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "32Gi"}} in spec["volumes"]
    assert spec["priorityClassName"] == "batch"
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["key"] == "nvidia.com/gpu.product"
    assert container(spec)["resources"]["limits"]["nvidia.com/gpu"] == "8"
    told = options(spec)
    assert told["nodes"] == "2:4"
    assert told["rendezvous"] == "clsp-train-stage1-0123-rdzv:29400"
    assert (told["processes"], told["late-seconds"]) == ("8", "20")
    assert spec["terminationGracePeriodSeconds"] > TrainSettings().grace_seconds


@pytest.mark.parametrize(("processes", "nodes", "each"), [(2, 2, 1), (2, 4, 1), (8, 2, 4)])
def test_without_gpus_the_processes_are_spread_over_the_nodes(processes, nodes, each):
    made = submission(processes, size={"gpus": 0}, min_nodes=1, max_nodes=nodes)
    assert made.processes_per_node == each


def test_the_rendezvous_takes_no_gpu_and_a_budget_keeps_the_fewest_workers():
    service, deployment, budget = companions(submission())
    for item in (service, deployment, budget):
        check(item)
    (spec,) = pod_specs(deployment)
    assert "nvidia.com/gpu" not in container(spec)["resources"]["limits"]
    assert "affinity" not in spec
    assert "priorityClassName" not in spec
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["minAvailable"] == 2
    assert (
        budget["spec"]["selector"]["matchLabels"] == workers(pytorchjob(submission()))["template"]["metadata"]["labels"]
    )


@pytest.mark.parametrize(
    ("name", "end", "failed"), [("pytorchjob", "Succeeded", "Failed"), ("trainjob", "Complete", "Failed")]
)
def test_a_backend_tells_its_ends_apart(name, end, failed):
    def job(kind):
        return {"status": {"conditions": [{"type": kind, "status": "True", "message": "why"}]}}

    backend = BACKENDS[name]
    assert backend.has_succeeded(job(end))
    assert not backend.has_succeeded(job(failed))
    assert backend.failure(job(failed)) == "why"
    assert backend.failure(job(end)) is None
    assert backend.failure({}) is None
