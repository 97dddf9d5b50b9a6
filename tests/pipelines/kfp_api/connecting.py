"""Settings that make a test of the KFP API quick, and the arguments of a run of a flow."""

from clsp.config import ClusterSettings, KfpSettings, load_config
from pipelines.remote.package import package_flow
from pipelines.runs import remote_arguments

VALUES = {"source": "s3://speech/raw", "metadata": ""}
DATA = package_flow("data", ClusterSettings())
SUCCESS = [("ingest", "RUNNING", ""), ("ingest", "SUCCEEDED", ""), ("run", "SUCCEEDED", "")]


def patient(url: str, **changes) -> KfpSettings:
    values = {"attempts": 3, "backoff_seconds": 0.0, "poll_seconds": 0.01, "timeout_seconds": 5, "page_size": 2}
    return KfpSettings(url=url, **(values | changes))


def data_arguments(run_id: str) -> dict[str, str]:
    return remote_arguments("data", "s3://speech/team-a", run_id, load_config("demo"), VALUES)
