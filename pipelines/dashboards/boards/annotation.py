"""Annotation: how far captions and verdicts are, what they cost, and whether the engines are busy."""

from pipelines.dashboards.records import Board, Panel, Query, Row

_STEPS = 'namespace="$namespace",step=~"annotate|verify"'
_VERIFY = 'namespace="$namespace",step="verify"'
_ENGINE = 'namespace="$namespace"'
_GPUS = (
    'sum(kube_pod_container_resource_requests{namespace="$namespace",resource="nvidia_com_gpu",'
    'pod=~".*(annotate|verify).*"})'
)

_PROGRESS = Row(
    "How far are we?",
    (
        Panel(
            "Done",
            "Units of work that are done, of all that the step has",
            (
                Query(
                    f"max by (step) (clsp_step_done_units{{{_STEPS}}}) / max by (step) (clsp_step_units{{{_STEPS}}})",
                    "{{step}}",
                ),
            ),
            "percentunit",
            "bargauge",
            maximum=1,
        ),
        Panel(
            "Time left",
            "At the rate since the step started",
            (Query(f"max by (step) (clsp_step_left_seconds{{{_STEPS}}})", "{{step}}"),),
            "s",
            "stat",
        ),
        Panel(
            "Rows a second",
            "Captions and verdicts by what became of them",
            (Query(f"sum by (step, outcome) (rate(clsp_step_rows_total{{{_STEPS}}}[5m]))", "{{step}} {{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "Rejected, by checklist item and filter",
            "Share of verdicts in the last hour",
            (
                Query(
                    f'sum by (reason) (increase(clsp_step_rows_total{{{_VERIFY},outcome="rejected"}}[1h]))'
                    f" / scalar(sum(increase(clsp_step_rows_total{{{_VERIFY}}}[1h])))",
                    "{{reason}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Failed, by reason",
            "Rows that no attempt could caption or judge",
            (
                Query(
                    f'sum by (step, reason) (increase(clsp_step_rows_total{{{_STEPS},outcome="failed"}}[1h]))',
                    "{{step}} {{reason}}",
                ),
            ),
        ),
        Panel(
            "Worker pods",
            "Pods of the worker group by phase",
            (
                Query(
                    'sum by (phase) (kube_pod_status_phase{namespace="$namespace",pod=~".*(annotate|verify).*"})',
                    "{{phase}}",
                ),
            ),
            stacked=True,
        ),
    ),
)
_ENGINES = Row(
    "Are the engines busy?",
    (
        Panel(
            "Requests in the engines",
            "Running ones share the GPU; waiting ones keep it full",
            (
                Query(f"sum(vllm:num_requests_running{{{_ENGINE}}})", "running"),
                Query(f"sum(vllm:num_requests_waiting{{{_ENGINE}}})", "waiting"),
            ),
        ),
        Panel(
            "Tokens a second",
            "Written, and read in prompts and sound",
            (
                Query(f"sum(rate(vllm:generation_tokens_total{{{_ENGINE}}}[5m]))", "written"),
                Query(f"sum(rate(vllm:prompt_tokens_total{{{_ENGINE}}}[5m]))", "read"),
            ),
        ),
        Panel(
            "Cache of keys and values",
            "Near 1 the engine preempts requests and throughput falls",
            (Query(f"vllm:kv_cache_usage_perc{{{_ENGINE}}}", "{{pod}}"),),
            "percentunit",
            maximum=1,
        ),
        Panel(
            "Prefix cache hits",
            "Views of one clip share its sound: this share of prompt tokens was not computed again",
            (
                Query(
                    f"sum(rate(vllm:prefix_cache_hits_total{{{_ENGINE}}}[5m]))"
                    f" / sum(rate(vllm:prefix_cache_queries_total{{{_ENGINE}}}[5m]))",
                    "hits",
                ),
            ),
            "percentunit",
            maximum=1,
        ),
        Panel(
            "Preemptions",
            "Requests that the engine threw out to make room",
            (Query(f"sum by (pod) (rate(vllm:num_preemptions_total{{{_ENGINE}}}[5m]))", "{{pod}}"),),
        ),
        Panel(
            "Rows a second of one GPU",
            "Accepted captions over the GPUs that annotation holds",
            (
                Query(
                    'sum(rate(clsp_step_rows_total{namespace="$namespace",step="annotate",outcome="accepted"}[15m]))'
                    f" / {_GPUS}",
                    "captions",
                ),
            ),
        ),
    ),
)
BOARD = Board(
    "annotation", "CLSP / Annotation", "Captions and verdicts: progress, engines, losses", (_PROGRESS, _ENGINES)
)
