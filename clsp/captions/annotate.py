"""The body of the annotate step: a captioner describes every segment in several views (reference 1.10).

Segments are done in units that the ledger remembers; rows come out in the order of segments and views, whatever the
order of the answers. Within a unit long clips go first, so that none is left running alone at the end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from clsp.captions.captioners import captioner_of
from clsp.captions.client import Answered, ChatRequest, Reply
from clsp.captions.filters import broken_rule
from clsp.captions.hearing import Hearing
from clsp.captions.prompts import Hears, prompt_hash
from clsp.captions.sums import add_up, save_unit
from clsp.captions.units import Stretch, Task, Units, Workplace, stretches, work_off
from clsp.captions.views import View, asked_caption, caption_id, plan_views, written_caption
from clsp.config.captions import AnnotateSettings
from clsp.records import Caption, CaptionKind, Failure, Segment
from clsp.storage.ledger import UnitResult
from clsp.storage.manifest import Manifest
from clsp.storage.objects import ObjectStore
from clsp.storage.slices import RowSlices
from clsp.storage.steps import Outcome

STEP = "annotate"


def annotate_units(place: Workplace, segments: Manifest, units: Units, settings: AnnotateSettings) -> None:
    """Caption the units that are not done; ``EndpointError`` when too many rows fail or no endpoint is there."""
    rows = RowSlices(place.store, segments.of_kind("segments"), Segment)
    asked = len(rows) * (settings.views + settings.overall_from_measures)

    def make(hearing: Hearing) -> Annotator:
        return Annotator(place.store, rows, hearing, settings)

    work_off(place, Task(units, asked, settings.captioner, settings.workers), make)


def plan_units(segments: Manifest, settings: AnnotateSettings) -> Units:
    """All ``segments`` in units that are captioned and committed together."""
    return stretches(sum(shard.rows for shard in segments.of_kind("segments")), settings.segments_per_unit)


def outcome(results: Iterable[UnitResult], hears: Hears = "sound") -> Outcome:
    """What the step hands over when every unit is done."""
    kinds: tuple[CaptionKind, ...] = ("fine", "global")
    return add_up(results, {"prompt_hashes": {kind: prompt_hash(kind, hears) for kind in kinds}})


@dataclass(frozen=True)
class Annotator:
    """Captions a unit of ``rows``."""

    store: ObjectStore
    rows: RowSlices[Segment]
    hearing: Hearing
    settings: AnnotateSettings

    def __call__(self, unit: str, stretch: Stretch) -> UnitResult:
        """Caption one unit and write its rows: per segment the fine views in order, then the global caption."""
        segments = self.rows.read(*stretch)
        asked = self._ask_in_waves(unit, segments)
        captions: list[Caption] = []
        failures: list[Failure] = []
        for segment in segments:
            for view, reply in asked[segment.id]:
                self._sort_out(view, reply, captions, failures)
        self.hearing.budget.settle()
        written = [caption for segment in segments if (caption := written_caption(segment))]
        return save_unit(self.store, _in_order(segments, captions + written), failures)

    def _ask_in_waves(self, unit: str, segments: Sequence[Segment]) -> dict[str, list[tuple[View, Reply]]]:
        """Views and replies by segment: all views, or so many that enough of their captions keep the rules.

        How many are asked depends on the answers alone, never on their order.
        """
        asked: dict[str, list[tuple[View, Reply]]] = {segment.id: [] for segment in segments}
        longest_first = sorted(segments, key=lambda segment: -segment.duration_s)
        while wave := [view for segment in longest_first for view in self._next_views(segment, asked[segment.id])]:
            replies = self.hearing.ask(unit, self._requests(wave))
            for view in wave:
                asked[view.segment.id].append((view, replies[self._id(view)]))
        return asked

    def _next_views(self, segment: Segment, asked: Sequence[tuple[View, Reply]]) -> Sequence[View]:
        views = plan_views(segment, self.settings)
        if not self.settings.enough:
            return views[len(asked) :]
        fine = [view for view in views if view.kind == "fine"]
        overall = views[len(fine) :] if not asked else ()
        tried = [(view, reply) for view, reply in asked if view.kind == "fine"]
        wanting = self.settings.enough - sum(self._keeps_rules(view, reply) for view, reply in tried)
        return [*fine[len(tried) : len(tried) + max(0, wanting)], *overall]

    def _keeps_rules(self, view: View, reply: Reply) -> bool:
        if not isinstance(reply, Answered):
            return False
        caption = asked_caption(view, reply.text, self.settings)
        return not broken_rule(caption, view.segment, self.settings.rules)

    def _requests(self, views: Sequence[View]) -> list[ChatRequest]:
        uses: dict[str, int] = {}
        for view in views:
            uses[view.segment.id] = uses.get(view.segment.id, 0) + 1
        of = {
            view.segment.id: captioner_of(self.store, view.segment, uses[view.segment.id], self.settings)
            for view in views
        }
        return [ChatRequest(self._id(view), partial(of[view.segment.id].body, view), view.segment.id) for view in views]

    def _id(self, view: View) -> str:
        return caption_id(view, self.settings.captioner.model, prompt_hash(view.kind, self.settings.captioner_hears))

    def _sort_out(self, view: View, reply: Reply, captions: list[Caption], failures: list[Failure]) -> None:
        if isinstance(reply, Answered):
            captions.append(asked_caption(view, reply.text, self.settings))
        else:
            failures.append(Failure(reply.id, STEP, "failed", reply.reason, reply.detail, reply.attempts))


def _in_order(segments: Sequence[Segment], captions: Sequence[Caption]) -> list[Caption]:
    place = {segment.id: number for number, segment in enumerate(segments)}
    return sorted(captions, key=lambda caption: (place[caption.segment_id], caption.kind, caption.view))
