"""Serving: what callers get, where their time goes, and which model answers."""

from pipelines.dashboards.records import Board, Panel, Query, Row

_OWN = 'namespace="$namespace",job="clsp-endpoints"'
_FAULT = 'outcome=~"error|internal"'
_CANARY = 'pod=~".*-canary-predictor-.*"'
_STABLE = 'pod!~".*-canary-predictor-.*"'


def _quantiles(metric: str, by: str) -> tuple[Query, ...]:
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by (le, owner, {by}) (rate({metric}_bucket{{{_OWN}}}[5m])))",
            f"p{round(100 * share)} {{{{owner}}}} {{{{{by}}}}}",
        )
        for share in (0.5, 0.95, 0.99)
    )


def _failing(pods: str) -> str:
    failed = f"sum by (owner, tower) (rate(clsp_serving_requests_total{{{_OWN},{pods},{_FAULT}}}[10m]))"
    return f"{failed} / sum by (owner, tower) (rate(clsp_serving_requests_total{{{_OWN},{pods}}}[10m]))"


_CALLERS = Row(
    "What do callers get?",
    (
        Panel(
            "Requests a second",
            "By endpoint and route",
            (
                Query(
                    f"sum by (owner, tower, route) (rate(clsp_serving_requests_total{{{_OWN}}}[5m]))",
                    "{{owner}} {{tower}} {{route}}",
                ),
            ),
        ),
        Panel(
            "Requests that were not answered",
            "By outcome: overloaded is load, bad_… is the caller, error and internal are ours",
            (
                Query(
                    f'sum by (owner, tower, outcome) (rate(clsp_serving_requests_total{{{_OWN},outcome!="ok"}}[5m]))',
                    "{{owner}} {{tower}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            "Failures: stable and canary",
            "Share that failed by the server's fault",
            (
                Query(_failing(_STABLE), "stable {{owner}} {{tower}}"),
                Query(_failing(_CANARY), "canary {{owner}} {{tower}}"),
            ),
            "percentunit",
        ),
        Panel(
            "Seconds of audio a second",
            "How much speech is embedded; over 1 is faster than real time",
            (
                Query(
                    f"sum by (owner, tower) (rate(clsp_serving_audio_seconds_total{{{_OWN}}}[5m]))",
                    "{{owner}} {{tower}}",
                ),
            ),
        ),
        Panel(
            "Items a second",
            "Clips and texts",
            (
                Query(
                    f"sum by (owner, tower, kind) (rate(clsp_serving_items_total{{{_OWN}}}[5m]))",
                    "{{owner}} {{tower}} {{kind}}",
                ),
            ),
        ),
        Panel(
            "Refused items",
            "429 before the device, by reason",
            (
                Query(
                    f"sum by (owner, tower, reason) (rate(clsp_serving_rejected_items_total{{{_OWN}}}[5m]))",
                    "{{owner}} {{tower}} {{reason}}",
                ),
            ),
        ),
    ),
)
_TIME = Row(
    "Where does the time go?",
    (
        Panel(
            "Queue",
            "Seconds of audio before each replica",
            (Query(f"clsp_serving_queued_audio_seconds{{{_OWN}}}", "{{pod}}"),),
            "s",
        ),
        Panel("Decoding", "One sound", _quantiles("clsp_serving_decode_seconds", "tower"), "s"),
        Panel("Forward", "One batch on the device", _quantiles("clsp_serving_forward_seconds", "kind"), "s"),
        Panel(
            "Batch fill",
            "Useful share of a padded batch",
            (
                Query(
                    f"sum by (kind) (rate(clsp_serving_batch_fill_ratio_sum{{{_OWN}}}[5m]))"
                    f" / sum by (kind) (rate(clsp_serving_batch_fill_ratio_count{{{_OWN}}}[5m]))",
                    "{{kind}}",
                ),
            ),
            "percentunit",
            maximum=1,
        ),
        Panel(
            "CPU",
            "Cores that each replica uses",
            (
                Query(
                    "sum by (pod) (rate(container_cpu_usage_seconds_total"
                    '{namespace="$namespace",pod=~".*-predictor-.*",container!=""}[5m]))',
                    "{{pod}}",
                ),
            ),
        ),
        Panel(
            "Memory",
            "Working set of each replica",
            (
                Query(
                    "sum by (pod) (container_memory_working_set_bytes"
                    '{namespace="$namespace",pod=~".*-predictor-.*",container!=""})',
                    "{{pod}}",
                ),
            ),
            "bytes",
        ),
    ),
)
_REPLICAS = Row(
    "Who answers?",
    (
        Panel(
            "Replicas wanted and available",
            "A gap that stays is a pod that cannot start",
            (
                Query(
                    "sum by (deployment) (kube_deployment_spec_replicas"
                    '{namespace="$namespace",deployment=~".*-predictor"})',
                    "{{deployment}} wanted",
                ),
                Query(
                    "sum by (deployment) (kube_deployment_status_replicas_available"
                    '{namespace="$namespace",deployment=~".*-predictor"})',
                    "{{deployment}} available",
                ),
            ),
            width=12,
        ),
        Panel(
            "Models in use",
            "Two hashes outside a canary mean that vectors of the endpoints cannot be compared",
            (Query(f"count by (owner, tower, name, version, sha256) (clsp_serving_model_info{{{_OWN}}})"),),
            look="table",
            width=12,
        ),
    ),
)
BOARD = Board("serving", "CLSP / Serving", "The two embedding endpoints", (_CALLERS, _TIME, _REPLICAS))
