"""What the launcher tells the workers: one JSON file in a scratch folder that also takes what they leave behind."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from clsp.config import StageSettings, TrainSettings
from clsp.errors import ClspError, to_document
from clsp.hashing import canonical_json

JOB_FILE = "job.json"
ERROR_FILE = "error.json"  # what no restart mends
INTERRUPTION_FILE = "interruption.json"  # why the workers were last started again


@dataclass(frozen=True)
class Job:
    """One stage to train. ``initial`` is the folder of the model it starts from, '' for fresh weights.

    ``folder`` holds ``tokenizer/`` before the run; afterwards ``model/`` and ``progress.json``, or ``error.json``.
    """

    stage: str
    store: str
    examples: str
    checkpoints: str
    initial: str
    folder: str
    settings: dict[str, Any]

    @property
    def train_settings(self) -> TrainSettings:
        """The settings, validated."""
        return TrainSettings.model_validate(self.settings)

    @property
    def stage_settings(self) -> StageSettings:
        """The settings of this stage."""
        stage: StageSettings = getattr(self.train_settings, self.stage)
        return stage

    @property
    def tokenizer(self) -> Path:
        """Folder of the tokenizer."""
        return Path(self.folder, "tokenizer")

    @property
    def model(self) -> Path:
        """Folder of the trained model."""
        return Path(self.folder, "model")

    @property
    def table(self) -> Path:
        """Folder of the examples, laid out for all processes of this machine."""
        return Path(self.folder, "examples")

    def write(self) -> Path:
        """Write the job's file and return its path."""
        path = Path(self.folder, JOB_FILE)
        path.write_bytes(canonical_json(asdict(self)))
        return path

    @classmethod
    def read(cls, path: Path) -> "Job":
        """The job of a file that ``write`` wrote."""
        return cls(**orjson.loads(path.read_bytes()))


def leave_error(folder: Path, name: str, error: ClspError) -> None:
    """Processes may fail alike at once; each writes aside, and any one of them may stay."""
    aside = folder / f"{name}.{os.getpid()}"
    aside.write_bytes(canonical_json(to_document(error)))
    aside.replace(folder / name)
