"""etcd, API server, controller manager and scheduler of a cluster, with the flags that tests need.

Durability is given up (no fsync) and the autoscaler looks every few seconds; everything else is as in production:
RBAC, node authorisation, pod security, aggregation.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.addresses import API_PORT, Addresses
from tests.cluster.harness.certificates import Authority, Pair, signing_pair
from tests.cluster.harness.daemon import Daemon, flags
from tests.cluster.harness.kubeconfig import write_kubeconfig
from tests.cluster.tools.build import binary

SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


@dataclass(frozen=True)
class Credentials:
    """Everything that is signed for one cluster."""

    authority: Authority
    front_proxy: Authority
    service_accounts: Pair
    folder: Path
    addresses: Addresses

    @classmethod
    def make(cls, folder: Path, addresses: Addresses) -> "Credentials":
        """Two authorities and the key of service accounts, in the folder."""
        authority = Authority(folder, "ca")
        return cls(authority, Authority(folder, "front-proxy-ca"), signing_pair(folder), folder, addresses)

    def kubeconfig(self, name: str, group: str = "", *, path: Path | None = None) -> Path:
        """A kubeconfig for somebody called so."""
        client = self.authority.issue(name, group)
        target = path or client.key.with_suffix(".kubeconfig")
        return write_kubeconfig(target, self.addresses.api_url, self.authority.pair.certificate, client)


def control_plane(credentials: Credentials, data: Path) -> list[Daemon]:
    """The four daemons; etcd keeps its data below the folder."""
    return [
        etcd(data),
        api_server(credentials),
        controller_manager(credentials),
        scheduler(credentials),
    ]


def etcd(data: Path) -> Daemon:
    options = flags(
        data_dir=data / "etcd",
        listen_client_urls="http://127.0.0.1:2379",
        advertise_client_urls="http://127.0.0.1:2379",
        listen_peer_urls="http://127.0.0.1:2380",
        heartbeat_interval=500,
        election_timeout=5000,
        unsafe_no_fsync="true",
    )
    return Daemon("etcd", (str(binary("etcd")), *options))


def api_server(credentials: Credentials) -> Daemon:
    """It answers on the first node's address, for pods and for the machine alike."""
    addresses, authority = credentials.addresses, credentials.authority
    hosts = (*SERVICE_NAMES, "localhost", addresses.api, addresses.api_service)
    serving = authority.issue("kube-apiserver", hosts=hosts)
    kubelet_client = authority.issue("kube-apiserver-kubelet-client", "system:masters")
    front_proxy = credentials.front_proxy.issue("front-proxy-client")
    options = flags(
        advertise_address=addresses.api,
        bind_address=addresses.api,
        secure_port=API_PORT,
        etcd_servers="http://127.0.0.1:2379",
        client_ca_file=authority.pair.certificate,
        tls_cert_file=serving.certificate,
        tls_private_key_file=serving.key,
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_key_file=credentials.service_accounts.certificate,
        service_account_signing_key_file=credentials.service_accounts.key,
        service_cluster_ip_range=addresses.services,
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction",
        allow_privileged="true",
        kubelet_client_certificate=kubelet_client.certificate,
        kubelet_client_key=kubelet_client.key,
        kubelet_preferred_address_types="InternalIP",
        requestheader_client_ca_file=credentials.front_proxy.pair.certificate,
        requestheader_allowed_names="front-proxy-client",
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        proxy_client_cert_file=front_proxy.certificate,
        proxy_client_key_file=front_proxy.key,
        profiling="false",
    )
    return Daemon("kube-apiserver", (str(binary("kube-apiserver")), *options))


def controller_manager(credentials: Credentials) -> Daemon:
    authority = credentials.authority.pair
    kubeconfig = credentials.kubeconfig("system:kube-controller-manager")
    options = flags(
        kubeconfig=kubeconfig,
        authentication_kubeconfig=kubeconfig,
        authorization_kubeconfig=kubeconfig,
        bind_address="127.0.0.1",
        cluster_signing_cert_file=authority.certificate,
        cluster_signing_key_file=authority.key,
        root_ca_file=authority.certificate,
        service_account_private_key_file=credentials.service_accounts.key,
        use_service_account_credentials="true",
        leader_elect="false",
        horizontal_pod_autoscaler_sync_period="2s",
        horizontal_pod_autoscaler_initial_readiness_delay="5s",
        horizontal_pod_autoscaler_cpu_initialization_period="10s",
    )
    return Daemon("kube-controller-manager", (str(binary("kube-controller-manager")), *options))


def scheduler(credentials: Credentials) -> Daemon:
    kubeconfig = credentials.kubeconfig("system:kube-scheduler")
    options = flags(
        kubeconfig=kubeconfig,
        authentication_kubeconfig=kubeconfig,
        authorization_kubeconfig=kubeconfig,
        bind_address="127.0.0.1",
        leader_elect="false",
    )
    return Daemon("kube-scheduler", (str(binary("kube-scheduler")), *options))
