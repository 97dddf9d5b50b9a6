"""Fleet and cost: which GPUs work, which wait, which are ill, and what the flow has used."""

from pipelines.dashboards.records import Board, Panel, Query, Row

_REQUESTS = 'kube_pod_container_resource_requests{resource="nvidia_com_gpu"'
_WORK = {"annotate": ".*annotate.*", "verify": ".*verify.*", "train": ".*train.*", "serve": ".*-predictor-.*"}


def _gpu_hours(pods: str) -> str:
    """GPU hours that matching pods held in the last day, sampled every five minutes."""
    return f'sum_over_time(sum({_REQUESTS},namespace="$namespace",pod=~"{pods}"}})[1d:5m]) / 12'


_GPUS = Row(
    "Which GPUs work?",
    (
        Panel(
            "GPUs of the cluster",
            "Present, asked for by pods, and by pods of this namespace",
            (
                Query('sum(kube_node_status_allocatable{resource="nvidia_com_gpu"})', "present"),
                Query(f"sum({_REQUESTS}}})", "asked for"),
                Query(f'sum({_REQUESTS},namespace="$namespace"}})', "asked for here"),
            ),
        ),
        Panel(
            "Idle GPUs that are held",
            "GPUs of this namespace whose utilisation was under 5 % for half an hour",
            (
                Query(
                    'count by (pod) (avg_over_time(DCGM_FI_DEV_GPU_UTIL{namespace="$namespace",pod!=""}[30m]) < 5)',
                    "{{pod}}",
                ),
            ),
        ),
        Panel(
            "Tensor cores",
            "Mean share of time in which they work",
            (Query('avg by (pod) (DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{namespace="$namespace"})', "{{pod}}"),),
            "percentunit",
        ),
        Panel(
            "Power",
            "Of all GPUs, by node",
            (Query("sum by (Hostname) (DCGM_FI_DEV_POWER_USAGE)", "{{Hostname}}"),),
            "watt",
            stacked=True,
        ),
        Panel(
            "Temperature",
            "Hottest GPU of each node",
            (Query("max by (Hostname) (DCGM_FI_DEV_GPU_TEMP)", "{{Hostname}}"),),
            "celsius",
        ),
        Panel(
            "Errors",
            "Last Xid, and rows of memory that were remapped or could not be",
            (
                Query("max by (Hostname, gpu) (DCGM_FI_DEV_XID_ERRORS) > 0", "Xid {{Hostname}} {{gpu}}"),
                Query(
                    "max by (Hostname, gpu) (DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS) > 0",
                    "remapped {{Hostname}} {{gpu}}",
                ),
                Query("max by (Hostname, gpu) (DCGM_FI_DEV_ROW_REMAP_FAILURE) > 0", "failed {{Hostname}} {{gpu}}"),
            ),
        ),
    ),
)
_WAITING = Row(
    "What waits?",
    (
        Panel(
            "Pending pods",
            "Of this namespace",
            (
                Query(
                    'sum by (pod) (kube_pod_status_phase{namespace="$namespace",phase="Pending"}) > 0',
                    "{{pod}}",
                ),
            ),
            look="table",
        ),
        Panel(
            "Workloads in Kueue",
            "Waiting and admitted, by queue",
            (
                Query('sum by (cluster_queue) (kueue_pending_workloads{status="active"})', "waiting {{cluster_queue}}"),
                Query("sum by (cluster_queue) (kueue_reserving_active_workloads)", "holding {{cluster_queue}}"),
            ),
        ),
        Panel(
            "Wait for admission",
            "95 % of workloads waited at most so long",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, cluster_queue)"
                    " (rate(kueue_admission_wait_time_seconds_bucket[1h])))",
                    "{{cluster_queue}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Evictions",
            "Workloads that lost their place, by reason",
            (
                Query(
                    "sum by (cluster_queue, reason) (increase(kueue_evicted_workloads_total[1h]))",
                    "{{cluster_queue}} {{reason}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "Object store",
            "Used share of a MinIO, and requests that it failed",
            (
                Query(
                    "1 - sum(minio_cluster_capacity_usable_free_bytes)"
                    " / sum(minio_cluster_capacity_usable_total_bytes)",
                    "full",
                ),
                Query(
                    "sum(rate(minio_s3_requests_5xx_errors_total[10m])) / sum(rate(minio_s3_requests_total[10m]))",
                    "failed",
                ),
            ),
            "percentunit",
            width=12,
        ),
    ),
)
_COST = Row(
    "What did it use?",
    (
        Panel(
            "GPU hours of the last day",
            "By kind of work",
            tuple(Query(_gpu_hours(pods), work) for work, pods in _WORK.items()),
            "h",
            "bargauge",
        ),
        Panel(
            "Cost of the last day",
            "GPU hours times the price of an hour of their pool (pools.NAME.gpuHourPrice), in your currency",
            tuple(
                Query(f'{_gpu_hours(pods)} * scalar(clsp:gpu_hour_price{{namespace="$namespace",work="{work}"}})', work)
                for work, pods in _WORK.items()
            ),
            look="bargauge",
        ),
        Panel(
            "GPU seconds of a thousand captions",
            "GPUs that annotation holds, over the captions it accepts",
            (
                Query(
                    f'1000 * sum({_REQUESTS},namespace="$namespace",pod=~"{_WORK["annotate"]}"}})'
                    ' / sum(rate(clsp_step_rows_total{namespace="$namespace",step="annotate",outcome="accepted"}[1h]))',
                    "GPU seconds",
                ),
            ),
            "s",
        ),
    ),
)
BOARD = Board("fleet", "CLSP / Fleet and cost", "GPUs, queues, the store and what was used", (_GPUS, _WAITING, _COST))
