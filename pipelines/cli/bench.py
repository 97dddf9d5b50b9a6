"""``clsp bench``: speeds of this machine, each beside a plain reference in the same run, as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure this machine; prints JSON.")
    group.callback()(lambda: None)
    group.command("encode")(encode)
    group.command("data")(data)
    group.command("annotate")(annotate)
    group.command("train")(train)
    group.command("serve")(serve)
    app.add_typer(group, name="bench")


def encode(
    presets: Annotated[list[str], typer.Option("--preset", help="tiny … clsp-xlarge; may be given again")] = ["tiny"],  # noqa: B006
    dtypes: Annotated[list[str], typer.Option("--dtype", help="float32, bfloat16; may be given again")] = ["float32"],  # noqa: B006
    device: Annotated[str, typer.Option(help="Torch device")] = "cpu",
    clips: Annotated[int, typer.Option(min=1, help="Clips of 1-10 s")] = 16,
    texts: Annotated[int, typer.Option(min=1, help="Texts of 8-96 tokens")] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the ways take turns")] = 3,
    compiled: Annotated[bool, typer.Option("--compiled", help="Measure compiled towers too")] = False,
    out: Annotated[Path | None, typer.Option(help="File for the result, besides standard output")] = None,
) -> None:
    """Audio-seconds and texts a second of models with random weights: alone, batched, compiled, and called plainly.

    Example: clsp bench encode --preset tiny --preset clsp-base --dtype float32 --dtype bfloat16
    """
    import torch

    from clsp.errors import ConfigError
    from clsp.model.building import PRECISIONS
    from clsp.model.speed import Workload, bench_encode

    if unknown := [dtype for dtype in dtypes if dtype not in PRECISIONS]:
        raise ConfigError(f"unknown dtype {unknown[0]!r}", hint=f"choose from {', '.join(PRECISIONS)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"there is no device {device!r} here", hint="use --device cpu")
    workload = Workload(clips=clips, texts=texts, rounds=rounds)
    results = [
        asdict(bench_encode(name, PRECISIONS[dtype], device, workload, compiled=compiled))
        for name in presets
        for dtype in dtypes
    ]
    _print({"workload": workload, "results": results}, out)


def annotate(
    url: Annotated[str, typer.Option(help="Base URL of the captioner, ending in /v1")] = "http://localhost:8000/v1",
    model: Annotated[str, typer.Option(help="Model name at the endpoint")] = "Qwen/Qwen3-Omni-30B-A3B-Captioner",
    concurrencies: Annotated[list[int], typer.Option("--concurrency", help="May be given again")] = [64, 128, 256],  # noqa: B006
    views: Annotated[int, typer.Option(min=1, help="Captions a clip")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, max=30, help="Length of a clip")] = 9.3,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest caption")] = 512,
    engine: Annotated[str, typer.Option(help="Command that starts the engine; {seqs} and {tokens} are filled in")] = "",
    sequences: Annotated[list[int], typer.Option("--seqs", help="max_num_seqs to try with --engine")] = [64],  # noqa: B006
    tokens: Annotated[list[int], typer.Option("--tokens", help="max_num_batched_tokens to try")] = [32_768],  # noqa: B006
    start_seconds: Annotated[float, typer.Option(min=1, help="An engine must answer within this time")] = 1800,
    gpus: Annotated[int, typer.Option(min=1, help="GPUs behind the endpoint")] = 1,
    price: Annotated[float, typer.Option(min=0, help="Money for one GPU hour")] = 2.0,
    out: Annotated[Path | None, typer.Option(help="File for the result, besides standard output")] = None,
) -> None:
    """Captions a second of an endpoint, and the GPU-days and cost of a million; the fastest setting first.

    Example: clsp bench annotate --engine "vllm serve M --max-num-seqs {seqs}" --seqs 32 --seqs 64
    """
    from clsp.captions.speed import Load
    from clsp.config import EndpointSettings, SamplingSettings
    from pipelines.bench.annotation import Sweep, run_sweep

    endpoint = EndpointSettings(url=url, model=model, timeout_seconds=600)
    load = Load(views, seconds, SamplingSettings(max_tokens=max_tokens))
    sweep = Sweep(endpoint, load, concurrencies, engine, sequences, tokens, start_seconds, gpus, price)
    _print({"clip_seconds": seconds, "views": views, "results": run_sweep(sweep)}, out)


def data(
    clips: Annotated[int, typer.Option(min=1000, help="Clips of 1-30 s in an epoch")] = 10_000_000,
    global_clips: Annotated[int, typer.Option(min=2, help="Clips of a global batch")] = 8,
    steps: Annotated[list[int], typer.Option("--step", help="Step to resume at; may be given again")] = [  # noqa: B006
        0,
        1_000,
        1_000_000,
    ],
    preset: Annotated[str, typer.Option(help="Model that batches are made for; empty leaves it out")] = "tiny",
    turns: Annotated[int, typer.Option(min=1, help="Batches and steps, which take turns")] = 15,
    out: Annotated[Path | None, typer.Option(help="File for the result, besides standard output")] = None,
) -> None:
    """Time from durations to the batch of a step, which must not grow with it; batches beside the steps they feed.

    Example: clsp bench data --clips 10000000 --step 0 --step 1000000
    """
    from clsp.config import BatchSettings
    from clsp.data.speed import bench_resume
    from pipelines.bench.loading import compare_feeding, measure_saving

    found = bench_resume(clips, BatchSettings(global_clips=global_clips, buckets=30), steps)
    report: dict[str, object] = {"resume": [asdict(each) for each in found]}
    if preset:
        report["feeding"] = asdict(compare_feeding(preset, 16, 4.0, turns))
        report["saving"] = asdict(measure_saving(preset, 16, 4.0, turns))
    _print(report, out)


def train(
    presets: Annotated[list[str], typer.Option("--preset", help="tiny … clsp-xlarge; may be given again")] = ["tiny"],  # noqa: B006
    clips: Annotated[int, typer.Option(min=2, help="Clips of a step")] = 16,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each")] = 4.0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each side, which take turns")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads")] = 1,
    loss_clips: Annotated[
        int, typer.Option(min=0, help="Clips of the loss whose memory is measured; 0: none")
    ] = 16_384,
    xlarge: Annotated[bool, typer.Option(help="Also speed and peak memory at two stacks of clsp-xlarge")] = True,
    out: Annotated[Path | None, typer.Option(help="File for the result, besides standard output")] = None,
) -> None:
    """Compare training steps with plain eager mathematics, in turns on this machine.

    Example: clsp bench train --preset tiny --preset clsp-base --steps 9
    """
    from pipelines.bench.memory import CLIPS, LAYERS, SECONDS, compare_loss, compare_memory
    from pipelines.bench.training import Load, compare_speed

    loads = [Load(name, clips, seconds, threads) for name in presets]
    reduced = [Load("clsp-xlarge", clips, seconds, threads, layers=1)] if xlarge else []
    depths = LAYERS if xlarge else ()
    losses = [asdict(compare_loss(loss_clips, 512, threads))] if loss_clips else []
    report = {
        "speed": [asdict(compare_speed(load, steps)) for load in (*loads, *reduced)],
        "memory": [asdict(compare_memory(Load("clsp-xlarge", CLIPS, SECONDS, threads, layers))) for layers in depths],
        "loss": losses,
    }
    _print(report, out)


def serve(
    model: Annotated[str, typer.Argument(help="Model directory, or STORE/models/NAME@ALIAS")],
    tower: Annotated[str, typer.Option(help="speech or text")] = "speech",
    inputs: Annotated[int, typer.Option(min=8, help="Different inputs")] = 64,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of a step of the sweep")] = 10.0,
    overload: Annotated[float, typer.Option(min=0.5, help="Length of three times the knee")] = 60.0,
    deadline: Annotated[float, typer.Option(min=0.1, help="Deadline of a request under overload, in seconds")] = 2.0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of a forward")] = 1,
    least: Annotated[int, typer.Option(min=2, help="Requests at half the knee at least")] = 100,
    out: Annotated[
        Path | None, typer.Option(help="File for the result, besides standard output; a plot beside")
    ] = None,
) -> None:
    """Sweep the load that is offered to a server of a model: latencies, knee, refusals, overload and recovery.

    Example: clsp bench serve demo/store/models/clsp@latest --out bench/serve.json
    """
    from clsp.errors import ConfigError
    from pipelines.bench.serving import Plan, bench_serve
    from pipelines.bench.serving_plot import plot

    if tower not in ("speech", "text"):
        raise ConfigError(f"unknown tower {tower!r}", hint="choose speech or text")
    plan = Plan(
        tower,
        inputs,
        step_seconds=seconds,
        overload_seconds=overload,
        deadline_seconds=deadline,
        threads=threads,
        least=least,
    )
    result = bench_serve(model, plan)
    _print(asdict(result), out)
    if out is not None:
        out.with_suffix(".svg").write_text(plot(result))


def _print(document: object, out: Path | None) -> None:
    data = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data + b"\n")
    typer.echo(data.decode())
