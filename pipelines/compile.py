"""The flows as KFP's intermediate representation: YAML that any KFP >= 2.17 runs, committed beside this module.

What is committed is what a cluster gets, so ``--check`` refuses files that differ by one byte from today's flows.
"""

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Annotated

import typer

COMPILED = Path(__file__).with_name("compiled")


def compile_flow(flow: str, folder: Path) -> Path:
    """Compile one flow to ``folder/FLOW.yaml``; equal flows give equal bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp.compiler import Compiler

        from pipelines.flows import FLOWS

        path = folder / f"{flow}.yaml"
        Compiler().compile(FLOWS[flow], str(path))
    return path


def stale_flows() -> list[str]:
    """Flows whose committed file is not what compiles today."""
    from pipelines.flows import FLOWS

    with tempfile.TemporaryDirectory(prefix="clsp-compile-") as scratch:
        fresh = {flow: compile_flow(flow, Path(scratch)).read_bytes() for flow in FLOWS}
    return [flow for flow, data in fresh.items() if _committed(flow) != data]


def _committed(flow: str) -> bytes:
    path = COMPILED / f"{flow}.yaml"
    return path.read_bytes() if path.exists() else b""


def main(
    out: Annotated[Path, typer.Option(help="Folder that receives FLOW.yaml")] = COMPILED,
    check: Annotated[bool, typer.Option("--check", help="Only say which committed files are stale")] = False,
) -> None:
    """Compile every flow, or check that the committed files are up to date."""
    from pipelines.flows import FLOWS

    if check:
        if stale := stale_flows():
            typer.echo(f"stale: {', '.join(stale)}; bring them up to date with: make compile", err=True)
            sys.exit(1)
        return
    out.mkdir(parents=True, exist_ok=True)
    for flow in FLOWS:
        typer.echo(str(compile_flow(flow, out)))


if __name__ == "__main__":
    typer.run(main)
