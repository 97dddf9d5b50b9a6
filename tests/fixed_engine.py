"""A chat endpoint of fixed service time and known capacity, in a process of its own or in a loop.

``python -m tests.fixed_engine SLOTS SECONDS PORT [refuse]`` prints its URL; requests over the limit wait, or are
refused with 429. ``GET /seen`` tells how many it answered and refused, and which share of its slots' time was used.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from aiohttp import web

from clsp.processes import die_with_parent

ANSWER = b'{"choices": [{"message": {"content": "A calm voice."}}]}'


class Engine:
    """Counts as it serves, or fails each request with ``status``."""

    def __init__(self, slots: int, seconds: float, refuses: bool = False, status: int = 200) -> None:
        self.slots, self.seconds, self.refuses, self.status = slots, seconds, refuses, status
        self.free = asyncio.Semaphore(slots)
        self.answered = self.refused = 0
        self.first = self.last = self.busy = 0.0

    async def chat(self, request: web.Request) -> web.Response:
        await request.read()
        if self.refuses and self.free.locked():
            self.refused += 1
            return web.Response(status=429, headers={"Retry-After": "1"})
        async with self.free:
            now = asyncio.get_running_loop().time()
            self.first = self.first or now
            await asyncio.sleep(self.seconds)
            self.last = asyncio.get_running_loop().time()
            self.busy += self.last - now
            self.answered += 1
        return web.Response(body=ANSWER, status=self.status)

    async def health(self, _: web.Request) -> web.Response:
        return web.Response()

    @property
    def used(self) -> float:
        """The share of its slots' time, from the first answer's begin to the last's end."""
        return self.busy / (self.slots * max(self.last - self.first, 1e-9))

    async def seen(self, _: web.Request) -> web.Response:
        return web.json_response({"answered": self.answered, "refused": self.refused, "used": self.used})


async def listen(engine: Engine, port: int = 0) -> str:
    """Serve ``engine`` for as long as the loop runs; its URL."""
    app = web.Application(client_max_size=2**26)
    app.add_routes(
        [
            web.post("/v1/chat/completions", engine.chat),
            web.get("/seen", engine.seen),
            web.get("/health", engine.health),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=2048)
    await site.start()
    return f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"


async def serve(slots: int, seconds: float, port: int, refuses: bool) -> None:
    print(await listen(Engine(slots, seconds, refuses), port), flush=True)
    await asyncio.Event().wait()


@contextmanager
def fixed_engine(slots: int, seconds: float, *, port: int = 0, refuses: bool = False) -> Iterator[str]:
    """The URL of an engine in a process of its own, ended with the context."""
    command = [sys.executable, "-m", "tests.fixed_engine", str(slots), str(seconds), str(port)]
    command += ["refuse"] * refuses
    tether = partial(die_with_parent, os.getpid())
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=tether)  # noqa: PLW1509
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), "refuse" in sys.argv))
