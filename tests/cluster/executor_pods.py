"""Executors of a compiled flow as the pods that they describe: what KFP's backend makes of the IR, without the backend.

The launcher's part is small: put the executor's input into the command, and read the output parameters from the file
that the executor leaves. Here that file is the container's termination message, so the kubelet hands it over.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

OUTPUT_FILE = "/tmp/kfp/outputs/Output"
METADATA_FILE = "/dev/termination-log"
# What KFP's own compiler adds to every executor, and what the namespace demands.
HARDENED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@dataclass(frozen=True)
class CompiledFlow:
    """The two documents of a compiled flow."""

    spec: dict[str, Any]
    platform: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "CompiledFlow":
        return cls(*yaml.safe_load_all(path.read_text()))

    def tasks(self) -> Iterator[str]:
        """Names of the tasks, each after those it depends on."""
        waiting = dict(self.spec["root"]["dag"]["tasks"])
        done: set[str] = set()
        while waiting:
            ready = sorted(name for name, task in waiting.items() if done >= set(task.get("dependentTasks", ())))
            if not ready:
                raise ValueError(f"a cycle among {', '.join(waiting)}")
            for name in ready:
                del waiting[name]
                yield name
            done |= set(ready)

    def inputs(self, task: str, arguments: dict[str, str], outputs: dict[str, str]) -> dict[str, str]:
        """A task's parameters from the run's arguments and the outputs of the tasks before it."""
        resolved = {}
        for name, source in self.spec["root"]["dag"]["tasks"][task]["inputs"]["parameters"].items():
            if "componentInputParameter" in source:
                resolved[name] = arguments[source["componentInputParameter"]]
            elif "taskOutputParameter" in source:
                resolved[name] = outputs[source["taskOutputParameter"]["producerTask"]]
            else:
                resolved[name] = source["runtimeValue"]["constant"]
        return resolved

    def executor(self, task: str) -> str:
        component = self.spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]
        return self.spec["components"][component]["executorLabel"]


def executor_pod(
    flow: CompiledFlow, task: str, inputs: dict[str, str], run_id: str, account: str = ""
) -> dict[str, Any]:
    """The pod of one executor, under the run's service account if it names one (else without any token)."""
    label = flow.executor(task)
    container = flow.spec["deploymentSpec"]["executors"][label]["container"]
    platform = flow.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][label]
    metadata = platform.get("podMetadata", {})
    labels = {**metadata.get("labels", {}), "pipeline/runid": run_id}
    empty = platform.get("emptyDirMounts", [])
    main = {
        "name": "main",
        "image": container["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": container["command"],
        "args": [_filled(argument, inputs) for argument in container["args"]],
        "env": [*_variables(container, platform)],
        "resources": _resources(container["resources"]),
        "securityContext": {**HARDENED, **_identity(platform)},
        "volumeMounts": [{"name": item["volumeName"], "mountPath": item["mountPath"]} for item in empty],
    }
    spec = {
        "restartPolicy": "Never",
        **({"serviceAccountName": account} if account else {"automountServiceAccountToken": False}),
        "enableServiceLinks": False,
        "activeDeadlineSeconds": int(platform["activeDeadlineSeconds"]),
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": platform.get("tolerations", []),
        "nodeSelector": platform.get("nodeSelector", {}).get("labels", {}),
        "containers": [main],
        "volumes": [*map(_empty_dir, empty)],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": task, "labels": labels}, "spec": spec}


def output_of(pod: dict[str, Any]) -> str:
    """The output parameter of an executor that ended well."""
    message = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
    return json.loads(message)["parameterValues"]["Output"]


def _filled(argument: str, inputs: dict[str, str]) -> str:
    executor_input = {
        "inputs": {"parameterValues": inputs},
        "outputs": {"parameters": {"Output": {"outputFile": OUTPUT_FILE}}, "outputFile": METADATA_FILE},
    }
    return json.dumps(executor_input) if argument == "{{$}}" else argument


def _variables(container: dict[str, Any], platform: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from container.get("env", [])
    for item in platform.get("fieldPathAsEnv", []):
        yield {"name": item["name"], "valueFrom": {"fieldRef": {"fieldPath": item["fieldPath"]}}}
    for secret in platform.get("secretAsEnv", []):
        for pair in secret["keyToEnv"]:
            reference = {"name": secret["secretName"], "key": pair["secretKey"], "optional": secret["optional"]}
            yield {"name": pair["envVar"], "valueFrom": {"secretKeyRef": reference}}


def _resources(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "requests": {"cpu": asked["resourceCpuRequest"], "memory": asked["resourceMemoryRequest"]},
        "limits": {"cpu": asked["resourceCpuLimit"], "memory": asked["resourceMemoryLimit"]},
    }


def _identity(platform: dict[str, Any]) -> dict[str, Any]:
    context = platform["securityContext"]
    return {
        "runAsUser": int(context["runAsUser"]),
        "runAsGroup": int(context["runAsGroup"]),
        "runAsNonRoot": context["runAsNonRoot"],
    }


def _empty_dir(mount: dict[str, Any]) -> dict[str, Any]:
    medium = {"medium": mount["medium"]} if mount.get("medium") else {}
    return {"name": mount["volumeName"], "emptyDir": {"sizeLimit": mount["sizeLimit"], **medium}}
