"""Quality: what the flow keeps, what it drops and why, and whether a gate stopped it."""

from pipelines.dashboards.records import Board, Panel, Query, Row

_ALL = 'namespace="$namespace"'
_VERIFY = f'{_ALL},step="verify"'

_ROWS = Row(
    "What became of the rows?",
    (
        Panel(
            "Rows by outcome",
            "Rows in are accepted, rejected and failed together; nothing vanishes",
            (Query(f"sum by (step, outcome) (increase(clsp_step_rows_total{{{_ALL}}}[1h]))", "{{step}} {{outcome}}"),),
            width=12,
            stacked=True,
        ),
        Panel(
            "Accepted share",
            "Of the rows of the last hour, by step",
            (
                Query(
                    f'sum by (step) (increase(clsp_step_rows_total{{{_ALL},outcome="accepted"}}[1h]))'
                    f" / sum by (step) (increase(clsp_step_rows_total{{{_ALL}}}[1h]))",
                    "{{step}}",
                ),
            ),
            "percentunit",
            width=12,
            maximum=1,
        ),
    ),
)
_REJECTIONS = Row(
    "Why are captions rejected?",
    (
        Panel(
            "Rejected by checklist item and filter",
            "A jump of one item points at the prompt, the captioner or the data that came in",
            (
                Query(
                    f'sum by (reason) (increase(clsp_step_rows_total{{{_VERIFY},outcome="rejected"}}[1h]))',
                    "{{reason}}",
                ),
            ),
            width=12,
            stacked=True,
        ),
        Panel(
            "Against the week before",
            "Share rejected in six hours, over the same share in seven days: 2 is twice as many",
            (
                Query(
                    f'sum(increase(clsp_step_rows_total{{{_VERIFY},outcome="rejected"}}[6h]))'
                    f" / sum(increase(clsp_step_rows_total{{{_VERIFY}}}[6h]))"
                    f' / (sum(increase(clsp_step_rows_total{{{_VERIFY},outcome="rejected"}}[7d]))'
                    f" / sum(increase(clsp_step_rows_total{{{_VERIFY}}}[7d])))",
                    "rejected",
                ),
            ),
            width=12,
        ),
    ),
)
_STOPS = Row(
    "Did anything stop?",
    (
        Panel(
            "Failed jobs",
            "Jobs of the flow that ended without their result; the log names rule, count and example rows",
            (
                Query(
                    'kube_job_failed{namespace="$namespace",condition="true",job_name=~".*clsp.*"} == 1',
                    "{{job_name}}",
                ),
            ),
            look="table",
            width=12,
        ),
        Panel(
            "Failed rows by reason",
            "A reason that grows is a fault of an endpoint or a codec, not of the data",
            (
                Query(
                    f'sum by (step, reason) (increase(clsp_step_rows_total{{{_ALL},outcome="failed"}}[1h]))',
                    "{{step}} {{reason}}",
                ),
            ),
            width=12,
        ),
    ),
)
BOARD = Board("quality", "CLSP / Quality", "What is kept, what is dropped and why", (_ROWS, _REJECTIONS, _STOPS))
