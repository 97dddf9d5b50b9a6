"""``make images`` and ``make image-locks``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clsp.errors import ClspError, ConfigError
from pipelines.images.build import Built, Order, build_images
from pipelines.images.locks import FOLDER, make_locks
from pipelines.images.roles import ROLES
from pipelines.images.tools import choose_tool

_CACHE = Path.home() / ".cache" / "clsp-platform" / "images"
_NAMES = [role.name for role in ROLES]
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def build(
    roles: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(_NAMES)}; all when none is named")] = None,
    tool: Annotated[str, typer.Option(help="docker, podman or buildah; empty takes the first that works")] = "",
    base: Annotated[str, typer.Option(help="Base image, or 'debootstrap' where there is no registry")] = "",
    torch: Annotated[str, typer.Option(help="default (CUDA), cpu, or mounted (at /opt/torch, for tests)")] = "default",
    registry: Annotated[str, typer.Option(help="Put before the names of the images")] = "docker.io",
    out: Annotated[Path, typer.Option(help="Folder of the summary and the bills of materials")] = Path("build/images"),
    cache: Annotated[Path, typer.Option(help="Folder that outlives checkouts")] = _CACHE,
    apart: Annotated[bool, typer.Option(help="Keep images in the cache, not in the tool's own store")] = False,
    archives: Annotated[
        bool, typer.Option(help="Write each image as one file into the cache, as docker save does")
    ] = False,
    push: Annotated[bool, typer.Option(help="Send each image to its registry")] = False,
) -> None:
    """Build the images and say what they weigh.

    Example: python -m pipelines.images build step --base debootstrap
    """
    wanted = tuple(roles or _NAMES)
    if unknown := set(wanted) - set(_NAMES):
        raise ConfigError(f"no image {', '.join(sorted(unknown))}", hint=f"there are {', '.join(_NAMES)}")
    cache.mkdir(parents=True, exist_ok=True)
    order = Order(wanted, base, torch, registry, out, cache, archives, push)
    for built in build_images(choose_tool(tool, cache if apart else None), order):
        typer.echo(_line(built))


@app.command()
def lock() -> None:
    """Write the part of requirements.lock that each image needs. Example: python -m pipelines.images lock"""
    for name, text in make_locks().items():
        (FOLDER / name).write_text(text)


def _line(built: Built) -> str:
    size = f"{built.size_bytes / 1e6:,.0f} MB"
    kept = "" if built.environment_built else ", environment kept"
    return f"{built.image}  {size}  {built.packages} packages  {built.seconds:.0f} s{kept}"


def main() -> int:
    """Entry point: known errors become two lines and an exit code."""
    try:
        app()
    except ClspError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
