"""Which programs there are, which module set each comes from, and how it is stamped.

An unstamped Kubernetes reports v0.0.0, which breaks every `kubeVersion` check of Helm: hence the linker flags.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).parent
KUBERNETES = "v1.35.4"
HELM = "v4.3.1"
HELM_UNITTEST = "v1.1.2"
KUEUE = "v0.19.2"
KEDA = "2.18.0"
TRAINER = "v2.3.0"
JOBSET = "v0.12.0"
PROMETHEUS = "3.16.0"


@dataclass(frozen=True, eq=False)
class ModuleSet:
    """One go.mod with the programs built from it.

    Attributes:
        name: its folder beside this file.
        module: the module that carries the programs' sources and manifests.
        programs: name of the built program → Go package of its `main`.
        stamps: linker variables → values.
        tags: build tags, where a program offers to leave out what nobody here needs.
    """

    name: str
    module: str
    programs: Mapping[str, str]
    stamps: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return MODULES / self.name


def kubernetes_stamps() -> dict[str, str]:
    major, minor, _ = KUBERNETES.lstrip("v").split(".")
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return {f"{package}.{name}": value for package in packages for name, value in values.items()}


SETS = (
    ModuleSet("pause", "clsp-platform/tests/cluster/tools/pause", {"pause": "."}),
    ModuleSet(
        "helm",
        "helm.sh/helm/v4",
        {"helm": "helm.sh/helm/v4/cmd/helm"},
        {"helm.sh/helm/v4/internal/version.version": HELM},
    ),
    ModuleSet(
        "helm-unittest",
        "github.com/helm-unittest/helm-unittest",
        {"helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"},
        {"github.com/helm-unittest/helm-unittest/internal/build.version": HELM_UNITTEST},
    ),
    ModuleSet(
        "kubernetes",
        "k8s.io/kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kube-proxy",
                "kubelet",
                "kubectl",
            )
        },
        kubernetes_stamps(),
    ),
    ModuleSet("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
    ModuleSet("coredns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"}),
    ModuleSet(
        "training-operator",
        "github.com/kubeflow/training-operator",
        {"training-operator": "github.com/kubeflow/training-operator/cmd/training-operator.v1"},
    ),
    ModuleSet(
        "trainer",
        "github.com/kubeflow/trainer/v2",
        {
            "trainer-controller-manager": "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager",
            "jobset": "sigs.k8s.io/jobset",
        },
    ),
    ModuleSet("kserve", "github.com/kserve/kserve", {"kserve-manager": "github.com/kserve/kserve/cmd/manager"}),
    ModuleSet("minio", "github.com/minio/minio", {"minio": "github.com/minio/minio"}),
    ModuleSet(
        "metrics-server",
        "sigs.k8s.io/metrics-server",
        {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
    ),
    ModuleSet(
        "kueue",
        "sigs.k8s.io/kueue",
        {"kueue-manager": "sigs.k8s.io/kueue/cmd/kueue"},
        {"sigs.k8s.io/kueue/pkg/version.GitVersion": KUEUE},
    ),
    ModuleSet(
        "keda",
        "github.com/kedacore/keda/v2",
        {
            "keda": "github.com/kedacore/keda/v2/cmd/operator",
            "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
        },
        {"github.com/kedacore/keda/v2/version.Version": KEDA},
    ),
    ModuleSet(
        "prometheus",
        "github.com/prometheus/prometheus",
        {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
        {"github.com/prometheus/common/version.Version": PROMETHEUS},
        ("remove_all_sd", "enable_kubernetes_sd"),
    ),
    # Its manifests alone: definitions of monitors and rules.
    ModuleSet("prometheus-operator", "github.com/prometheus-operator/prometheus-operator", {}),
)
PROGRAMS = {program: module_set for module_set in SETS for program in module_set.programs}


def set_named(name: str) -> ModuleSet:
    """The set that is called so, or that builds the program called so.

    Raises:
        KeyError: nothing is called so; the message lists what is.
    """
    for module_set in SETS:
        if name == module_set.name or name in module_set.programs:
            return module_set
    raise KeyError(f"no program or module set {name!r}; there are {', '.join(PROGRAMS)}")
