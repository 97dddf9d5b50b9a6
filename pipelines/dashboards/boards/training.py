"""Training: is it learning, is it fast, is it whole."""

from pipelines.dashboards.records import Board, Panel, Query, Row

_TRAIN = 'namespace="$namespace",step=~"train_.*"'
_PODS = 'namespace="$namespace",pod=~".*train.*"'


def _fact(name: str, title: str, description: str, unit: str = "short") -> Panel:
    query = Query(f'max by (step, fact) (clsp_step_fact{{{_TRAIN},fact=~"{name}"}})', "{{step}} {{fact}}")
    return Panel(title, description, (query,), unit)


_LEARNING = Row(
    "Is it learning?",
    (
        _fact(
            "loss_.*", "Loss by task", "Falls from ln(batch); flat from the start means the data or the rate is wrong"
        ),
        _fact("temperature", "Temperature", "1 / exp(logit scale); it falls as the model becomes sure"),
        _fact("p_t", "Task probability", "Share of steps of stage 2 that see global and fine captions together"),
        _fact("grad_norm", "Gradient norm", "Before clipping; spikes that skip steps show in the next panel"),
        _fact("skipped", "Skipped steps", "Steps whose loss or gradient was not finite; too many end the run"),
        _fact("padding", "Padding", "Share of each batch that is padding", "percentunit"),
    ),
)
_SPEED = Row(
    "Is it fast?",
    (
        _fact("clips_per_s", "Clips a second", "Of the whole run"),
        Panel(
            "Steps done",
            "Of those that the stage has",
            (
                Query(
                    f"max by (step) (clsp_step_done_units{{{_TRAIN}}}) / max by (step) (clsp_step_units{{{_TRAIN}}})",
                    "{{step}}",
                ),
            ),
            "percentunit",
            maximum=1,
        ),
        Panel(
            "Time left",
            "At the rate since the stage started or was resumed",
            (Query(f"max by (step) (clsp_step_left_seconds{{{_TRAIN}}})", "{{step}}"),),
            "s",
            "stat",
        ),
        Panel(
            "Tensor cores",
            "Share of time in which they work, by GPU; low with a high utilisation means small kernels",
            (Query(f"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{{{_PODS}}}", "{{pod}} gpu {{gpu}}"),),
            "percentunit",
        ),
        Panel(
            "GPU utilisation",
            "Low means that the loader or the store cannot keep up",
            (Query(f"DCGM_FI_DEV_GPU_UTIL{{{_PODS}}}", "{{pod}} gpu {{gpu}}"),),
            "percent",
        ),
        Panel(
            "GPU memory",
            "Used, by GPU",
            (Query(f"DCGM_FI_DEV_FB_USED{{{_PODS}}} * 1048576", "{{pod}} gpu {{gpu}}"),),
            "bytes",
        ),
    ),
)
_WHOLE = Row(
    "Is it whole?",
    (
        Panel(
            "Workers",
            "Running pods of the training job: the world size over time",
            (Query(f'sum(kube_pod_status_phase{{{_PODS},phase="Running"}})', "running"),),
        ),
        Panel(
            "Restarts",
            "Containers that were started again in the hour before",
            (Query(f"increase(kube_pod_container_status_restarts_total{{{_PODS}}}[1h])", "{{pod}} {{container}}"),),
        ),
        Panel(
            "Memory of the pods",
            "Working set; the kernel kills a pod at its limit",
            (Query(f'sum by (pod) (container_memory_working_set_bytes{{{_PODS},container!=""}})', "{{pod}}"),),
            "bytes",
        ),
    ),
)
BOARD = Board(
    "training", "CLSP / Training", "Learning, speed and membership of training runs", (_LEARNING, _SPEED, _WHOLE)
)
