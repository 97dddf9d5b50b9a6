"""How fast a model embeds, beside the plain way of calling it: ``clsp bench encode``.

The plain way is that of the published code: clips in the order they come, padded to the longest, the gradient's
graph recorded (reference 1.4). Both sides take turns in one process, so their ratio holds on a busy machine.
"""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clsp.audio.fbank import SAMPLING_RATE, Fbank
from clsp.config.serving import ServeSettings
from clsp.model.dual_encoder import DualEncoder
from clsp.model.embedding import EmbeddingModel
from clsp.model.presets import preset
from clsp.records import ModelVersion

SHORTEST_S, LONGEST_S = 1.0, 10.0
SHORTEST_TOKENS, LONGEST_TOKENS = 8, 96


@dataclass(frozen=True)
class Workload:
    """Clips of 1-10 s and texts of 8-96 tokens, drawn by ``seed``; the plain way takes ``rows`` at a time."""

    clips: int = 16
    texts: int = 32
    rows: int = 8
    rounds: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Speed:
    """Units a second of one way of embedding (the best of the rounds), and against the plain way (median of rounds).

    ``unit``: audio_seconds or texts. ``real_time_factor``: seconds of work a second of audio, 0 for texts.
    """

    tower: str
    way: str
    unit: str
    per_second: float
    real_time_factor: float
    ratio_to_plain: float


@dataclass(frozen=True)
class EncodeBench:
    """All ways of one preset in one precision. ``peak_bytes``: of the device's memory, or of the process on a CPU."""

    preset: str
    dtype: str
    device: str
    threads: int
    torch: str
    audio_seconds: float
    largest_difference: float
    peak_bytes: int
    speeds: tuple[Speed, ...]


def bench_encode(name: str, dtype: torch.dtype, device: str, workload: Workload, *, compiled: bool) -> EncodeBench:
    """Measure both towers of a preset with random weights: alone, in sorted batches, the plain way, perhaps compiled.

    ``largest_difference`` is between vectors of clips alone and in batches.
    """
    torch.manual_seed(workload.seed)
    towers = DualEncoder(preset(name)).to(device, dtype)
    model = _embedding(towers, compiled=False)
    clips, ids = _clips(workload), _ids(workload, int(towers.config.text["vocab_size"]))
    ways: dict[tuple[str, str], Callable[[], Tensor]] = {
        ("speech", "plain"): lambda: _plain_speech(towers, clips, workload.rows),
        ("speech", "alone"): lambda: torch.cat([model.encode_speech([clip]) for clip in clips]),
        ("speech", "batched"): lambda: model.encode_speech(clips),
        ("text", "plain"): lambda: _plain_text(towers, ids, workload.rows),
        ("text", "alone"): lambda: torch.cat([model.encode_ids([row]) for row in ids]),
        ("text", "batched"): lambda: model.encode_ids(ids),
    }
    if compiled:
        fast = _embedding(towers, compiled=True)
        ways["speech", "compiled"] = lambda: fast.encode_speech(clips)
        ways["text", "compiled"] = lambda: fast.encode_ids(ids)
    if towers.logit_scale.is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    vectors = {way: run() for way, run in ways.items()}  # the first call of each is not timed
    difference = (vectors["speech", "alone"] - vectors["speech", "batched"]).abs().max()
    audio_seconds = sum(len(clip) for clip in clips) / SAMPLING_RATE
    speeds = _speeds(_seconds(ways, workload.rounds), {"speech": audio_seconds, "text": float(len(ids))})
    peak = torch.cuda.max_memory_allocated(device) if towers.logit_scale.is_cuda else _process_peak()
    threads, precision = torch.get_num_threads(), str(dtype).removeprefix("torch.")
    return EncodeBench(
        name, precision, device, threads, torch.__version__, audio_seconds, float(difference), peak, speeds
    )


def _embedding(towers: DualEncoder, *, compiled: bool) -> EmbeddingModel:
    identity = ModelVersion("bench", "", "", "", "")
    budgets = ServeSettings().budgets(towers.logit_scale.device.type)
    return EmbeddingModel(towers, None, identity, compiled=compiled, budgets=budgets)


def _seconds(ways: dict[tuple[str, str], Callable[[], Tensor]], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Seconds of each way in each round; the ways take turns."""
    taken: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            start = time.perf_counter()
            run()  # vectors end on the CPU, so a device has finished
            taken[way].append(time.perf_counter() - start)
    return taken


def _speeds(taken: dict[tuple[str, str], list[float]], work: dict[str, float]) -> tuple[Speed, ...]:
    def speed(tower: str, way: str, seconds: list[float]) -> Speed:
        ratios = [plain / own for plain, own in zip(taken[tower, "plain"], seconds, strict=True)]
        ratio, unit = sorted(ratios)[len(ratios) // 2], "audio_seconds" if tower == "speech" else "texts"
        factor = min(seconds) / work[tower] if tower == "speech" else 0.0
        return Speed(tower, way, unit, work[tower] / min(seconds), factor, ratio)

    return tuple(speed(*way, seconds) for way, seconds in taken.items())


def _clips(workload: Workload) -> list[Tensor]:
    generator = torch.Generator().manual_seed(workload.seed)
    spans = SHORTEST_S + (LONGEST_S - SHORTEST_S) * torch.rand(workload.clips, generator=generator)
    return [0.1 * torch.randn(int(span * SAMPLING_RATE), generator=generator) for span in spans.tolist()]


def _ids(workload: Workload, vocabulary: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(workload.seed)
    sizes = torch.randint(SHORTEST_TOKENS, LONGEST_TOKENS + 1, (workload.texts,), generator=generator)
    return [torch.randint(3, vocabulary, (size,), generator=generator).tolist() for size in sizes.tolist()]


def _plain_speech(towers: DualEncoder, clips: Sequence[Tensor], rows: int) -> Tensor:
    device, dtype = towers.logit_scale.device, towers.logit_scale.dtype
    fbank, vectors = Fbank(towers.config.num_mel_bins).to(device), []
    for start in range(0, len(clips), rows):
        chosen = clips[start : start + rows]
        lengths = torch.tensor([len(clip) for clip in chosen], device=device)
        features, counts = fbank(pad_sequence(list(chosen), batch_first=True).to(device), lengths)
        vectors.append(_recorded(towers, lambda: towers.forward_speech(features.to(dtype), counts)))  # noqa: B023
    return torch.cat(vectors)


def _plain_text(towers: DualEncoder, ids: Sequence[Sequence[int]], rows: int) -> Tensor:
    device, vectors = towers.logit_scale.device, []
    for start in range(0, len(ids), rows):
        chosen = [torch.tensor(row) for row in ids[start : start + rows]]
        padded = pad_sequence(chosen, batch_first=True, padding_value=1).to(device)
        vectors.append(_recorded(towers, lambda: towers.forward_text(padded, (padded != 1).long())))  # noqa: B023
    return torch.cat(vectors)


def _recorded(towers: DualEncoder, forward: Callable[[], Tensor]) -> Tensor:
    """A forward pass that records its gradient's graph, as the published one does even when asked not to."""
    towers.requires_grad_(requires_grad=True)
    try:
        with torch.enable_grad():
            return forward().detach().cpu()
    finally:
        towers.requires_grad_(requires_grad=False)


def _process_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
