"""Settings of work that runs as Jobs and training jobs on a cluster: pools of nodes, sizes of pods, names of secrets.

They say where and how patiently work runs, never what comes out of it: none of them enters a recipe, so a step gives
the same manifest here and on a cluster.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from clsp.config.base import Section

A100_PRODUCTS = (
    "NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-80GB", "NVIDIA-A100-PCIE-40GB",
    "NVIDIA-A100-80GB-PCIe",
)  # fmt: skip
# vllm serve as the published annotation ran it (reference 1.10); the verifier thinks, and needs room for it.
_ENGINE = ("--max-num-seqs=64", "--max-num-batched-tokens=32768", "--gpu-memory-utilization=0.97", "--seed=1234")
CAPTIONER_ARGUMENTS = ("--max-model-len=2048", *_ENGINE)
# The parser keeps the thinking apart; without one, guided JSON would forbid the verifier to think at all.
VERIFIER_ARGUMENTS = ("--max-model-len=16384", "--reasoning-parser=deepseek_r1", *_ENGINE)


class Toleration(Section):
    """A taint that pods accept, in the words of Kubernetes."""

    key: str = Field("", description="Key of the taint; empty with Exists accepts every taint")
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = Field("", description="Value of the taint, with Equal")
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class Pool(Section):
    """Nodes of one kind, and the queue and priority of what runs on them."""

    node_labels: dict[str, tuple[str, ...]] = Field(
        {}, description="Node labels, all required, each with the values that are accepted (node affinity, In)"
    )
    tolerations: tuple[Toleration, ...] = ()
    gpu_resource: str = Field("", description="Extended resource of one GPU; empty for nodes without any")
    queue: str = Field("", description="Kueue LocalQueue of pods here; empty leaves them unqueued")
    priority_class: str = Field("", description="PriorityClass of pods here; empty takes the cluster's default")


class PodSize(Section):
    """What one pod asks for and may take, as Kubernetes quantities."""

    gpus: int = Field(0, ge=0, description="GPUs of one pod")
    cpu: str = Field("500m", description="CPU that is set aside")
    cpu_limit: str = Field("4", description="CPU that is not exceeded")
    memory: str = Field("1Gi", description="Memory that is set aside")
    memory_limit: str = Field("8Gi", description="Memory beyond which the pod is killed")
    shm: str = Field("1Gi", description="Size of /dev/shm, which counts as memory")


class WorkSettings(Section):
    """One kind of work on the cluster: its pool, its pods and how long it may take."""

    pool: str = Field("a100", description="Which pool; a key of cluster.pools")
    size: PodSize = PodSize()
    timeout_seconds: int = Field(86_400, ge=1, description="The work fails after this long, waits in a queue left out")
    pending_seconds: int = Field(3600, ge=1, description="No pod running after this long is a failure with its reason")
    retries: int = Field(6, ge=0, description="Pods that may fail by their own fault before the work does")


class AnnotationWork(WorkSettings):
    """Captioning or verification: an Indexed Job whose pods hold a vLLM server (0 GPUs: none) beside our client."""

    workers: int = Field(4, ge=1, description="Pods that take units of work at once")
    engine: PodSize = PodSize(gpus=1, cpu="4", cpu_limit="16", memory="32Gi", memory_limit="120Gi", shm="16Gi")
    engine_arguments: tuple[str, ...] = Field((), description="Further arguments of vllm serve")
    engine_command: tuple[str, ...] = Field(
        (), description="Another engine instead of vllm serve: whole command; it listens on 8000 and answers /health"
    )
    engine_start_seconds: int = Field(1800, ge=1, description="The model must answer within this time")


class TrainingWork(WorkSettings):
    """Training: torchrun over MIN to MAX nodes behind a PyTorchJob or a TrainJob."""

    size: PodSize = PodSize(gpus=8, cpu="16", cpu_limit="64", memory="128Gi", memory_limit="480Gi", shm="32Gi")
    backend: Literal["pytorchjob", "trainjob"] = Field("pytorchjob", description="Which operator's object is applied")
    min_nodes: int = Field(1, ge=1, description="Training goes on while this many workers are there")
    max_nodes: int = Field(1, ge=1, description="Workers that are asked for")
    rendezvous: PodSize = PodSize(cpu="100m", cpu_limit="1", memory="256Mi", memory_limit="1Gi", shm="64Mi")
    late_seconds: int = Field(30, ge=1, description="How long min_nodes workers wait for more before they start")
    join_seconds: int = Field(600, ge=1, description="A pod waits this long for the rendezvous and for the others")
    environment: dict[str, str] = Field(
        {
            "GLOO_SOCKET_IFNAME": "eth0", "NCCL_SOCKET_IFNAME": "eth0", "NCCL_DEBUG": "WARN",
            "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
        },
        description="Environment of the workers: which network they talk over and how they fail",
    )  # fmt: skip

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes {self.min_nodes} is more than max_nodes {self.max_nodes}")
        return self


class ReleaseWork(Section):
    """How a new version is watched as a canary before it takes all calls, and what sends it back."""

    percent: int = Field(10, ge=1, le=100, description="Share of the calls that the canary serves")
    watch_seconds: float = Field(600.0, gt=0, description="How long the canary is watched before it is promoted")
    tick_seconds: float = Field(5.0, gt=0, description="How often canary and stable version are asked")
    least_calls: int = Field(10, ge=1, description="Calls before errors and latency count")
    most_errors: float = Field(0.01, ge=0, le=1, description="Share of failing calls beyond that of the stable version")
    latency_ratio: float = Field(2.0, ge=1, description="A call may take this many times that of the stable version")
    least_latency_seconds: float = Field(0.05, ge=0, description="Latencies below count as this much")
    most_drift: float = Field(1e-3, gt=0, description="Largest difference of a coordinate from the model's own vector")


class ServingWork(WorkSettings):
    """Both endpoints of a version; the work ends when they answer, and is rolled back when they do not in time."""

    pool: str = Field("cpu", description="Which pool; a key of cluster.pools")
    timeout_seconds: int = Field(1800, ge=1, description="Both endpoints must answer within this time")
    replicas: int = Field(1, ge=1, description="Fewest replicas of an endpoint")
    max_replicas: int = Field(1, ge=1, description="Most replicas of an endpoint; more than the fewest makes an HPA")
    answer_seconds: float = Field(60.0, gt=0, description="An endpoint that is ready must answer within this time")
    start_seconds: int = Field(600, ge=1, description="A replica must have loaded its model within this time")
    drain_seconds: int = Field(5, ge=0, description="A replica that ends still takes requests, until balancers know")
    release: ReleaseWork = ReleaseWork()


class ClusterImages(Section):
    """Images of the pods that steps start; empty takes the image of the same release."""

    step: str = Field("", description="Clients beside an engine")
    trainer: str = Field("", description="Training workers and their rendezvous")
    embedder: str = Field("", description="Embedding servers")
    engine: str = Field("vllm/vllm-openai:v0.28.0", description="The upstream vLLM server")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: tuple[str, ...] = Field((), description="Secrets of type kubernetes.io/dockerconfigjson")


class Mount(Section):
    """A volume in all pods that steps start: weights of an engine that need not be fetched again, shared caches."""

    path: str = Field(description="Where it is in the containers")
    claim: str = Field("", description="PersistentVolumeClaim that it is of")
    host_path: str = Field("", description="Folder of the node that it is, where pod security allows it")
    read_only: bool = True

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.claim) == bool(self.host_path):
            raise ValueError(f"the mount at {self.path} needs one of claim and host_path")
        return self


class ClusterSettings(Section):
    """Whether and where annotate, verify, the train stages and serve start work on a cluster."""

    enabled: bool = Field(False, description="Run GPU work as Jobs of this cluster; false runs it in the step itself")
    namespace: str = Field("", description="Namespace of what steps start; empty takes that of the step's own pod")
    release: str = Field("clsp", description="Name of the Helm release; part of object names and labels")
    owner: str = Field(
        "", description="ConfigMap of the release; removed with it is whatever steps start. Empty: nothing"
    )
    service_account: str = Field("", description="Service account of the pods that steps start; empty mounts none")
    store_secret: str = Field("clsp-store", description="Secret with AWS_* of the object store")
    captioner_secret: str = Field("clsp-captioner", description="Secret with CLSP_*_API_KEY, if endpoints want one")
    api_keys_secret: str = Field(
        "",
        description="Secret with the file keys of allowed API keys, and a key of the steps' own as probe; empty: none",
    )
    pools: dict[str, Pool] = Field(
        {
            "a100": Pool(
                node_labels={"nvidia.com/gpu.product": A100_PRODUCTS},
                tolerations=(Toleration(key="nvidia.com/gpu", effect="NoSchedule"),),
                gpu_resource="nvidia.com/gpu",
            ),
            "cpu": Pool(),
        },
        description="Where pods run, by a name of your own",
    )
    images: ClusterImages = ClusterImages()
    environment: dict[str, str] = Field(
        {}, description="Variables of steps on KFP and of all they start: where the store is, proxies"
    )
    mounts: tuple[Mount, ...] = ()
    annotate: AnnotationWork = AnnotationWork(engine_arguments=CAPTIONER_ARGUMENTS)
    verify: AnnotationWork = AnnotationWork(engine_arguments=VERIFIER_ARGUMENTS)
    train: TrainingWork = TrainingWork()
    serve: ServingWork = ServingWork()

    @model_validator(mode="after")
    def _pools_exist(self) -> Self:
        for name in ("annotate", "verify", "train", "serve"):
            pool = getattr(self, name).pool
            if pool not in self.pools:
                raise ValueError(f"{name}.pool {pool!r} is unknown; cluster.pools has {', '.join(sorted(self.pools))}")
        return self
