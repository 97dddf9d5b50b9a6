"""What a step and its workers tell each other through the store, since they share no disk and either may be lost.

Workers leave what they trained once, under the stage's checkpoints; an error belongs to one attempt, so that the next
one does not stumble over it.
"""

from dataclasses import dataclass

import orjson

from clsp.errors import ClspError, from_document, to_document
from clsp.hashing import canonical_json
from clsp.storage import ObjectStore
from components.train.training import Trained


@dataclass(frozen=True)
class Exchange:
    """The messages of one attempt at a stage whose checkpoints are under ``checkpoints``."""

    store: ObjectStore
    checkpoints: str
    attempt: str

    def leave(self, trained: Trained) -> None:
        """Say what was trained; the first to say so counts."""
        self.store.put_if_absent(self._outcome, canonical_json(trained.model_dump(mode="json")))

    def trained(self) -> Trained | None:
        """What was trained, once it is."""
        if not self.store.exists(self._outcome):
            return None
        return Trained.model_validate_json(self.store.get(self._outcome))

    def report(self, error: ClspError) -> None:
        """Say what ended this attempt; the first reason counts."""
        self.store.put_if_absent(self._error, canonical_json(to_document(error)))

    def error(self) -> ClspError | None:
        """What ended this attempt, if a worker knew."""
        if not self.store.exists(self._error):
            return None
        return from_document(orjson.loads(self.store.get(self._error)))

    @property
    def _outcome(self) -> str:
        return f"{self.checkpoints}/outcome.json"

    @property
    def _error(self) -> str:
        return f"{self.checkpoints}/errors/{self.attempt}.json"
