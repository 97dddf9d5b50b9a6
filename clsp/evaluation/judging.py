"""Two manifests of captions before a judge: which clips both describe, and the endpoint that is asked about them."""

from clsp.captions.budget import FailureBudget
from clsp.captions.client import ChatClient
from clsp.captions.connection import CAPTIONER_KEY, connect_all
from clsp.config import EndpointSettings, EvaluationSettings, SamplingSettings
from clsp.errors import DataError
from clsp.evaluation.judge import Comparison, Judge, Pair
from clsp.records import Caption, Segment
from clsp.storage.manifest import load_manifest, read_rows
from clsp.storage.objects import ObjectStore

_FAILED_SHARE = 0.2  # a comparison may lack some answers: it says how many


def judge_captions(
    store: ObjectStore, sets: tuple[str, str], segments: str, url: str, model: str, rounds: int, clips: int
) -> Comparison:
    """Compare the first fine captions of the first ``clips`` segments that both manifests describe."""
    pairs = read_pairs(store, sets, segments)[:clips]
    if not pairs:
        raise DataError("the two manifests describe no segment in common", hint="caption the same segments in both")
    endpoint = EndpointSettings(url=url, model=model)
    budget = FailureBudget(url, len(pairs) * rounds, _FAILED_SHARE, endpoint.patience)
    with ChatClient(connect_all(url, CAPTIONER_KEY), endpoint, budget) as client:
        return Judge(client, store, model, SamplingSettings(), rounds).compare(pairs, EvaluationSettings())


def read_pairs(store: ObjectStore, sets: tuple[str, str], segments: str) -> list[Pair]:
    """Clips that both manifests describe, in the order of their segments."""
    a, b = (_first_fine(store, name) for name in sets)
    rows = read_rows(store, load_manifest(store, segments), "segments", Segment)
    return [Pair(row, a[row.id], b[row.id]) for row in rows if row.id in a and row.id in b]


def _first_fine(store: ObjectStore, name: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for caption in read_rows(store, load_manifest(store, name), "captions", Caption):
        if caption.kind == "fine":
            texts.setdefault(caption.segment_id, caption.text)
    return texts
