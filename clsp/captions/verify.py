"""The body of the verify step: rules first, then a verifier with a four-item checklist (reference 1.10).

Every caption that goes in comes out as passed, rejected by a named rule or item, or failed; the captions of one
segment are judged together, and no further once enough of them have passed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from clsp.captions.clip_units import Clip, ClipUnits
from clsp.captions.filters import filter_clip
from clsp.captions.hearing import Hearing
from clsp.captions.sums import add_up, save_unit
from clsp.captions.units import Task, Workplace, work_off
from clsp.captions.verifier import Verifier
from clsp.config.captions import VerifySettings
from clsp.records import Caption, Failure, Segment, Verdict
from clsp.storage.ledger import UnitResult
from clsp.storage.manifest import save_rows
from clsp.storage.objects import ObjectStore
from clsp.storage.steps import Outcome

STEP, RULES_JUDGE = "verify", "rules"
SURPLUS, TOO_FEW = "surplus", "too_few"
Outcomes = dict[str, Verdict | Failure]


def verify_units(place: Workplace, clips: ClipUnits, settings: VerifySettings) -> None:
    """Judge the units that are not done; ``EndpointError`` when the verifier fails too many captions."""

    def make(hearing: Hearing) -> Judge:
        return Judge(place.store, clips, Verifier(hearing, settings), settings)

    work_off(place, Task(clips.units, clips.captions, settings.verifier, settings.workers), make)


def outcome(results: Iterable[UnitResult]) -> Outcome:
    """What the step hands over when every unit is done."""
    return add_up(results, {})


@dataclass(frozen=True)
class Judge:
    """Judges a unit of ``clips``."""

    store: ObjectStore
    clips: ClipUnits
    verifier: Verifier
    settings: VerifySettings

    def __call__(self, unit: str, rows: object) -> UnitResult:
        """Judge one unit and write the captions that passed, all verdicts, and the failures."""
        clips = self.clips.load(rows)
        outcomes = self._by_rules(clips)
        while wave := [row for clip in clips for row in self._next_rows(clip, outcomes)]:
            outcomes |= self.verifier.judge(unit, wave)
        self.verifier.hearing.budget.settle()
        for clip in clips:
            outcomes |= self._keep(clip, outcomes)
        captions = [caption for clip in clips for caption in clip.captions]
        return self._save(captions, [outcomes[caption.id] for caption in captions])

    def _by_rules(self, clips: Sequence[Clip]) -> Outcomes:
        broken = [
            (caption, rule)
            for clip in clips
            for rules in [filter_clip(clip.captions, clip.segment, self.settings)]
            for caption in clip.captions
            if (rule := rules[caption.id])
        ]
        return {caption.id: _by_rule(caption, rule, f"rule {rule}") for caption, rule in broken}

    def _next_rows(self, clip: Clip, outcomes: Mapping[str, object]) -> list[tuple[Caption, Segment]]:
        """Which captions to judge next: all, or as many as ``keep`` still wants, in the order of views."""
        waiting = [caption for caption in clip.captions if caption.id not in outcomes]
        fine = [caption for caption in waiting if caption.kind == "fine"]
        if self.settings.keep:
            wanting = self.settings.keep - len(_passed(clip, outcomes))
            kept = {caption.id for caption in fine[: max(0, wanting)]}
            waiting = [caption for caption in waiting if caption.kind != "fine" or caption.id in kept]
        return [(caption, clip.segment) for caption in waiting]

    def _keep(self, clip: Clip, outcomes: Outcomes) -> Outcomes:
        """Verdicts of fine captions that are not needed, and of those whose segment has too few."""
        unneeded: Outcomes = {
            caption.id: _by_rule(caption, SURPLUS, f"{self.settings.keep} others passed")
            for caption in clip.captions
            if caption.id not in outcomes
        }
        passed = _passed(clip, outcomes)
        if len(passed) >= self.settings.keep_least:
            return unneeded
        reason = f"{len(passed)} of the segment passed, {self.settings.keep_least} are needed"
        return unneeded | {
            verdict.caption_id: replace(verdict, passed=False, item=TOO_FEW, reason=reason) for verdict in passed
        }

    def _save(self, captions: Sequence[Caption], outcomes: Sequence[Verdict | Failure]) -> UnitResult:
        verdicts = [outcome for outcome in outcomes if isinstance(outcome, Verdict)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        passed = {verdict.caption_id for verdict in verdicts if verdict.passed}
        rejected = Counter(verdict.item for verdict in verdicts if not verdict.passed)
        shards = [save_rows(self.store, "verdicts", Verdict, verdicts)] if verdicts else []
        accepted = [caption for caption in captions if caption.id in passed]
        return save_unit(self.store, accepted, failures, rejected, shards)


def _passed(clip: Clip, outcomes: Mapping[str, object]) -> list[Verdict]:
    fine = [outcomes.get(caption.id) for caption in clip.captions if caption.kind == "fine"]
    return [outcome for outcome in fine if isinstance(outcome, Verdict) and outcome.passed]


def _by_rule(caption: Caption, rule: str, reason: str) -> Verdict:
    return Verdict(
        caption_id=caption.id,
        segment_id=caption.segment_id,
        kind=caption.kind,
        passed=False,
        item=rule,
        reason=reason,
        judge=RULES_JUDGE,
        prompt_hash="",
    )
