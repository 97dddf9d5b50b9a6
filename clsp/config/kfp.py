"""Settings of Kubeflow Pipelines: where runs are submitted, as whom, and how patiently its API is asked."""

from pydantic import Field

from clsp.config.base import Section


class KfpSettings(Section):
    """The KFP API. Its token comes from the environment (CLSP_KFP_TOKEN) or from the pod's service account."""

    url: str = Field("", description="URL of the KFP API; empty runs flows on this machine")
    ui_url: str = Field("", description="URL that links to runs start with; empty takes url")
    namespace: str = Field("", description="Namespace of runs in a KFP with several users; empty otherwise")
    experiment: str = Field("clsp", description="Experiment that groups the runs")
    service_account: str = Field("", description="Service account of the steps' pods; empty takes that of KFP")
    steps_namespace: str = Field(
        "", description="Namespace where a KFP for a single user runs steps, its own; empty with several users"
    )
    ca_file: str = Field("", description="PEM file of the authority that signed the API's certificate")
    timeout_seconds: int = Field(30, ge=1, description="Deadline of one request")
    attempts: int = Field(5, ge=1, description="Tries of a request that met an overloaded or unreachable API")
    backoff_seconds: float = Field(1.0, ge=0, description="First wait between tries; doubles")
    poll_seconds: float = Field(5.0, gt=0, description="Time between looks at a run that is followed")
    page_size: int = Field(100, ge=1, le=200, description="Entries asked for at once")
