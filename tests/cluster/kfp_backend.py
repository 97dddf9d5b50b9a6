"""KFP's backend for a test: runs that were submitted to the API of tests/pipelines/kfp_api become pods, step by step.

Its part of the work is small (order, inputs, retries, states); the client, the compiled flow and the pods are the real
ones.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from components.kubernetes.objects import POD, Ref
from tests.cluster.executor_pods import CompiledFlow, executor_pod, output_of
from tests.cluster.harness.kubectl import Kubectl, KubectlError
from tests.cluster.harness.looking import looking
from tests.cluster.harness.waiting import until
from tests.pipelines.kfp_api.server import KfpApi, running

TRIES = 3  # of one step; pipelines/resources.py asks KFP for two retries
STEP_SECONDS = 900


class Backend:
    """Runs one submitted run after the other in a namespace."""

    def __init__(self, api: KfpApi, kubectl: Kubectl) -> None:
        self.api, self.kubectl, self.looks = api, kubectl, looking(kubectl)
        self.tries: dict[str, int] = {}
        self.outputs: dict[str, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kfp-backend")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._over.wait(0.5):
            for run in [run for run in self.api.state.runs.values() if run["state"] == "PENDING"]:
                try:
                    self._run(run)
                except Exception as error:  # noqa: BLE001 - the run failed, for whatever reason
                    self._tell(run, "run", "FAILED", f"{type(error).__name__}: {error}")

    def _run(self, run: dict[str, Any]) -> None:
        version = self.api.state.versions[run["pipeline_version_id"]]["pipeline_spec"]
        flow = CompiledFlow(version["pipeline_spec"], version["platform_spec"])
        for task in flow.tasks():
            self._tell(run, task, "RUNNING")
            inputs = flow.inputs(task, run["runtime_config"]["parameters"], self.outputs)
            pod = executor_pod(flow, task, inputs, run["run_id"], run.get("service_account", ""))
            try:
                self.outputs[task] = self._step(task, pod)
            except RuntimeError as error:
                self._tell(run, task, "FAILED", str(error))
                raise
            self._tell(run, task, "SUCCEEDED")
        self._tell(run, "run", "SUCCEEDED")

    def _step(self, task: str, pod: dict[str, Any]) -> str:
        """The step's output; a pod that failed, or is gone, is made again as often as KFP would."""
        reason = ""
        for number in range(1, TRIES + 1):
            self.tries[task] = number
            self.kubectl.apply([pod])
            ended = until(f"{task} ends", lambda: self._ended(task), STEP_SECONDS, every=0.3)
            if ended.get("status", {}).get("phase") == "Succeeded":
                self.kubectl("delete", "pod", task)
                return output_of(ended)
            with suppress(KubectlError):
                reason = self.kubectl("logs", task, "--tail=40")
            self.kubectl("delete", "pod", task, "--ignore-not-found")
        raise RuntimeError(f"{task} failed {TRIES} times: {reason}")

    def _ended(self, task: str) -> dict[str, Any] | None:
        """The pod once it has ended; an empty one when it is gone."""
        if self._over.is_set():
            raise SystemExit
        pod = self.looks.get(Ref(POD, task)) or {"status": {"phase": "Gone"}}
        return pod if pod["status"]["phase"] in {"Succeeded", "Failed", "Gone"} else None

    def _tell(self, run: dict[str, Any], task: str, state: str, message: str = "") -> None:
        with self.api.state.lock:
            self.api.state.play(run, task, state, message)


@contextmanager
def kfp_over(kubectl: Kubectl) -> Iterator[Backend]:
    """A KFP whose runs are pods of the namespace; ended with the block."""
    with running() as api:
        backend = Backend(api, kubectl)
        backend.start()
        try:
            yield backend
        finally:
            backend.stop()
