"""``clsp release``: a new version to the endpoints of a cluster, by canary."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from pipelines.cli.choices import ConfigChoice, read_config


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("release")(release)


def release(
    version: Annotated[str, typer.Argument(help="STORE/models/NAME/VERSION, or NAME@ALIAS there")],
    config: ConfigChoice = "published",
    namespace: Annotated[str, typer.Option(help="Namespace of the endpoints; empty takes the context's")] = "",
    context: Annotated[str, typer.Option(help="kubectl context; empty takes the current one")] = "",
    forward: Annotated[bool, typer.Option(help="Reach the endpoints by kubectl port-forward, from outside")] = True,
    api_key: Annotated[str, typer.Option(envvar="CLSP_API_KEY", help="Key of the endpoints, if they want one")] = "",
) -> None:
    """Serve a version beside the one that serves, watch errors, latency and vectors, then promote it or roll it back.

    It gets a share of the callers' calls where KServe has a gateway, and the calls of this command everywhere.
    Where the endpoints serve an alias (serving.model.uri: clsp@production), the alias moves to the promoted version.

    Example: clsp release s3://bucket/prefix/models/clsp@latest --namespace speech
    """
    from clsp.logs import configure_logs
    from components.kubernetes.client import connect
    from components.serve.followed import pinned
    from components.serve.probe import plain_probe
    from components.serve.release import Rollout
    from components.serve.release import release as roll_out
    from pipelines.remote.forwarding import forwarding

    configure_logs()
    settings = read_config(config)
    cluster = connect(namespace or settings.cluster.namespace, context)
    uri = pinned(version)
    probe = plain_probe(uri, settings.serve)

    @contextmanager
    def reach(service: str) -> Iterator[str]:
        if not forward:
            yield f"http://{service}.{cluster.namespace}.svc"
            return
        with forwarding(service, cluster.namespace, context) as url:
            yield url

    aliases = roll_out(Rollout(cluster, settings.cluster, probe, reach, api_key), settings.serve, uri)
    typer.echo(f"version {probe.version} serves all calls")
    typer.echo(what_now(uri, [f"{alias.name}@{alias.label}" for alias in aliases]))


def what_now(uri: str, aliases: list[str]) -> str:
    """What is left to do so that the next ``helm upgrade`` does not bring the version before back."""
    if aliases:
        return f"{', '.join(aliases)} means it from now on: the chart's values stay as they are"
    return (
        "the chart's values still name the version before; bring them up to date, with Helm 4 and --force-conflicts:\n"
        f"helm upgrade RELEASE charts/clsp-platform --reuse-values --set serving.model.uri={uri}"
    )
