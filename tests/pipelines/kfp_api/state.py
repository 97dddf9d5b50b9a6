"""What the server holds, and the rules that KFP keeps about it: unique names, references that exist, known inputs."""

import itertools
import threading
from datetime import UTC, datetime, timedelta

import yaml

from tests.pipelines.kfp_api.errors import Refused

ENDED = {"SUCCEEDED", "FAILED", "CANCELED"}
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class State:
    """Pipelines, versions, experiments, runs and recurring runs by id; ``scripts`` say what runs do when looked at."""

    def __init__(self, multi_user: bool = False):
        self.multi_user = multi_user
        self.pipelines, self.versions, self.experiments, self.runs, self.recurring = {}, {}, {}, {}, {}
        self.logs, self.scripts = {}, {}
        self.default_script = []
        self.lock = threading.RLock()
        self._numbers = itertools.count(1)

    def new(self, kind: str) -> tuple[str, str]:
        number = next(self._numbers)
        stamp = (EPOCH + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{kind}-{number:04d}-0000-4000-8000", stamp

    def put_experiment(self, body: dict) -> dict:
        if self.multi_user and not body.get("namespace"):
            raise Refused(
                400, "Failed to create a new experiment: InvalidInputError: Namespace is empty in multi-user mode"
            )
        key = (body["display_name"], body.get("namespace", ""))
        if any((item["display_name"], item["namespace"]) == key for item in self.experiments.values()):
            raise Refused(409, f"Failed to create a new experiment: Already exist error: {key[0]}")
        name, now = self.new("experiment")
        self.experiments[name] = {
            "experiment_id": name, "display_name": key[0], "namespace": key[1], "created_at": now,
            "storage_state": "AVAILABLE",
        }  # fmt: skip
        return self.experiments[name]

    def put_pipeline(self, name: str, namespace: str, text: str) -> dict:
        if any(item["name"] == name and item["namespace"] == namespace for item in self.pipelines.values()):
            raise Refused(409, f"Failed to create a pipeline: Already exist error: {name}")
        identity, now = self.new("pipeline")
        self.pipelines[identity] = {
            "pipeline_id": identity, "name": name, "display_name": name, "namespace": namespace, "created_at": now,
        }  # fmt: skip
        self.put_version(identity, name, text)
        return self.pipelines[identity]

    def put_version(self, pipeline: str, name: str, text: str) -> dict:
        if pipeline not in self.pipelines:
            raise Refused(
                404, f"Failed to create a pipeline version: ResourceNotFoundError: Pipeline {pipeline} not found"
            )
        if any(item["pipeline_id"] == pipeline and item["name"] == name for item in self.versions.values()):
            raise Refused(409, f"Failed to create a pipeline version: Already exist error: {name}")
        documents = list(yaml.safe_load_all(text))
        if not documents or "pipelineInfo" not in documents[0] or len(documents) > 2:
            raise Refused(400, "Failed to create a pipeline version: InvalidInputError: unknown template format")
        spec = {"pipeline_spec": documents[0], "platform_spec": documents[1]} if documents[1:] else documents[0]
        identity, now = self.new("version")
        self.versions[identity] = {
            "pipeline_id": pipeline, "pipeline_version_id": identity, "name": name, "display_name": name,
            "created_at": now, "pipeline_spec": spec,
        }  # fmt: skip
        return self.versions[identity]

    def put_run(self, body: dict) -> dict:
        version = self._checked(body)
        identity, now = self.new("run")
        self.runs[identity] = {
            **body, "run_id": identity, "created_at": now, "scheduled_at": now, "finished_at": "1970-01-01T00:00:00Z",
            "state": "PENDING", "storage_state": "AVAILABLE", "run_details": {"task_details": []},
            "pipeline_version_id": version["pipeline_version_id"],
        }  # fmt: skip
        self.scripts[identity] = list(self.default_script)
        return self.runs[identity]

    def put_recurring(self, body: dict) -> dict:
        self._checked(body)
        cron = body.get("trigger", {}).get("cron_schedule", {}).get("cron", "")
        if len(cron.split()) != 6:
            raise Refused(400, f"Failed to create a recurring run: InvalidInputError: cron {cron!r} is not valid")
        if not 1 <= int(body.get("max_concurrency", "0")) <= 10:
            raise Refused(400, "Failed to create a recurring run: InvalidInputError: max_concurrency is out of range")
        identity, now = self.new("recurring")
        status = "DISABLED" if body.get("mode") == "DISABLE" else "ENABLED"
        self.recurring[identity] = {
            **body, "recurring_run_id": identity, "created_at": now, "updated_at": now, "status": status,
        }  # fmt: skip
        return self.recurring[identity]

    def _checked(self, body: dict) -> dict:
        """The version that a run refers to; its inputs must be given, and nothing else."""
        if body.get("experiment_id") not in self.experiments:
            raise Refused(404, f"ResourceNotFoundError: Experiment {body.get('experiment_id')} not found")
        reference = body.get("pipeline_version_reference", {})
        version = self.versions.get(reference.get("pipeline_version_id"))
        if version is None or version["pipeline_id"] != reference.get("pipeline_id"):
            raise Refused(404, "ResourceNotFoundError: PipelineVersion not found")
        spec = version["pipeline_spec"]
        root = spec.get("pipeline_spec", spec)["root"]
        known = root.get("inputDefinitions", {}).get("parameters", {})
        given = body.get("runtime_config", {}).get("parameters", {})
        wrong = sorted(set(given) - set(known)) or sorted(
            name for name in known if name not in given and not known[name].get("isOptional")
        )
        if wrong:
            raise Refused(400, f"InvalidInputError: pipeline requiring input or having no such input: {wrong[0]}")
        return version

    def look(self, identity: str) -> dict:
        """A run as it is now; the next scene of its script is played first."""
        run = found(self.runs, identity, "Run")
        script = self.scripts[identity]
        if script:
            self.play(run, *script.pop(0))
        elif run["state"] == "CANCELING":
            self.play(run, "run", "CANCELED", "")
        return run

    def play(self, run: dict, task: str, state: str, message: str) -> None:
        if task == "run":
            run["state"] = state
            if message:
                run["error"] = {"code": 13, "message": message}
            if state in ENDED:
                run["finished_at"] = "2026-01-01T01:00:00Z"
            return
        run["state"] = "RUNNING"
        details = run["run_details"]["task_details"]
        detail = next((item for item in details if item["display_name"] == task), None)
        if detail is None:
            detail = {"run_id": run["run_id"], "task_id": f"task-{task}", "display_name": task}
            detail["child_tasks"] = [{"pod_name": f"{run['run_id']}-{task}"}]
            details.append(detail)
        detail["state"] = state
        if message:
            detail["error"] = {"code": 13, "message": message}

    def terminate(self, identity: str) -> dict:
        run = found(self.runs, identity, "Run")
        if run["state"] in ENDED:
            raise Refused(400, f"Failed to terminate a run: InvalidInputError: run {identity} is not running")
        run["state"] = "CANCELING"
        self.scripts[identity] = []
        return {}


def found(items: dict, identity: str, kind: str) -> dict:
    if identity not in items:
        raise Refused(404, f"Failed to get: ResourceNotFoundError: {kind} {identity} not found")
    return items[identity]
