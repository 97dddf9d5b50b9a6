"""The platform's images as pods: allowed where pod security is "restricted", and stopped in time."""

import pytest

from tests.cluster.pods import container, job, pod_spec
from tests.cluster.role_images import IMAGES

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SCRATCH = {"volumes": [{"name": "tmp", "emptyDir": {}}]}
ROOM = {
    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
}
WHERE = """
import os, sys, pathlib
try:
    pathlib.Path("/opt/clsp/written").touch()
except OSError as error:
    print("root", error.strerror)
print("user", os.getuid(), "home", pathlib.Path.home(), "pid", os.getpid())
import numpy, {module}
print("ready")
"""
MODULES = {
    "annotator": "clsp.captions.client",
    "step": "kfp.dsl.executor_main",
    "trainer": "components.train.training",
    "embedder": "serving.server",
}


@pytest.fixture(scope="module")
def images(role_images):
    """The images are on the nodes."""
    role_images(*IMAGES)
    return IMAGES


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("role", IMAGES)
def test_an_image_runs_with_nothing_but_its_rights(cluster, namespace, images, role):
    kubectl = cluster.kubectl.within(namespace)
    program = WHERE.replace("{module}", MODULES[role])
    look = container(images[role], "python3", "-c", program, **ROOM)
    kubectl.apply([job("look", pod_spec(look, **SCRATCH))])
    kubectl.wait("condition=Complete", "job/look", timeout=240)
    lines = kubectl("logs", "job/look").splitlines()
    assert lines == ["root Read-only file system", "user 65532 home /tmp pid 1", "ready"]


def test_a_describer_that_is_the_first_process_stops_when_told(cluster, namespace, images):
    kubectl = cluster.kubectl.within(namespace)
    serve = container(
        images["step"],
        "python3",
        "-m",
        "components.describer",
        "--host",
        "0.0.0.0",
        "--port",
        "8080",
        readinessProbe={"httpGet": {"path": "/v1/models", "port": 8080}, "periodSeconds": 1},
        **ROOM,
    )
    spec = pod_spec(serve, **SCRATCH) | {"terminationGracePeriodSeconds": 120}
    kubectl.apply([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "describer"}, "spec": spec}])
    kubectl.wait("condition=Ready", "pod/describer", timeout=120)
    kubectl("delete", "pod/describer", "--wait", "--timeout=40s")  # far sooner than it would be killed
