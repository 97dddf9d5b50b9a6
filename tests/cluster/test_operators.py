"""The operators do their work: a training job ends, an endpoint answers, an autoscaler sees load, S3 stores."""

import io
import urllib.request

import pytest

from tests.cluster.harness.waiting import until
from tests.cluster.pods import RESOLVE, SECURE_POD, container, deployment, fetch, job, pod_spec

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

MODELS = "/tmp/www/v1/models"
PREDICTOR = (
    f"mkdir -p {MODELS} && echo '{{\"embedding\": [0.6, 0.8]}}' > {MODELS}/tiny && exec httpd -f -p 8080 -h /tmp/www"
)
SCRATCH = [{"name": "tmp", "emptyDir": {}}]
MOUNTED = [{"name": "tmp", "mountPath": "/tmp"}]
BUSY = "while :; do :; done"


def replica(image: str, command: str) -> dict:
    spec = pod_spec(container(image, "sh", "-c", command, name="pytorch"))
    return {"replicas": 1, "restartPolicy": "Never", "template": {"spec": spec}}


def test_a_training_job_of_two_pods_completes(cluster, namespace):
    kubectl = cluster.kubectl.within(namespace)
    # A caller that gives up after it has connected says nothing, and calls again.
    listen = """timeout 200 sh -c 'until nc -l -p "$MASTER_PORT" | grep rank; do :; done'"""
    master = f"$(address $MASTER_ADDR.{namespace}.svc.cluster.local)"
    say = f'echo "rank $RANK of $WORLD_SIZE" | nc -w 5 "{master}" "$MASTER_PORT"'
    tell = f"{RESOLVE}; until {say}; do sleep 1; done"
    replicas = {"Master": replica(cluster.busybox, listen), "Worker": replica(cluster.busybox, tell)}
    train = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "train"},
        "spec": {"runPolicy": {"cleanPodPolicy": "None"}, "pytorchReplicaSpecs": replicas},
    }
    until("the operator's webhook takes the job", lambda: kubectl.apply([train]), 60)
    kubectl.wait("condition=Succeeded", "pytorchjob/train")
    assert kubectl("logs", "train-master-0") == "rank 1 of 2\n"


def test_an_endpoint_becomes_ready_and_answers(cluster, namespace):
    kubectl = cluster.kubectl.within(namespace)
    server = container(
        cluster.busybox,
        "sh",
        "-c",
        PREDICTOR,
        name="kserve-container",
        ports=[{"containerPort": 8080, "protocol": "TCP"}],
        readinessProbe={"httpGet": {"path": "/v1/models/tiny", "port": 8080}, "periodSeconds": 1},
        volumeMounts=MOUNTED,
        resources={"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
    )
    predictor = {
        "minReplicas": 1,
        "maxReplicas": 2,
        "securityContext": SECURE_POD,
        "containers": [server],
        "volumes": SCRATCH,
    }
    endpoint = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "tiny", "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": predictor},
    }
    until("KServe's webhook takes the endpoint", lambda: kubectl.apply([endpoint]), 60)
    kubectl.wait("condition=Ready", "inferenceservice/tiny")
    with cluster.reach(namespace, "tiny-predictor", 80) as url:
        said = until("it answers", lambda: urllib.request.urlopen(f"{url}/v1/models/tiny", timeout=5).read(), 60)
    assert said == b'{"embedding": [0.6, 0.8]}\n'


def test_an_autoscaler_sees_the_use_of_its_pods(cluster, namespace):
    kubectl = cluster.kubectl.within(namespace)
    if not cluster.nodes and "pods.metrics.k8s.io" not in cluster.kubectl("api-resources", "-o", "name").split():
        pytest.skip("your cluster measures no pods: install metrics-server for this test")
    busy = container(
        cluster.busybox, "sh", "-c", BUSY, resources={"requests": {"cpu": "10m"}, "limits": {"cpu": "100m"}}
    )
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "busy"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
            "minReplicas": 1,
            "maxReplicas": 2,
            "metrics": [metric],
        },
    }
    kubectl.apply([deployment("busy", 1, pod_spec(busy)), scaler])
    kubectl.wait("condition=ScalingActive", "hpa/busy")
    kubectl.wait("jsonpath={.status.desiredReplicas}=2", "hpa/busy")
    kubectl.wait("jsonpath={.status.readyReplicas}=2", "deployment/busy")


def test_what_this_machine_stores_a_pod_finds(cluster, namespace):
    client, content = cluster.store.client(), b"a calm, elderly man"
    client.put_object(cluster.store.bucket, f"{namespace}/caption.txt", io.BytesIO(content), len(content))
    url = client.presigned_get_object(cluster.store.bucket, f"{namespace}/caption.txt")
    assert url.startswith(cluster.store.host_endpoint)
    host = cluster.store.endpoint.removeprefix("http://").partition(":")[0]
    asked = fetch(f"$(address {host})", 9000, "/minio/health/ready")
    health = f"{RESOLVE}; {asked} > /dev/null && echo found"
    kubectl = cluster.kubectl.within(namespace)
    kubectl.apply([job("ask", pod_spec(container(cluster.busybox, "sh", "-c", health)), retries=3)])
    kubectl.wait("condition=Complete", "job/ask")
    assert kubectl("logs", "job/ask") == "found\n"
    assert client.get_object(cluster.store.bucket, f"{namespace}/caption.txt").read() == content
