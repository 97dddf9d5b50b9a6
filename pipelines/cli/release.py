"""``clsp release``: a new version to the endpoints of a cluster, by canary."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from clsp.errors import ClusterError
from pipelines.cli.choices import ConfigChoice, read_config

_FORWARDED = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")


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
    """Serve a version to a share of the calls, watch errors, latency and vectors, then promote it or roll it back.

    Example: clsp release s3://bucket/prefix/models/clsp@latest --namespace speech
    """
    from clsp.logs import configure_logs
    from components.kubernetes.client import connect
    from components.serve.probe import plain_probe
    from components.serve.release import Rollout
    from components.serve.release import release as roll_out

    configure_logs()
    settings = read_config(config)
    cluster = connect(namespace or settings.cluster.namespace, context)
    probe = plain_probe(version, settings.serve)

    @contextmanager
    def reach(service: str) -> Iterator[str]:
        if not forward:
            yield f"http://{service}.{cluster.namespace}.svc"
            return
        with forwarding(service, cluster.namespace, context) as url:
            yield url

    roll_out(Rollout(cluster, settings.cluster, probe, reach, api_key), settings.serve, version)
    typer.echo(f"version {probe.version} serves all calls")


@contextmanager
def forwarding(service: str, namespace: str, context: str = "") -> Iterator[str]:
    """URL of a Service through ``kubectl port-forward``, which ends with the block."""
    command = ["kubectl", "-n", namespace, *(["--context", context] if context else [])]
    command += ["port-forward", "--address=127.0.0.1", f"service/{service}", ":80"]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    except FileNotFoundError as error:
        raise ClusterError(
            "kubectl is not installed", hint="install it, or run in the cluster: --no-forward"
        ) from error
    try:
        found = _FORWARDED.search(process.stdout.readline() if process.stdout else "")
        if found is None:
            raise ClusterError(f"service {service} cannot be reached", hint="kubectl's message is above")
        yield f"http://{found[1]}"
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()
