"""Callers of an endpoint that ask over and over, and try nothing twice: what fails them has failed a request.

One keeps its connection open, as clients do; one connects for every request, as proxies may.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.tiny_model import TEXTS

PAUSE_SECONDS = 0.05
BODY = {"input": TEXTS[:1]}
TIMEOUT = 60.0


@dataclass
class Asked:
    """What became of the requests: answers by the version that gave them, and what failed."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(url: str) -> Iterator[Asked]:
    """Ask the embedding server at a URL while in the block, at least once."""
    asked, over = Asked(), threading.Event()

    def keep_asking(post: Callable[..., httpx.Response]) -> None:
        while True:
            try:
                answer = post(f"{url}/v1/embeddings", json=BODY, timeout=TIMEOUT)
                answer.raise_for_status()
                asked.answers[answer.json()["model_version"]] += 1
            except httpx.HTTPError as error:
                asked.failures.append(f"{post.__qualname__}: {error!r}")
            if over.wait(PAUSE_SECONDS):
                return

    with httpx.Client(trust_env=False) as kept:
        callers = [threading.Thread(target=keep_asking, args=(post,)) for post in (kept.post, anew)]
        for caller in callers:
            caller.start()
        try:
            yield asked
        finally:
            over.set()
            for caller in callers:
                caller.join()


def anew(*arguments: object, **more: object) -> httpx.Response:
    """A request on a connection of its own; the authorities that one may trust are not read for each (16 ms of CPU)."""
    return httpx.post(*arguments, trust_env=False, verify=False, **more)  # type: ignore[arg-type]
