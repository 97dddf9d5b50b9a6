"""Who is at which unit of shared work, so that workers take from slow and lost ones what nobody is at.

A claim is a hint, never a lock: the ledger's put-if-absent decides whose result counts. Holders show that they live
by replacing a beat object; each observer times their silence by its own clock, so no two clocks need to agree.
"""

import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Self

from clsp.errors import ClspError
from clsp.logs import get_logger
from clsp.storage.ledger import Ledger, Share
from clsp.storage.objects import ObjectStore

log = get_logger(__name__)
_LEFT = "left"


class Claims:
    """Claims of one worker under ``claims/STEP/KEY/``; a context manager, in which it beats.

    The name of a worker is its place (rank of size), so that whoever replaces it goes on with its units at once.
    """

    def __init__(
        self,
        store: ObjectStore,
        ledger: Ledger,
        share: Share,
        beat_seconds: float,
        silent_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._prefix = f"claims/{ledger.step}/{ledger.key}/"
        self._me = f"{share.rank}-of-{share.size}"
        self._alone = share.size == 1
        self._beat_seconds, self._silent_seconds = beat_seconds, silent_seconds
        self._clock = clock
        self._heard: dict[str, tuple[str, float]] = {}  # last beat of each holder, and when it was first seen
        self._beat = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="beats", daemon=True)

    def __enter__(self) -> Self:
        if not self._alone:
            self._store.delete(self._beat_key(self._me, _LEFT))
            self.beat()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._alone:
            self._ending.set()
            self._thread.join()
            self._store.put_if_absent(self._beat_key(self._me, _LEFT), b"")

    def take(self, unit: str) -> bool:
        """Whether this worker may do the unit now: nobody claimed it, or who did has fallen silent."""
        if self._alone:
            return True
        prefix = f"{self._prefix}units/{unit}/"
        if self._store.put_if_absent(f"{prefix}{1:06d}", self._me.encode()):
            return True
        newest = max(self._store.list(prefix))
        holder = self._store.get(newest).decode()
        if holder == self._me:
            return True
        generation = int(newest[len(prefix) :]) + 1
        return self._is_silent(holder) and self._store.put_if_absent(f"{prefix}{generation:06d}", self._me.encode())

    def observe(self) -> None:
        """Look which workers have beaten since the last look."""
        if self._alone:
            return
        now, prefix = self._clock(), f"{self._prefix}beats/"
        beats: dict[str, str] = {}
        for key in self._store.list(prefix):
            holder, _, beat = key[len(prefix) :].partition("/")
            beats[holder] = max(beats.get(holder, ""), beat)  # 'left' sorts after any beat
        for holder, beat in beats.items():
            if self._heard.get(holder, ("", 0.0))[0] != beat:
                self._heard[holder] = (beat, now)

    def beat(self) -> None:
        """Show that this worker lives."""
        before, self._beat = self._beat, f"beat-{uuid.uuid4().hex}"
        self._store.put_if_absent(self._beat_key(self._me, self._beat), b"")
        if before:
            self._store.delete(self._beat_key(self._me, before))

    def sweep(self) -> None:
        """All units are done: remove every claim and beat."""
        for key in list(self._store.list(self._prefix)):
            self._store.delete(key)

    def _is_silent(self, holder: str) -> bool:
        if holder not in self._heard:  # it claimed, but was never seen to beat: its time runs from now
            self._heard[holder] = ("", self._clock())
        beat, since = self._heard[holder]
        return beat == _LEFT or self._clock() - since > self._silent_seconds

    def _beat_key(self, holder: str, beat: str) -> str:
        return f"{self._prefix}beats/{holder}/{beat}"

    def _beat_on(self) -> None:
        while not self._ending.wait(self._beat_seconds):
            try:
                self.beat()
            except ClspError as error:  # work goes on: a claim is only a hint
                log.warning("beat_lost", reason=str(error.args[0]))
