"""``clsp serve``: a model as embedding endpoints."""

from typing import Annotated

import typer

from clsp.config import load_config


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("serve")(serve)


def serve(
    model: Annotated[str, typer.Argument(help="Model directory, or STORE/models/NAME@ALIAS")],
    host: Annotated[str, typer.Option(help="Address to listen on")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one")] = 0,
    config: Annotated[str, typer.Option(help="Preset or .yaml file whose 'serve' section is used")] = "demo",
) -> None:
    """Serve a model until SIGTERM; prints one JSON line {"url": …} when it is ready.

    Example: clsp serve demo/store/models/clsp@latest --port 8080
    """
    from clsp.logs import configure_logs
    from serving.launch import start

    configure_logs()
    settings = load_config(config).serve
    changes = {name: value for name, value in (("host", host), ("port", port)) if value}
    start(model, settings.model_copy(update=changes))
