"""Metrics of the embedding server, under the platform's naming scheme (``clsp_…``, base units)."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("clsp_serving_requests_total", "Requests by route and outcome", ("route", "outcome"))
ITEMS = Counter("clsp_serving_items_total", "Embedded inputs", ("kind",))
AUDIO_SECONDS = Counter("clsp_serving_audio_seconds_total", "Seconds of sound embedded")
REJECTED = Counter("clsp_serving_rejected_items_total", "Inputs refused before the device", ("reason",))
QUEUED_SECONDS = Gauge("clsp_serving_queued_audio_seconds", "Seconds of sound waiting for the device")
PREDICTED_WAIT = Gauge("clsp_serving_predicted_wait_seconds", "Time until what waits now is done, at today's rate")
DECODE_SECONDS = Histogram("clsp_serving_decode_seconds", "Decoding and resampling one sound")
FORWARD_SECONDS = Histogram("clsp_serving_forward_seconds", "One batch on the device", ("kind",))
BATCH_FILL = Histogram(
    "clsp_serving_batch_fill_ratio",
    "Useful share of a padded batch",
    ("kind",),
    buckets=(0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
)
MEAN_NORM = Gauge(
    "clsp_serving_embedding_mean_norm", "Length of the mean of the latest vectors: 1 when all are alike", ("kind",)
)
MODEL = Gauge("clsp_serving_model_info", "The served model; always 1", ("name", "version", "sha256"))
SWAPS = Counter("clsp_serving_model_swaps_total", "New versions that took over, or could not", ("outcome",))
WARM_UP_SECONDS = Gauge("clsp_serving_warm_up_seconds", "First run of the towers of the newest version")
