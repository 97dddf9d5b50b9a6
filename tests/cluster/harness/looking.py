"""Looking at a cluster again and again from this process: a kubectl for each look would keep a core busy."""

from components.kubernetes.client import DEFAULT_PATIENCE, Cluster
from components.kubernetes.requests import Requests
from tests.cluster.harness.kubectl import Kubectl


def looking(kubectl: Kubectl) -> Cluster:
    """The namespace of a kubectl, with the same rights, over connections that are kept."""
    from kubernetes import client, config

    settings = client.Configuration()
    config.load_kube_config(str(kubectl.kubeconfig), client_configuration=settings)
    return Cluster(Requests(client.ApiClient(settings), DEFAULT_PATIENCE), kubectl.namespace)
