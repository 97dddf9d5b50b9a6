"""``clsp serve``: a model as embedding endpoints."""

from typing import Annotated

import typer

from clsp.config import ServeSettings, load_config, parse_settings


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("serve")(serve)


def serve(
    models: Annotated[
        list[str], typer.Argument(help="Model directory or STORE/models/NAME@ALIAS; NAME=MODEL serves several by name")
    ],
    tower: Annotated[str, typer.Option(help="speech, text or both; the other tower is not loaded")] = "",
    host: Annotated[str, typer.Option(help="Address to listen on")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one")] = 0,
    config: Annotated[str, typer.Option(help="Preset or .yaml file whose 'serve' section is used")] = "demo",
) -> None:
    """Serve models until SIGTERM; prints one JSON line {"url": …} when ready. An alias that moves, or SIGHUP, swaps
    a new version in without dropping a request.

    Example: clsp serve demo/store/models/clsp@latest --tower text --port 8080
    """
    from clsp.logs import configure_logs
    from serving.launch import start

    configure_logs()
    chosen = {name: value for name, value in (("host", host), ("port", port), ("tower", tower)) if value}
    settings = load_config(config).serve.model_dump() | chosen
    start(models, parse_settings(ServeSettings, settings))
