"""``clsp doctor``: one table of what works, what does not, and what to do."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated

import orjson
import typer

from clsp.errors import ConfigError
from pipelines.cli.choices import AsJson, ConfigChoice, read_config
from pipelines.doctor.records import Finding, Severity, fails

_MARKS = {Severity.OK: "ok", Severity.SKIPPED: "–", Severity.WARNING: "warning", Severity.ERROR: "ERROR"}


def add_commands(app: typer.Typer) -> None:
    """Register this journey's command."""
    app.command("doctor")(doctor)


def doctor(
    config: ConfigChoice = "published",
    store: Annotated[str, typer.Option(envvar="CLSP_STORE", help="Folder, file:// or s3://bucket/prefix")] = "",
    namespace: Annotated[str, typer.Option(help="Namespace of the release; empty takes the context's")] = "",
    context: Annotated[str, typer.Option(help="kubectl context; empty takes the current one")] = "",
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds that a check may take")] = 30.0,
    strict: Annotated[bool, typer.Option("--strict", help="Leave with 1 when there are warnings")] = False,
    as_json: AsJson = False,
) -> None:
    """Check storage, KFP, operators, pools, rights, secrets, images and this Python; 0 when all works, 2 on an error.

    Example: clsp doctor --config clsp.yaml --store s3://speech/team-a
    """
    findings = _examine(config, store, namespace, context, deadline)
    if as_json:
        typer.echo(orjson.dumps([asdict(finding) for finding in findings], option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo("\n".join(_table(findings)))
    from pipelines.doctor.examination import exit_code

    sys.exit(exit_code(findings, strict=strict))


def _examine(config: str, store: str, namespace: str, context: str, deadline: float) -> list[Finding]:
    from components.kubernetes.client import connect
    from components.kubernetes.requests import Patience
    from pipelines.doctor.examination import examine
    from pipelines.doctor.platform import read_release

    try:
        chosen = read_config(config)
        release = read_release(chosen, store)
    except ConfigError as error:
        return [fails("configuration", Exception.__str__(error), error.hint)]
    patience = Patience(tries=2, read_seconds=deadline)
    return examine(release, partial(connect, namespace or chosen.cluster.namespace, context, patience), deadline)


def _table(findings: Sequence[Finding]) -> list[str]:
    width = max(len(finding.part) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.severity]:<8}{finding.part:<{width}}  {finding.says}")
        if finding.mend:
            lines.append(f"{'':<8}{'':<{width}}  → {finding.mend}")
    return lines
