"""The few errors that cross a boundary of the platform.

Each carries a hint: the sentence that tells its reader what to do next. Commands print both and exit with the
error's code; steps record the message as the reason of a failure.
"""

from collections.abc import Mapping

MEND = "clsp runs check RUN --mend has what is gone or altered made again"  # for objects that finished steps left


class ClspError(Exception):
    """Base of every error the platform raises on purpose; ``exit_code`` is what a command leaves with."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  hint: {self.hint}" if self.hint else message


class ConfigError(ClspError):
    """A setting is unknown, has the wrong type, or contradicts another."""

    exit_code = 2


class DataError(ClspError):
    """Input that a person gave (recordings, metadata, captions, a manifest) cannot be used."""

    exit_code = 3


class StorageError(ClspError):
    """The object store refused, lost or garbled an object."""

    exit_code = 4


class EndpointError(ClspError):
    """A model endpoint (captioner, verifier, embedding server) did not give a usable answer."""

    exit_code = 5


class QualityError(ClspError):
    """A data-quality rule failed: the data stops here."""

    exit_code = 6


class ModelError(ClspError):
    """Weights, configuration or tokenizer of a model do not fit together."""

    exit_code = 7


class TrainingError(ClspError):
    """Training cannot go on: diverged, lost its workers, or has nothing to train on."""

    exit_code = 8


class ClusterError(ClspError):
    """The Kubernetes cluster refused an object, lacks what runs it, or did not do it in time."""

    exit_code = 9


class KfpError(ClspError):
    """The API of Kubeflow Pipelines refused a request, did not answer, or a run there failed."""

    exit_code = 10


def to_document(error: ClspError) -> dict[str, str]:
    """An error as JSON can carry it from one process to another."""
    return {"kind": type(error).__name__, "message": str(error.args[0]), "hint": error.hint}


def from_document(document: Mapping[str, str]) -> ClspError:
    """The error of ``to_document``; a ``ClspError`` where this release does not know its kind."""
    kinds = {kind.__name__: kind for kind in ClspError.__subclasses__()}
    return kinds.get(document["kind"], ClspError)(document["message"], hint=document["hint"])
