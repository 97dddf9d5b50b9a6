"""A real cluster for tests: `@pytest.mark.cluster`, the fixtures `cluster` and `namespace`, and `make test-cluster`.

    @pytest.mark.cluster
    def test_something(cluster, namespace):
        kubectl = cluster.kubectl.within(namespace)
        kubectl.apply([{...}, {...}])                       # server-side apply of dicts
        kubectl.wait("condition=Complete", "job/mine")      # kubectl wait, never sleep
        assert kubectl("logs", "job/mine") == "done"

`cluster` (one a session) has `.kubectl`, `.kubeconfig`, `.import_image(archive)`, `.busybox` (an image with a shell),
`.store` (S3: `.endpoint` for pods, `.host_endpoint` and `.client()` for the test, `.access_key`, `.secret_key`,
`.bucket`), `.host` (this machine's address as pods reach it) and `.reach(namespace, service, port)` (a URL for the
test). training-operator, KServe (Standard mode), metrics-server and MinIO are installed; the fixtures `kueue`,
`keda`, `prometheus` and `trainer` (v2) install those when a test first asks. `namespace` is fresh for each
test, enforces pod security "restricted" (`@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)` for
another level) and is deleted afterwards. `second_node` adds a node for the tests of one file, `machines` adds and loses
several; `bare` is a cluster without operators.

Where the cluster comes from: CLSP_TEST_KUBECONTEXT names a context of yours (kind, k3d, a real cluster); its operators
are yours, images get in by CLSP_TEST_IMPORT, tests make namespaces of their own and leave nothing, and what only a
cluster on this machine can carry says so and is skipped (a run that was killed leaves namespaces: `kubectl delete
namespace -l clsp-test=true`). CLSP_TEST_CLUSTER names one that `make cluster-up` left running, which saves a minute a
run; otherwise each worker of `-n` boots one for its session and removes it. On one given cluster two sessions would
meet (operators, budgets of the nodes), so that takes one worker.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from clsp.config import load_config
from tests.cluster.harness.access import Access
from tests.cluster.harness.cluster import Cluster, boot
from tests.cluster.harness.images import base_images
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.loading import load_images
from tests.cluster.harness.node import Node
from tests.cluster.harness.operators import keda as keda_operator
from tests.cluster.harness.operators import kueue as kueue_operator
from tests.cluster.harness.operators import prometheus as prometheus_operator
from tests.cluster.harness.operators import trainer as trainer_operator
from tests.cluster.harness.platform import add_operator
from tests.cluster.harness.sources import CLUSTER, CONTEXT, booted, kept, new_name, of_the_user
from tests.cluster.old_kserve import old_image
from tests.cluster.role_images import RoleImages
from tests.flow.small_flow import SMALL, known_manifests, remember, run_small_flow, write_small_corpus

OWNED = pytest.StashKey[Cluster]()
# What takes longest comes first, so that no worker is left alone with it at the end.
FIRST = (
    *("journey", "compiled_flow", "images", "doctor", "schedules"),
    *("autoscaling", "serving_under_load", "queues"),
    *("elastic", "training_job", "teardown", "endpoints", "caption_job", "operators"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of ``FIRST`` in its order, then the others."""
    place = {f"test_{name}": number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)) if is_here(item) else len(place))


def is_here(item: pytest.Item) -> bool:
    """Whether a test is one of this folder."""
    return item.path.parent == Path(__file__).parent


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Access]:
    """The session's cluster."""
    if context := os.environ.get(CONTEXT):
        with of_the_user(context) as access:
            yield access
    elif name := os.environ.get(CLUSTER):
        yield kept(name)
    else:
        with booted() as (access, owned):
            request.config.stash[OWNED] = owned
            yield access


def provide(cluster: Access, operator: ModuleType) -> None:
    """Install an operator; a test that needs one which the user's cluster lacks is skipped with that reason."""
    try:
        add_operator(cluster, operator)
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kueue(cluster: Access) -> None:
    """Kueue is there, for jobs and PyTorchJobs."""
    provide(cluster, kueue_operator)


@pytest.fixture(scope="session")
def keda(cluster: Access) -> None:
    """KEDA is there, with its metrics server."""
    provide(cluster, keda_operator)


@pytest.fixture(scope="session")
def prometheus(cluster: Access) -> None:
    """Prometheus' image is on the nodes, and the cluster knows monitors and rules."""
    provide(cluster, prometheus_operator)


@pytest.fixture(scope="session")
def trainer(cluster: Access) -> None:
    """Kubeflow Trainer v2 is there, with JobSet."""
    provide(cluster, trainer_operator)


@pytest.fixture(scope="session")
def bare() -> Iterator[Kubectl]:
    """A second cluster, without any operator, for what the platform says where they are missing."""
    if os.environ.get(CONTEXT):
        pytest.skip("it needs a second cluster without operators, and yours is the only one")
    cluster = boot(new_name())
    try:
        load_images(cluster.nodes, [old_image()], cluster.record.folder)
        yield cluster.kubectl
    finally:
        cluster.down()


@pytest.fixture
def namespace(request: pytest.FixtureRequest, cluster: Access) -> Iterator[str]:
    """A fresh namespace that enforces a pod security level; deleted when the test is over."""
    with cluster.fresh_namespace(getattr(request, "param", "restricted")) as name:
        yield name


@dataclass
class Machines:
    """Further nodes of the session's cluster; what is left of them after the tests of a file is taken away."""

    owned: Cluster
    held: list[Node] = field(default_factory=list)

    def add(self, *, prepared: bool = False) -> Node:
        """One more node, ready, with the base images; ``prepared`` for those of roles."""
        self.held.append(self.owned.add_node(prepared=prepared))
        self.owned.wait_ready()
        load_images(self.held[-1:], base_images(), self.owned.record.folder)
        return self.held[-1]

    def lose(self, node: Node) -> None:
        """The machine of a node dies."""
        self.held.remove(node)
        self.owned.remove_node(node)


@pytest.fixture(scope="module")
def machines(request: pytest.FixtureRequest, cluster: Access) -> Iterator[Machines]:
    """Nodes that come and go within one file; only where the session booted its cluster."""
    owned = request.config.stash.get(OWNED, None)
    if owned is None:
        pytest.skip("nodes can be added to a cluster that the session booted only")
    machines = Machines(owned)
    try:
        yield machines
    finally:
        for node in reversed(machines.held.copy()):
            machines.lose(node)


@pytest.fixture(scope="module")
def second_node(machines: Machines) -> Node:
    """A second node with the base images, prepared for those of roles."""
    return machines.add(prepared=True)


@pytest.fixture(scope="session")
def role_images(cluster: Access) -> RoleImages:
    """Gives the nodes the images of these roles, built from this checkout."""
    return RoleImages(cluster)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few recordings for whole flows."""
    return write_small_corpus(tmp_path_factory.mktemp("corpus") / "audio")


@pytest.fixture(scope="session")
def local_manifests(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> dict[str, str]:
    """What the small flow over them gives on this machine, by step; `make test` may have run it just before."""
    if known := known_manifests(pytestconfig):
        return known
    store = str(tmp_path_factory.mktemp("local") / "store")
    reports = run_small_flow(corpus, store, "local", load_config(str(SMALL)))
    return remember(pytestconfig, reports)
