"""Nodes of an elastic training on loopback: a rendezvous process and agents, each with its own scratch folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import psutil

from clsp.config import TrainSettings
from clsp.storage import open_store
from clsp.training.checkpoints import Checkpoint, Checkpoints
from clsp.training.heartbeats import FOLDER
from clsp.training.job import Job

PREFIX = "checkpoints/stage1/elastic"
AGENT = """
import sys
from pathlib import Path
from clsp.errors import ClspError
from clsp.logs import configure_logs
from clsp.processes import die_with_parent
from clsp.training.job import Job
from clsp.training.launch import Meeting, launch
die_with_parent(int(sys.argv[1]))
configure_logs()
try:
    launch(Job.read(Path(sys.argv[2])), Meeting(sys.argv[3], sys.argv[4], "test", late_seconds=int(sys.argv[5])))
except ClspError as error:
    print("AGENT_ERROR", type(error).__name__, error.args[0], file=sys.stderr)
    sys.exit(error.exit_code)
"""


@dataclass
class Agent:
    """One node."""

    process: subprocess.Popen
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def workers(self) -> list[psutil.Process]:
        """Training processes of this node that live."""
        return [
            child
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if "clsp.training.worker" in child.cmdline() and "torch.distributed.run" not in child.cmdline()
        ]

    def ranks(self) -> list[int]:
        """Ranks of the training processes of this node."""
        return [int(worker.environ()["RANK"]) for worker in self.workers()]

    def step(self) -> int:
        """The step that a training process of this node has come to, by its heartbeat; 0 before the first."""
        beats = [path.read_bytes().split() for path in (self.folder / FOLDER).glob("[0-9]*")]
        return max((int(beat[1]) for beat in beats if beat), default=0)

    def lose(self) -> None:
        """The node is gone: every process of it, at once."""
        everything = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in everything:
            process.suspend()
        for process in everything:
            process.kill()
        self.process.wait(30)

    def preempt(self, seconds: float = 60) -> int:
        """SIGTERM, as a drained node sends it; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@dataclass
class Nodes:
    """The nodes of one training under ``root``, which holds ``store/``, ``tokenizer/`` and the examples' name."""

    root: Path
    settings: TrainSettings
    port: int
    agents: list[Agent] = field(default_factory=list)

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(open_store(str(self.root / "store")), PREFIX)

    def add(self, nodes: str = "1:2", late_seconds: int = 2) -> Agent:
        """Start another node."""
        folder = self.root / f"node{len(self.agents)}"
        folder.mkdir()
        shutil.copytree(self.root / "tokenizer", folder / "tokenizer")
        job = Job(
            stage="stage1",
            store=str(self.root / "store"),
            examples=(self.root / "manifest").read_text(),
            checkpoints=PREFIX,
            initial="",
            folder=str(folder),
            settings=self.settings.model_dump(mode="json"),
        ).write()
        command = [sys.executable, "-c", AGENT, str(os.getpid()), str(job), f"127.0.0.1:{self.port}", nodes]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*command, str(late_seconds)], stderr=log, stdout=log)
        self.agents.append(Agent(process, folder))
        return self.agents[-1]

    def join_while_held(self, alone: Agent) -> Agent:
        """Start a node while the only worker of ``alone`` is stopped, until that agent has seen the new one."""
        (worker,) = alone.workers()
        worker.suspend()
        seen = alone.log.count("closing signal SIGTERM")
        added = self.add()
        self.wait("notice of the new node", lambda: alone.log.count("closing signal SIGTERM") > seen)
        worker.resume()
        return added

    def steps(self) -> list[int]:
        """Steps that there are checkpoints of."""
        keys = open_store(str(self.root / "store")).list(f"{PREFIX}/steps/")
        return [int(Path(key).stem) for key in keys]

    def wait_for_step(self, step: int) -> None:
        """Until a checkpoint of ``step`` or later is committed."""
        self.wait(f"a checkpoint of step {step}", lambda: max(self.steps(), default=0) >= step)

    def wait_for_checkpoint_after(self, agent: Agent) -> None:
        """Until those that are left have saved the next checkpoint after the step at which ``agent`` stands still."""
        every = self.settings.checkpoint.every
        self.wait_for_step(agent.step() // every * every + every)

    def wait_between_checkpoints(self, agent: Agent) -> None:
        """Until ``agent`` is some steps past a checkpoint, and some before the next."""
        every = self.settings.checkpoint.every
        self.wait("step between checkpoints", lambda: every // 4 < agent.step() % every <= every // 2)

    def wait(self, what: str, check: Callable[[], bool], seconds: float = 200) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, f"no {what}:\n{self.logs()}"
            ended = all(agent.process.poll() is not None for agent in self.agents)
            assert not ended or check(), f"no {what}, all ended:\n{self.logs()}"
            time.sleep(0.1)

    def finish(self, *agents: Agent) -> Checkpoint:
        """Wait for these agents to end well; returns the last checkpoint."""
        self.wait("end", lambda: all(agent.process.poll() is not None for agent in agents))
        assert [agent.process.returncode for agent in agents] == [0] * len(agents), self.logs()
        return self.checkpoints.latest()

    def logs(self) -> str:
        return "\n".join(f"--- {agent.folder.name}\n{agent.log[-4000:]}" for agent in self.agents)


@contextmanager
def nodes(root: Path, settings: dict) -> Iterator[Nodes]:
    """A rendezvous store for nodes of ``settings``; whatever still runs at the end is killed."""
    command = [sys.executable, "-m", "clsp.training.rendezvous", "--port", "0", "--host", "127.0.0.1"]
    rendezvous = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    cluster = None
    try:
        port = int(rendezvous.stdout.readline())
        cluster = Nodes(root, TrainSettings.model_validate(settings), port)
        yield cluster
    finally:
        for agent in cluster.agents if cluster else ():
            if agent.process.poll() is None:
                agent.lose()
        rendezvous.kill()
        rendezvous.wait(30)


def rows(checkpoint: Checkpoint, name: str) -> list[float]:
    """The curve of the loss, or of another number, that a checkpoint holds."""
    found = checkpoint.facts["rows"]
    assert [row["step"] for row in found] == list(range(len(found)))
    return [row[name] for row in orjson.loads(orjson.dumps(found))]
