"""The body of the verify step: rules first, then a verifier with a four-item checklist (reference 1.10).

Every caption that goes in comes out as passed, rejected by a named rule or item, or failed; the captions of one
segment are judged together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clsp.captions.budget import FailureBudget, step_budget
from clsp.captions.client import ChatClient
from clsp.captions.connection import Connection
from clsp.captions.filters import filter_clip
from clsp.captions.sums import Units, add_up, save_unit
from clsp.captions.verifier import Verifier
from clsp.config.captions import VerifySettings
from clsp.errors import DataError
from clsp.progress import Progress
from clsp.records import Caption, Failure, Segment, Verdict
from clsp.storage.ledger import Ledger, UnitResult
from clsp.storage.manifest import Manifest, read_rows, save_rows
from clsp.storage.objects import ObjectStore
from clsp.storage.steps import Outcome

STEP, RULES_JUDGE = "verify", "rules"


@dataclass(frozen=True)
class Clip:
    """A segment and all its captions."""

    segment: Segment
    captions: tuple[Caption, ...]


def verify_units(
    store: ObjectStore, ledger: Ledger, units: Units[Clip], settings: VerifySettings, connection: Connection
) -> list[UnitResult]:
    """Judge the units that are not done; ``EndpointError`` when the verifier fails too many captions."""
    asked = sum(len(clip.captions) for _, clips in units for clip in clips)
    done = ledger.done(name for name, _ in units)
    budget = step_budget(connection.url, settings.verifier, asked, done.values())
    verifier = Verifier(ChatClient(connection, settings.verifier, budget), budget, settings)
    judge = _Judge(store, verifier, budget, settings)
    with Progress(STEP, len(units), "units") as progress:
        return ledger.complete(units, judge.verify_unit, progress)


def plan_units(store: ObjectStore, segments: Manifest, captions: Manifest, settings: VerifySettings) -> Units[Clip]:
    """All ``captions``, with their segments, in units that are judged and committed together."""
    known = {segment.id: segment for segment in read_rows(store, segments, "segments", Segment)}
    clips = group_by_segment(read_rows(store, captions, "captions", Caption), known)
    return [(f"{number:06d}", unit) for number, unit in enumerate(pack(clips, settings.captions_per_unit))]


def outcome(results: Iterable[UnitResult]) -> Outcome:
    """What the step hands over when every unit is done."""
    return add_up(results, {})


def group_by_segment(captions: Iterable[Caption], known: Mapping[str, Segment]) -> list[Clip]:
    """Clips in the order in which their segments first have a caption; ``DataError`` for an unknown segment."""
    groups: dict[str, list[Caption]] = defaultdict(list)
    for caption in captions:
        groups[caption.segment_id].append(caption)
    strange = sorted(groups.keys() - known.keys())
    if strange:
        raise DataError(
            f"captions of {len(strange)} segments that the segments' manifest does not hold, first {strange[0][:12]}",
            hint="give verify the segments that the captions were made from",
        )
    return [Clip(known[name], tuple(group)) for name, group in groups.items()]


def pack(clips: Iterable[Clip], captions: int) -> Iterator[list[Clip]]:
    """Units of whole clips with at most ``captions`` captions, or of one clip that has more."""
    unit: list[Clip] = []
    held = 0
    for clip in clips:
        if unit and held + len(clip.captions) > captions:
            yield unit
            unit, held = [], 0
        unit.append(clip)
        held += len(clip.captions)
    if unit:
        yield unit


@dataclass(frozen=True)
class _Judge:
    store: ObjectStore
    verifier: Verifier
    budget: FailureBudget
    settings: VerifySettings

    def verify_unit(self, clips: Sequence[Clip]) -> UnitResult:
        """Judge one unit and write the captions that passed, all verdicts, and the failures."""
        rules = {
            name: rule
            for clip in clips
            for name, rule in filter_clip(clip.captions, clip.segment, self.settings).items()
        }
        rows = [(caption, clip.segment) for clip in clips for caption in clip.captions]
        judged = self.verifier.judge([(caption, segment) for caption, segment in rows if not rules[caption.id]])
        self.budget.settle()
        outcomes = [judged.get(caption.id) or _by_rule(caption, rules[caption.id]) for caption, _ in rows]
        verdicts = [outcome for outcome in outcomes if isinstance(outcome, Verdict)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        return self._save([caption for caption, _ in rows], verdicts, failures)

    def _save(
        self, captions: Sequence[Caption], verdicts: Sequence[Verdict], failures: Sequence[Failure]
    ) -> UnitResult:
        passed = {verdict.caption_id for verdict in verdicts if verdict.passed}
        rejected = Counter(verdict.item for verdict in verdicts if not verdict.passed)
        shards = [save_rows(self.store, "verdicts", Verdict, list(verdicts))] if verdicts else []
        accepted = [caption for caption in captions if caption.id in passed]
        return save_unit(self.store, accepted, failures, rejected, shards)


def _by_rule(caption: Caption, rule: str) -> Verdict:
    return Verdict(
        caption_id=caption.id,
        segment_id=caption.segment_id,
        kind=caption.kind,
        passed=False,
        item=rule,
        reason=f"rule {rule}",
        judge=RULES_JUDGE,
        prompt_hash="",
    )
