"""Recurring runs on KFP brought to what is declared: created, replaced, paused, resumed or deleted, and only our own.

KFP cannot change a recurring run, so a changed one is made anew before the old one goes. What each was made from is
kept as a hash in its description; doing it all again does nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from clsp.errors import ConfigError
from clsp.hashing import digest_of
from pipelines.remote.calls import Calls, NotFoundError
from pipelines.remote.package import Package
from pipelines.remote.runs import ensure_experiment, upload

_MARK = re.compile(r"clsp schedule; owner: (?P<owner>[^;]+); made of: (?P<made_of>[0-9a-f]+)$")
Verb = Literal["create", "delete", "pause", "resume"]


@dataclass(frozen=True)
class Wanted:
    """A recurring run as it shall be: its flow's package, its arguments and its times."""

    name: str
    package: Package
    arguments: dict[str, str]
    cron: str
    paused: bool
    max_concurrency: int
    catchup: bool
    service_account: str = ""

    @property
    def made_of(self) -> str:
        """Hash of all that cannot be changed in place."""
        facts = {key: value for key, value in vars(self).items() if key not in {"paused", "package"}}
        return digest_of({**facts, "pipeline": self.package.pipeline, "version": self.package.version})[:16]


@dataclass(frozen=True)
class Found:
    """A recurring run of ours in KFP."""

    id: str
    name: str
    owner: str
    made_of: str
    paused: bool
    cron: str = ""
    created: datetime | None = None


@dataclass(frozen=True)
class Action:
    """One change that brings KFP nearer to what is declared."""

    verb: Verb
    name: str
    id: str = ""


def plan(wanted: Iterable[Wanted], found: Iterable[Found]) -> list[Action]:
    """What to do, in order: nothing is deleted before what replaces it is there."""
    by_name = {item.name: item for item in wanted}
    kept: set[str] = set()
    actions, deletions = [], []
    for item in found:
        target = by_name.get(item.name)
        if target is None or target.made_of != item.made_of or item.name in kept:
            deletions.append(Action("delete", item.name, item.id))
            continue
        kept.add(item.name)
        if target.paused != item.paused:
            actions.append(Action("pause" if target.paused else "resume", item.name, item.id))
    creations = [Action("create", name) for name in by_name if name not in kept]
    return [*creations, *actions, *deletions]


def reconcile(calls: Calls, owner: str, wanted: list[Wanted]) -> list[Action]:
    """Bring the recurring runs of ``owner`` to what is wanted; returns what was done."""
    actions = plan(wanted, [item for item in list_schedules(calls) if item.owner == owner])
    by_name = {item.name: item for item in wanted}
    for action in actions:
        if action.verb == "create":
            _create(calls, owner, by_name[action.name])
        else:
            _change(calls, action)
    return actions


def list_schedules(calls: Calls) -> list[Found]:
    """Every recurring run of ours, of any owner."""
    options = {"namespace": calls.settings.namespace} if calls.settings.namespace else {}
    listing = calls.pages(
        calls.client.recurring_runs.recurring_run_service_list_recurring_runs, "recurring_runs", **options
    )
    return [item for item in map(_found, listing) if item]


def set_paused(calls: Calls, name: str, paused: bool, owner: str = "") -> Found:
    """Pause or resume one by name; ``ConfigError`` when there is none or several owners have one."""
    matches = [item for item in list_schedules(calls) if item.name == name and owner in {"", item.owner}]
    owners = sorted({item.owner for item in matches})
    if not matches:
        raise ConfigError(f"no recurring run {name!r}", hint="list them with: clsp schedule list")
    if len(owners) > 1:
        raise ConfigError(f"{name!r} belongs to {', '.join(owners)}", hint="name one of them with --owner")
    for item in matches:
        if item.paused != paused:
            _change(calls, Action("pause" if paused else "resume", name, item.id))
    return matches[0]


def _create(calls: Calls, owner: str, wanted: Wanted) -> None:
    models, recurring = calls.client.api_models, calls.client.recurring_runs
    body = models.V2beta1RecurringRun(
        display_name=wanted.name,
        description=f"clsp schedule; owner: {owner}; made of: {wanted.made_of}",
        experiment_id=ensure_experiment(calls),
        pipeline_version_reference=upload(calls, wanted.package),
        runtime_config=models.V2beta1RuntimeConfig(parameters=wanted.arguments),
        trigger=models.V2beta1Trigger(cron_schedule=models.V2beta1CronSchedule(cron=wanted.cron)),
        mode="DISABLE" if wanted.paused else "ENABLE",
        max_concurrency=str(wanted.max_concurrency),
        no_catchup=not wanted.catchup,
        service_account=wanted.service_account or None,
    )
    calls.settle(
        lambda: next((item for item in list_schedules(calls) if _is(item, owner, wanted)), None),
        lambda: calls.write(recurring.recurring_run_service_create_recurring_run, body),
    )


def _is(item: Found, owner: str, wanted: Wanted) -> bool:
    return (item.owner, item.name, item.made_of) == (owner, wanted.name, wanted.made_of)


def _change(calls: Calls, action: Action) -> None:
    recurring = calls.client.recurring_runs
    call = {
        "delete": recurring.recurring_run_service_delete_recurring_run,
        "pause": recurring.recurring_run_service_disable_recurring_run,
        "resume": recurring.recurring_run_service_enable_recurring_run,
    }[action.verb]
    try:
        calls.read(call, action.id)  # each may be repeated: the second time finds it done
    except NotFoundError:
        if action.verb != "delete":
            raise


def _found(item: Any) -> Found | None:
    mark = _MARK.search(item.description or "")
    if not mark:
        return None
    cron = item.trigger.cron_schedule.cron if item.trigger and item.trigger.cron_schedule else ""
    paused = item.status == "DISABLED" or (item.status is None and item.mode == "DISABLE")
    return Found(
        item.recurring_run_id, item.display_name, mark["owner"], mark["made_of"], paused, cron, item.created_at
    )
