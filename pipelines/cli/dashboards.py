"""``clsp dashboards``: the operator's boards, listed, shown and sent to Grafana."""

from typing import Annotated

import orjson
import typer

from clsp.errors import ConfigError
from pipelines.dashboards.records import Board

_commands = typer.Typer(no_args_is_help=True, help="The operator's boards: list them, show one, send them to Grafana.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]
Url = Annotated[str, typer.Option(envvar="CLSP_GRAFANA_URL", help="URL of Grafana")]
Token = Annotated[str, typer.Option(envvar="CLSP_GRAFANA_TOKEN", help="Token of a service account", show_envvar=True)]


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.add_typer(_commands, name="dashboards")


@_commands.command("list")
def list_boards(grafana_url: Url = "", grafana_token: Token = "", as_json: AsJson = False) -> None:
    """List the boards, and where Grafana has them when its URL is given.

    Example: clsp dashboards list
    """
    from pipelines.dashboards.boards import BOARDS
    from pipelines.dashboards.grafana import Grafana

    there = {one["uid"]: one["url"] for one in Grafana(grafana_url, grafana_token).boards()} if grafana_url else {}
    rows = [
        {"name": board.name, "uid": board.uid, "title": board.title, "url": there.get(board.uid, "")}
        for board in BOARDS
    ]
    if as_json:
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row, board in zip(rows, BOARDS, strict=True):
        typer.echo(f"{row['name']:<12} {row['title']:<24} {row['url'] or board.description}")


@_commands.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of a board, as list prints it")], as_json: AsJson = False
) -> None:
    """Show what a board asks, or with --json the dashboard as Grafana imports it.

    Example: clsp dashboards show serving --json > serving.json
    """
    from pipelines.dashboards.rendering import render_board

    board = _board(name)
    if as_json:
        typer.echo(orjson.dumps(render_board(board), option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(f"{board.title}: {board.description}")
    for row in board.rows:
        typer.echo(f"\n{row.title}")
        for panel in row.panels:
            typer.echo(f"  {panel.title:<36} {panel.description}")


@_commands.command("push")
def push(
    names: Annotated[list[str] | None, typer.Argument(help="Boards; all of them when none is named")] = None,
    grafana_url: Url = "",
    grafana_token: Token = "",
    folder: Annotated[str, typer.Option(help="Folder that is made for them")] = "CLSP",
    as_json: AsJson = False,
) -> None:
    """Send boards to Grafana, over older ones; the same command brings them up to date.

    Example: CLSP_GRAFANA_TOKEN=… clsp dashboards push --grafana-url https://grafana.example
    """
    from pipelines.dashboards.boards import BOARDS
    from pipelines.dashboards.grafana import Grafana

    chosen = tuple(_board(name) for name in names) if names else BOARDS
    if not grafana_url:
        raise ConfigError("no Grafana is named", hint="give --grafana-url, or set CLSP_GRAFANA_URL")
    links = Grafana(grafana_url, grafana_token).push(chosen, folder)
    if as_json:
        typer.echo(orjson.dumps({board.name: link for board, link in zip(chosen, links, strict=True)}).decode())
        return
    for link in links:
        typer.echo(link)


def _board(name: str) -> Board:
    from pipelines.dashboards.boards import BOARDS

    found = [board for board in BOARDS if name in (board.name, board.uid)]
    if not found:
        names = ", ".join(board.name for board in BOARDS)
        raise ConfigError(f"no board {name!r}", hint=f"choose one of {names}")
    return found[0]
