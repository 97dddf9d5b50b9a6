"""The body of the annotate step: a captioner describes every segment in several views (reference 1.10).

Segments are done in units that the ledger remembers; rows come out in the order of segments and views, whatever the
order of the answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from clsp.captions.budget import FailureBudget, step_budget
from clsp.captions.chat import caption_body
from clsp.captions.client import Answered, ChatClient, ChatRequest, Reply
from clsp.captions.clips import read_wav
from clsp.captions.connection import Connection
from clsp.captions.overall import noted_tags
from clsp.captions.prompts import caption_prompt, prompt_hash
from clsp.captions.sums import UNREADABLE, Units, add_up, save_unit
from clsp.captions.views import View, asked_caption, caption_id, plan_views, written_caption
from clsp.config.captions import AnnotateSettings
from clsp.errors import DataError
from clsp.progress import Progress
from clsp.records import Caption, Failure, Segment
from clsp.storage.ledger import Ledger, UnitResult
from clsp.storage.manifest import Manifest, read_rows
from clsp.storage.objects import ObjectStore
from clsp.storage.rows import in_chunks
from clsp.storage.steps import Outcome

STEP = "annotate"


def annotate_units(
    store: ObjectStore, ledger: Ledger, units: Units[Segment], settings: AnnotateSettings, connection: Connection
) -> list[UnitResult]:
    """Caption the units that are not done; ``EndpointError`` when too many rows fail or the endpoint is not there."""
    asked = sum(len(plan_views(segment, settings)) for _, segments in units for segment in segments)
    done = ledger.done(name for name, _ in units)
    budget = step_budget(connection.url, settings.captioner, asked, done.values())
    annotator = _Annotator(store, ChatClient(connection, settings.captioner, budget), budget, settings)
    with Progress(STEP, len(units), "units") as progress:
        return ledger.complete(units, annotator.annotate_unit, progress)


def plan_units(store: ObjectStore, segments: Manifest, settings: AnnotateSettings) -> Units[Segment]:
    """All ``segments`` in units that are captioned and committed together."""
    chunks = in_chunks(read_rows(store, segments, "segments", Segment), settings.segments_per_unit)
    return [(f"{number:06d}", chunk) for number, chunk in enumerate(chunks)]


def outcome(results: Iterable[UnitResult]) -> Outcome:
    """What the step hands over when every unit is done."""
    return add_up(results, {"prompt_hashes": {"fine": prompt_hash("fine"), "global": prompt_hash("global")}})


@dataclass(frozen=True)
class _Annotator:
    store: ObjectStore
    client: ChatClient
    budget: FailureBudget
    settings: AnnotateSettings

    def annotate_unit(self, segments: Sequence[Segment]) -> UnitResult:
        """Caption one unit and write its rows: per segment the fine views in order, then the global caption."""
        views = [view for segment in segments for view in plan_views(segment, self.settings)]
        sounds = self._read_sounds(segments)
        replies = self._ask([view for view in views if view.segment.id in sounds], sounds)
        captions: list[Caption] = []
        failures: list[Failure] = []
        for view in views:
            self._sort_out(view, replies.get(self._id(view)), captions, failures)
        self.budget.settle()
        written = [caption for segment in segments if (caption := written_caption(segment))]
        return save_unit(self.store, _in_order(segments, captions + written), failures)

    def _read_sounds(self, segments: Sequence[Segment]) -> dict[str, bytes]:
        sounds: dict[str, bytes] = {}
        for segment in segments:
            try:
                sounds[segment.id] = read_wav(self.store, segment)
            except DataError:
                continue  # its views are counted as failed
        return sounds

    def _ask(self, views: Sequence[View], sounds: Mapping[str, bytes]) -> dict[str, Reply]:
        requests = [ChatRequest(self._id(view), partial(self._body, view, sounds)) for view in views]
        return {reply.id: reply for reply in self.client.ask(requests)}

    def _body(self, view: View, sounds: Mapping[str, bytes]) -> bytes:
        tags = noted_tags(view.segment) if self.settings.tags_in_prompt else {}
        prompt = caption_prompt(view.kind, tags)
        model, sampling = self.settings.captioner.model, self.settings.sampling
        return caption_body(model, prompt, sounds[view.segment.id], sampling, view.seed)

    def _id(self, view: View) -> str:
        return caption_id(view, self.settings.captioner.model, prompt_hash(view.kind))

    def _sort_out(self, view: View, reply: Reply | None, captions: list[Caption], failures: list[Failure]) -> None:
        if isinstance(reply, Answered):
            captions.append(asked_caption(view, reply.text, self.settings))
        elif reply is None:
            failures.append(Failure(self._id(view), STEP, "failed", UNREADABLE, "the FLAC is damaged", 1))
        else:
            failures.append(Failure(reply.id, STEP, "failed", reply.reason, reply.detail, reply.attempts))


def _in_order(segments: Sequence[Segment], captions: Sequence[Caption]) -> list[Caption]:
    place = {segment.id: number for number, segment in enumerate(segments)}
    return sorted(captions, key=lambda caption: (place[caption.segment_id], caption.kind, caption.view))
