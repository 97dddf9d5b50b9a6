"""``clsp schedule``: recurring runs on KFP, declared in a file and brought to what it says."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from clsp.config import Config, parse_settings
from clsp.config.schedules import Schedule, Schedules
from clsp.errors import ConfigError
from pipelines.cli.choices import AsJson, ConfigChoice, KfpChoice, StoreChoice, connect_kfp, print_json, read_config

if TYPE_CHECKING:
    from pipelines.remote.schedules import Wanted

Owner = Annotated[str, typer.Option(help="Whose recurring run, where several owners have one of that name")]
Named = Annotated[str, typer.Argument(help="Name of a recurring run")]


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Recurring runs, declared in a file.")
    group.command("apply")(apply)
    group.command("list")(list_all)
    group.command("pause")(pause)
    group.command("resume")(resume)
    group.command("watch")(watch)
    app.add_typer(group, name="schedule")


def apply(
    file: Annotated[Path, typer.Argument(help="YAML: owner and schedules, each with name, flow, cron, data …")],
    store: StoreChoice,
    config: ConfigChoice = "demo",
    kfp: KfpChoice = "",
    as_json: AsJson = False,
) -> None:
    """Create, replace, pause, resume and delete recurring runs until KFP has what the file says; again does nothing.

    Example: clsp schedule apply schedules.yaml --store s3://speech/team-a --kfp http://localhost:8888
    """
    from pipelines.remote.schedules import reconcile

    declared, settings = read_schedules(file), read_config(config)
    wanted = [_wanted(schedule, store, settings) for schedule in declared.schedules]
    actions = reconcile(connect_kfp(settings, kfp), declared.owner, wanted)
    if as_json:
        print_json(actions)
        return
    for action in actions:
        typer.echo(f"{action.verb:<7} {action.name}")
    typer.echo(f"{len(wanted)} recurring runs, {len(actions)} changes")


def list_all(config: ConfigChoice = "demo", kfp: KfpChoice = "", as_json: AsJson = False) -> None:
    """List the recurring runs that clsp manages.

    Example: clsp schedule list --kfp http://localhost:8888
    """
    from pipelines.remote.schedules import list_schedules

    found = list_schedules(connect_kfp(read_config(config), kfp))
    if as_json:
        print_json(found)
        return
    for item in found:
        typer.echo(f"{item.name:<24} {'paused' if item.paused else 'active':<8} {item.cron:<20} {item.owner}")


def pause(name: Named, owner: Owner = "", config: ConfigChoice = "demo", kfp: KfpChoice = "") -> None:
    """Start no further run of it; the next apply brings back what the file says.

    Example: clsp schedule pause nightly --kfp http://localhost:8888
    """
    from pipelines.remote.schedules import set_paused

    set_paused(connect_kfp(read_config(config), kfp), name, paused=True, owner=owner)
    typer.echo(f"{name} is paused")


def resume(name: Named, owner: Owner = "", config: ConfigChoice = "demo", kfp: KfpChoice = "") -> None:
    """Start runs of it again.

    Example: clsp schedule resume nightly --kfp http://localhost:8888
    """
    from pipelines.remote.schedules import set_paused

    set_paused(connect_kfp(read_config(config), kfp), name, paused=False, owner=owner)
    typer.echo(f"{name} is active")


def watch(
    owner: Annotated[str, typer.Option(help="Whose recurring runs")] = "clsp",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between looks")] = 60.0,
    config: ConfigChoice = "demo",
    kfp: KfpChoice = "",
) -> None:
    """Tell Prometheus, on the port that CLSP_METRICS_PORT names, when each recurring run had its newest run.

    Example: CLSP_METRICS_PORT=9090 clsp schedule watch --kfp http://localhost:8888
    """
    from clsp import metrics
    from pipelines.remote import watching

    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    calls = connect_kfp(read_config(config), kfp)
    metrics.serve()
    watching.watch(calls, owner, every, over)


def read_schedules(path: Path) -> Schedules:
    """The recurring runs that a file declares; ``ConfigError`` names what is wrong in it."""
    if not path.exists():
        raise ConfigError(f"no file {str(path)!r}", hint="give a YAML file with owner and schedules")
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {error}", hint="mend it") from error
    return parse_settings(Schedules, {"schedules": values} if isinstance(values, list) else values)


def _wanted(schedule: Schedule, store: str, config: Config) -> "Wanted":
    from pipelines.remote.package import package_flow
    from pipelines.remote.schedules import Wanted
    from pipelines.runs import remote_arguments

    settings = parse_settings(Config, _merged(config.model_dump(mode="json"), schedule.settings))
    values = {
        "source": schedule.data,
        **{name: getattr(schedule, name) for name in ("metadata", "examples", "stage2", "evaluation")},
    }
    return Wanted(
        name=schedule.name,
        arguments=remote_arguments(schedule.flow, store, "", settings, values),  # KFP names each run
        package=package_flow(schedule.flow, settings.cluster),
        cron=schedule.cron,
        paused=schedule.paused,
        max_concurrency=schedule.max_concurrency,
        catchup=schedule.catchup,
        service_account=settings.kfp.service_account,
    )


def _merged(base: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
