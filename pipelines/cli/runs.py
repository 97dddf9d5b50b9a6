"""``clsp runs``: what ran, how its steps went, why they worked or not; from KFP, or from a store alone."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clsp.errors import ConfigError, DataError
from pipelines.cli.choices import AsJson, ConfigChoice, KfpChoice, StoreChoice, connect_kfp, print_json, read_config

if TYPE_CHECKING:
    from clsp.storage.mending import Soundness

Name = Annotated[str, typer.Argument(help="A run's name, or its id in KFP")]
Step = Annotated[str, typer.Argument(help="One step, or nothing for all of them")]
STORE = "demo/store"


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at runs, end them, explain them.")
    group.command("list")(list_all)
    for command in (show, logs, cancel, explain, check):
        group.command()(command)
    app.add_typer(group, name="runs")


def list_all(
    store: StoreChoice = STORE, kfp: KfpChoice = "", config: ConfigChoice = "demo", as_json: AsJson = False
) -> None:
    """List the runs of a store, or those of KFP with --kfp, newest first.

    Example: clsp runs list --store s3://speech/team-a
    """
    rows = _rows_of_kfp(kfp, config) if kfp else _rows_of_store(store)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(
            f"{row['run']:<38} {row['state']:<10} {row['ended_at'] or row.get('created', ''):<26} {row['steps']} steps"
        )


def show(
    name: Name, store: StoreChoice = STORE, kfp: KfpChoice = "", config: ConfigChoice = "demo", as_json: AsJson = False
) -> None:
    """Show the steps of a run: rows in and out, cost, and why one failed.

    Example: clsp runs show 20260102T030405-9f3a1c --store s3://speech/team-a
    """
    from pipelines.console import Console

    if kfp:
        _show_remote(name, kfp, config, as_json)
        return
    reports, failures = _of_store(name, store)
    if as_json:
        print_json({"run": name, "steps": list(reports.values()), "failures": list(failures.values())})
        return
    console = Console(live=False)
    for report in reports.values():
        console.show({"event": "step_done", **vars(report)})
    for failure in failures.values():
        console.show({"event": "step_failed", **vars(failure)})


def logs(
    name: Name, step: Step = "", store: StoreChoice = STORE, kfp: KfpChoice = "", config: ConfigChoice = "demo"
) -> None:
    """Print the log of a run or of one step: from the store for a local run, from KFP's pods with --kfp.

    Example: clsp runs logs 20260102T030405-9f3a1c train_stage1 --kfp http://localhost:8888
    """
    from pipelines.logs import local_log, remote_log

    lines = remote_log(connect_kfp(read_config(config), kfp), name, step) if kfp else local_log(store, name, step)
    for line in lines:
        typer.echo(line)


def cancel(name: Name, kfp: KfpChoice = "", config: ConfigChoice = "demo", as_json: AsJson = False) -> None:
    """End a run on KFP; what its steps had finished stays and is reused by the next run.

    Example: clsp runs cancel 20260102T030405-9f3a1c --kfp http://localhost:8888
    """
    from pipelines.remote.runs import cancel as end

    run = end(connect_kfp(read_config(config), kfp), name)
    if as_json:
        print_json(run)
    else:
        typer.echo(f"run {run.name} is {run.state.lower()}")


def explain(
    name: Annotated[str, typer.Argument(help="A run's name")],
    step: Step = "",
    store: StoreChoice = STORE,
    as_json: AsJson = False,
) -> None:
    """Say why each step of a run worked or was reused: which input differs from the run of that step before it.

    Example: clsp runs explain 20260102T030405-9f3a1c annotate --store s3://speech/team-a
    """
    from clsp.storage import open_store
    from pipelines.explain import explain_run, in_words

    explanations = explain_run(open_store(store), name, step)
    if as_json:
        print_json(explanations)
        return
    for explanation in explanations:
        typer.echo("\n".join(in_words(explanation)))


def check(
    name: Annotated[str, typer.Argument(help="A run's name")],
    store: StoreChoice = STORE,
    mend: Annotated[bool, typer.Option("--mend", help="Forget the work that made what is damaged")] = False,
    as_json: AsJson = False,
) -> None:
    """Read all that a run made or stands on against its hashes; with --mend, the next run makes anew what is damaged.

    Example: clsp runs check 20260102T030405-9f3a1c --store s3://speech/team-a --mend
    """
    from clsp.storage import open_store
    from clsp.storage.mending import check_manifests, forget_damaged

    opened = open_store(store)
    found = []
    for one in check_manifests(opened, [report.manifest for report in _of_store(name, store)[0].values()]):
        found.append(one)
        if mend and one.damaged:
            forget_damaged(opened, one)
        if not as_json:
            typer.echo("\n".join(_soundness_in_words(one)))
    if as_json:
        print_json(found)
    damaged = [key for one in found for key in one.damaged]
    if damaged and not mend:
        raise DataError(f"gone or altered: {len(damaged)}, first {damaged[0]}", hint="--mend has the next run mend it")
    if damaged:
        typer.echo("what made them is forgotten: the same run makes them again", err=True)


def _soundness_in_words(found: "Soundness") -> list[str]:
    mark, step = ("✗", found.step or "?") if found.damaged else ("✓", found.step)
    line = f"{mark} {step:<14} {found.manifest[:12]}  {found.shards} objects, {found.bytes / 2**20:,.1f} MiB"
    return [line, *(f"    gone or altered: {key}" for key in found.damaged)]


def _rows_of_store(store: str) -> list[dict[str, Any]]:
    from clsp.storage import open_store
    from components.runner import read_failures, read_runs

    opened = open_store(store)
    rows = []
    for name, reports in read_runs(opened).items():
        failed = read_failures(opened, name)
        ended = max((report.ended_at for report in reports.values()), default="")
        state = "failed" if failed else "done"
        rows.append({"run": name, "state": state, "ended_at": ended, "steps": len(reports)})
    return sorted(rows, key=lambda row: (row["ended_at"], row["run"]), reverse=True)


def _rows_of_kfp(url: str, config: str) -> list[dict[str, Any]]:
    from pipelines.remote.runs import list_runs

    runs = list_runs(connect_kfp(read_config(config), url))
    return [
        {
            "run": run.name, "kfp_run": run.id, "state": run.state.lower(), "created": run.created,
            "ended_at": run.finished, "steps": len(run.tasks), "url": run.url, "archived": run.archived,
        }
        for run in runs
    ]  # fmt: skip


def _show_remote(name: str, url: str, config: str, as_json: bool) -> None:
    from pipelines.console import Console
    from pipelines.remote.following import describe
    from pipelines.remote.runs import get_run

    run = get_run(connect_kfp(read_config(config), url), name)
    if as_json:
        print_json(run)
        return
    console = Console(live=False)
    console.out.write(f"{run.name} {run.state.lower()} {run.message}\n{run.url}\n")
    for task in run.tasks:
        console.show(describe(run, task))


def _of_store(name: str, store: str) -> tuple[dict[str, Any], dict[str, Any]]:
    from clsp.storage import open_store
    from components.runner import read_failures, read_reports

    opened = open_store(store)
    reports, failures = read_reports(opened, name), read_failures(opened, name)
    if not reports and not failures:
        raise ConfigError(f"no run {name!r} in {store}", hint=f"list them with: clsp runs list --store {store}")
    return reports, failures
