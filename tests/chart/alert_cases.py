"""For every alert: series that must make it fire, and series like them that must not."""

from dataclasses import dataclass

ENDPOINT = 'namespace="speech",job="clsp-endpoints",owner="clsp",tower="speech"'
TEXT = 'namespace="speech",job="clsp-endpoints",owner="clsp",tower="text"'
POD = 'namespace="speech",pod="clsp-annotate-1",container="engine"'
STABLE = f'{ENDPOINT},pod="clsp-speech-predictor-1"'
OF_RUNS = STABLE.replace("clsp-speech", "clsp-runs-speech").replace('owner="clsp"', 'owner="clsp-runs"')
CANARY = f'{ENDPOINT},pod="clsp-speech-canary-predictor-1"'
Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """Series by name as promtool writes them, sampled every minute; the alert is looked at after ``minutes``."""

    fires: Series
    quiet: Series
    minutes: int = 60


def _requests(outcome: str, pod: str = STABLE) -> str:
    return f'clsp_serving_requests_total{{{pod},route="embeddings",outcome="{outcome}"}}'


def _histogram(name: str, fast: int, slow: int) -> Series:
    """Observations a minute within half a second, and those between four and eight seconds."""
    return {
        f'{name}_bucket{{{ENDPOINT},le="0.5"}}': f"0+{fast}x60",
        f'{name}_bucket{{{ENDPOINT},le="4"}}': f"0+{fast}x60",
        f'{name}_bucket{{{ENDPOINT},le="8"}}': f"0+{fast + slow}x60",
        f'{name}_bucket{{{ENDPOINT},le="+Inf"}}': f"0+{fast + slow}x60",
    }


def _fill(share: int) -> Series:
    return {
        f'clsp_serving_batch_fill_ratio_sum{{{ENDPOINT},kind="audio"}}': f"0+{share}x180",
        f'clsp_serving_batch_fill_ratio_count{{{ENDPOINT},kind="audio"}}': "0+100x180",
    }


def _models(speech: str, text: str) -> Series:
    return {
        f'clsp_serving_model_info{{{STABLE},sha256="{speech}"}}': "1x60",
        f'clsp_serving_model_info{{{TEXT},pod="clsp-text-predictor-1",sha256="{text}"}}': "1x60",
        f'clsp_serving_model_info{{{CANARY},sha256="c"}}': "1x60",
        f'clsp_serving_model_info{{{OF_RUNS},sha256="d"}}': "1x60",
    }


def _canary(failed: int) -> Series:
    return {
        _requests("ok"): "0+1000x60",
        _requests("internal"): "0+1x60",
        _requests("ok", CANARY): f"0+{100 - failed}x60",
        _requests("internal", CANARY): f"0+{failed}x60",
    }


def _engine(tokens: str, running: int = 3) -> Series:
    return {f"vllm:num_requests_running{{{POD}}}": f"{running}x60", f"vllm:generation_tokens_total{{{POD}}}": tokens}


def _memory(usage: str, waiting: int) -> Series:
    return {f"vllm:kv_cache_usage_perc{{{POD}}}": usage, f"vllm:num_requests_waiting{{{POD}}}": f"{waiting}x60"}


def _killed(reason: str) -> Series:
    return {
        f'kube_pod_container_status_last_terminated_reason{{{POD},reason="{reason}"}}': "1x60",
        f"kube_pod_container_status_restarts_total{{{POD}}}": "0x50 1x10",
    }


def _queue(admitted: str) -> Series:
    return {
        'kueue_pending_workloads{cluster_queue="gpus",status="active"}': "4x180",
        'kueue_admitted_workloads_total{cluster_queue="gpus"}': admitted,
    }


def _mean(last_hour: float) -> Series:
    return {f'clsp_serving_embedding_mean_norm{{{STABLE},kind="audio"}}': f"0.3x1500 {last_hour}x100"}


def _worlds(*pods: tuple[str, str]) -> Series:
    """Processes of a stage by the pod that leads it, and how many it counted."""
    labels = 'step="train_stage1",fact="world"'
    return {f'clsp_step_fact{{namespace="speech",pod="{pod}",{labels}}}': counted for pod, counted in pods}


RUN, NEXT = "clsp-train-stage1-aaaaaaaaaaaa", "clsp-train-stage1-bbbbbbbbbbbb"
WORKER = f'namespace="speech",pod="{RUN}-worker-0"'
_CHECKPOINT = f'clsp_step_checkpoint_timestamp_seconds{{{WORKER},step="train_stage1"}}'
_SCHEDULE = (
    'clsp_schedule_newest_run_timestamp_seconds{namespace="speech",pod="clsp-schedules-watch-1",schedule="nightly"}'
)
_JOB = 'namespace="speech",job_name="clsp-annotate"'
CASES = {
    "ClspSpeechEndpointDown": Case(
        {f"up{{{STABLE}}}": "1x30 0x30", f"up{{{OF_RUNS}}}": "1x60"}, {f"up{{{STABLE}}}": "1x60"}
    ),
    "ClspTextEndpointDown": Case({}, {f'up{{{TEXT},pod="clsp-text-predictor-1"}}': "1x60"}),
    "ClspErrorBudgetBurnsFast": Case(
        {_requests("ok"): "0+98x60", _requests("internal"): "0+2x60", _requests("ok", OF_RUNS): "0+900x60"},
        {_requests("ok"): "0+99x60", _requests("internal"): "0+1x60"},
    ),
    "ClspErrorBudgetBurnsSlowly": Case(
        {_requests("ok"): "0+990x400", _requests("internal"): "0+10x400"},
        {_requests("ok"): "0+990x400", _requests("overloaded"): "0+10x400"},
        minutes=400,
    ),
    "ClspQueueLong": Case(
        {f"clsp_serving_queued_audio_seconds{{{STABLE}}}": "300x60"},
        {f"clsp_serving_queued_audio_seconds{{{STABLE}}}": "300x50 5x10"},
    ),
    "ClspItemsRefused": Case(
        {
            f'clsp_serving_items_total{{{ENDPOINT},kind="audio"}}': "0+100x60",
            f'clsp_serving_rejected_items_total{{{ENDPOINT},reason="overloaded"}}': "0+2x60",
        },
        {
            f'clsp_serving_items_total{{{ENDPOINT},kind="audio"}}': "0+1000x60",
            f'clsp_serving_rejected_items_total{{{ENDPOINT},reason="overloaded"}}': "0+2x60",
        },
    ),
    "ClspForwardSlow": Case(
        _histogram("clsp_serving_forward_seconds", 90, 10), _histogram("clsp_serving_forward_seconds", 99, 1)
    ),
    "ClspDecodeSlow": Case(
        _histogram("clsp_serving_decode_seconds", 90, 10), _histogram("clsp_serving_decode_seconds", 99, 1)
    ),
    "ClspBatchesPadded": Case(_fill(40), _fill(80), minutes=180),
    "ClspEmbeddingsDrift": Case(_mean(0.9), _mean(0.4), minutes=1600),
    "ClspCheckpointOld": Case({_CHECKPOINT: "60x180"}, {_CHECKPOINT: "0+60x180"}, minutes=180),
    "ClspTrainingShrunk": Case(
        _worlds((f"{RUN}-worker-0", "16x40 stale"), (f"{RUN}-worker-1", "_x40 8x20")),
        _worlds((f"{RUN}-worker-0", "16x40 stale"), (f"{NEXT}-node-0-0-x7k2p", "_x40 8x20")),
    ),
    "ClspScheduleMissed": Case({_SCHEDULE: "0x1600"}, {_SCHEDULE: "0x600 36000x1000"}, minutes=1600),
    "ClspVersionsDiffer": Case(_models("a", "b"), _models("a", "a")),
    "ClspCanaryFails": Case(_canary(5), _canary(0)),
    "ClspJobFailed": Case(
        {f'kube_job_failed{{{_JOB},condition="true"}}': "1x60"}, {f'kube_job_failed{{{_JOB},condition="true"}}': "0x60"}
    ),
    "ClspPodPending": Case(
        {'kube_pod_status_phase{namespace="speech",pod="clsp-train-0",phase="Pending"}': "1x60"},
        {'kube_pod_status_phase{namespace="speech",pod="clsp-train-0",phase="Pending"}': "1x15 0x45"},
    ),
    "ClspContainerRestarts": Case(
        {f"kube_pod_container_status_restarts_total{{{POD}}}": "0+1x60"},
        {f"kube_pod_container_status_restarts_total{{{POD}}}": "0x30 1x30"},
    ),
    "ClspOutOfMemory": Case(_killed("OOMKilled"), _killed("Error")),
    "ClspEngineStalled": Case(_engine("500x60"), _engine("0+500x60")),
    "ClspEngineSaturated": Case(_memory("0.99x60", 9), _memory("0.99x60", 0)),
    "ClspGpuXid": Case(
        {'DCGM_FI_DEV_XID_ERRORS{Hostname="a100-1",gpu="3"}': "0x40 79x20"},
        {'DCGM_FI_DEV_XID_ERRORS{Hostname="a100-1",gpu="3"}': "0x60"},
    ),
    "ClspGpuRowRemapFailed": Case(
        {'DCGM_FI_DEV_ROW_REMAP_FAILURE{Hostname="a100-1",gpu="3"}': "1x60"},
        {'DCGM_FI_DEV_ROW_REMAP_FAILURE{Hostname="a100-1",gpu="3"}': "0x60"},
    ),
    "ClspStoreNearlyFull": Case(
        {"minio_cluster_capacity_usable_free_bytes": "10x60", "minio_cluster_capacity_usable_total_bytes": "100x60"},
        {"minio_cluster_capacity_usable_free_bytes": "20x60", "minio_cluster_capacity_usable_total_bytes": "100x60"},
    ),
    "ClspStoreErrors": Case(
        {"minio_s3_requests_5xx_errors_total": "0+5x60", "minio_s3_requests_total": "0+100x60"},
        {"minio_s3_requests_5xx_errors_total": "0+5x60", "minio_s3_requests_total": "0+10000x60"},
    ),
    "ClspAdmissionSlow": Case(_queue("7x180"), _queue("0+1x180"), minutes=180),
}
