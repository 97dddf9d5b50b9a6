"""Views: the captions that a segment is to get, each by its own seed and with an id known before it is written.

An id that depends on what was asked alone makes a rerun write the same row, whatever the order of the answers.
"""

from dataclasses import dataclass

from clsp.captions.overall import overall_from_metadata
from clsp.captions.prompts import prompt_hash
from clsp.config.captions import AnnotateSettings
from clsp.hashing import digest_of
from clsp.records import Caption, CaptionKind, Segment


@dataclass(frozen=True)
class View:
    """One caption to be asked for."""

    segment: Segment
    kind: CaptionKind
    number: int
    seed: int


def plan_views(segment: Segment, settings: AnnotateSettings) -> tuple[View, ...]:
    """The views to ask for: ``settings.views`` fine ones, and a global one where metadata gives none."""
    fine = [View(segment, "fine", number, settings.seed + number) for number in range(settings.views)]
    asked = settings.overall_from_measures and not overall_from_metadata(segment)
    return tuple(fine + [View(segment, "global", 0, settings.seed)] * asked)


def written_caption(segment: Segment) -> Caption | None:
    """The global caption that metadata gives, if it does; its ``model`` is '' because people made the statement."""
    text = overall_from_metadata(segment)
    return _caption(View(segment, "global", 0, 0), text, "", "", "", {}) if text else None


def asked_caption(view: View, text: str, settings: AnnotateSettings) -> Caption:
    """The caption row of an answer, with all that its text came from."""
    endpoint, sampling = settings.captioner, settings.sampling.model_dump()
    numbers = {name: float(value) for name, value in sampling.items()}
    return _caption(
        view, text, endpoint.model, endpoint.revision, prompt_hash(view.kind, settings.captioner_hears), numbers
    )


def caption_id(view: View, model: str, prompt: str) -> str:
    """Digest of (segment, kind, view, prompt hash, model, seed)."""
    return digest_of([view.segment.id, view.kind, view.number, prompt, model, view.seed])


def _caption(view: View, text: str, model: str, revision: str, prompt: str, sampling: dict[str, float]) -> Caption:
    return Caption(
        id=caption_id(view, model, prompt),
        segment_id=view.segment.id,
        kind=view.kind,
        view=view.number,
        text=text,
        model=model,
        model_revision=revision,
        prompt_hash=prompt,
        seed=view.seed,
        sampling=sampling,
    )
