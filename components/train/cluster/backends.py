"""The seam between training and the operator that runs it: a PyTorchJob or a TrainJob, made by pure functions.

Adding an operator means one more ``Backend`` here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from components.kubernetes.objects import Kind, Object, condition, new_object
from components.train.cluster.submission import PORT, Submission, job_object, worker_template

PYTORCHJOB = Kind("kubeflow.org/v1", "PyTorchJob")
TRAINJOB = Kind("trainer.kubeflow.org/v1alpha1", "TrainJob")
RUNTIME = Kind("trainer.kubeflow.org/v1alpha1", "TrainingRuntime")
KEPT_SECONDS = 86_400  # a finished job stays to be looked at, unless its step removes it
_OUR_ERRORS = list(range(1, 128))


@dataclass(frozen=True)
class Backend:
    """An operator: its job, the objects that must be there before it, and its names for the worker and both ends."""

    kind: Kind
    container: str
    render: Callable[[Submission], Object]
    before: Callable[[Submission], tuple[Object, ...]]
    succeeded: str
    failed: str

    def has_succeeded(self, job: Object) -> bool:
        """Whether the job is done."""
        return condition(job, self.succeeded) is not None

    def failure(self, job: Object) -> str | None:
        """Why the job was given up, or None."""
        found = condition(job, self.failed)
        return found and str(found.get("message") or found.get("reason") or self.failed)


def pytorchjob(submission: Submission) -> Object:
    """A PyTorchJob of the training-operator (v1.9) with elasticPolicy; the rendezvous is a host of ours.

    ``ExitCode``: our errors end the job, signals and lost processes (128 and more) start the pod again.
    """
    work = submission.work
    spec: dict[str, Any] = {
        "elasticPolicy": {
            "rdzvBackend": "c10d",
            "rdzvHost": submission.rendezvous_host,
            "rdzvPort": PORT,
            "rdzvId": submission.attempt,
            "rdzvConf": [{"key": "is_host", "value": "0"}],
            "minReplicas": work.min_nodes,
            "maxReplicas": work.max_nodes,
            "maxRestarts": submission.training.restarts,
        },
        "nprocPerNode": str(submission.processes_per_node),
        "runPolicy": {
            "cleanPodPolicy": "Running",
            "backoffLimit": max(1, work.retries),
            "activeDeadlineSeconds": work.timeout_seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
        },
        "pytorchReplicaSpecs": {
            "Worker": {
                "replicas": work.max_nodes,
                "restartPolicy": "ExitCode",
                "template": worker_template(submission, "pytorch"),
            }
        },
    }
    return job_object(submission, PYTORCHJOB, spec)


def trainjob(submission: Submission) -> Object:
    """A TrainJob of Kubeflow Trainer (v2.3) that points to our own runtime."""
    work = submission.work
    spec = {
        "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": RUNTIME.name, "name": submission.name},
        "trainer": {"numNodes": work.max_nodes},
        "activeDeadlineSeconds": work.timeout_seconds,
    }
    return job_object(submission, TRAINJOB, spec)


def training_runtime(submission: Submission) -> Object:
    """The runtime of a TrainJob: no torch policy, which knows no elastic training, but our own command.

    A TrainJob ends when all pods have; one that comes late finds the model saved and ends at once.
    """
    job = {
        "backoffLimit": submission.work.retries,
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": "node", "operator": "In", "values": _OUR_ERRORS},
                },
            ]
        },
        "template": worker_template(submission, "node"),
    }
    template = {
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": job,
    }
    spec = {
        "mlPolicy": {"numNodes": submission.work.max_nodes},
        "template": {
            "spec": {
                "ttlSecondsAfterFinished": KEPT_SECONDS,
                "replicatedJobs": [{"name": "node", "template": template}],
            }
        },
    }
    return new_object(RUNTIME, submission.name, submission.labels, spec=spec)


BACKENDS = {
    "pytorchjob": Backend(PYTORCHJOB, "pytorch", pytorchjob, lambda _: (), "Succeeded", "Failed"),
    "trainjob": Backend(
        TRAINJOB, "node", trainjob, lambda submission: (training_runtime(submission),), "Complete", "Failed"
    ),
}
