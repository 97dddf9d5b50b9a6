"""One offer to one segment: its sound decoded, cut out, brought to 16 kHz mono and judged as ingest judges."""

from dataclasses import dataclass

from clsp.audio.decode import DecodeError, DecodeLimits, Samples, decode
from clsp.audio.encode import encode_flac, to_pcm16
from clsp.audio.resample import resample
from clsp.config import IngestSettings
from clsp.datasets.guards import member_name
from clsp.datasets.offers import Captions, Offer
from clsp.hashing import digest_of
from clsp.ingest.pieces import find_fault
from clsp.ingest.splits import share_split
from clsp.records import Caption, CaptionKind, Failure, Segment
from clsp.storage.audio_shards import ByteRange, Sound

STEP = "import"
NO_AUDIO = "audio_missing"
DUPLICATE = "duplicate_id"


@dataclass(frozen=True)
class Clip:
    """An offer that can be used: its FLAC, its length in seconds, the sampling rate it came in."""

    offer: Offer
    flac: bytes
    duration_s: float
    rate: int

    @property
    def sound(self) -> Sound:
        """What goes into the audio shard."""
        return Sound(member_name(self.offer.id), self.flac, {"id": self.offer.id, "duration_s": self.duration_s})


def prepare(offer: Offer, settings: IngestSettings) -> Clip | Failure:
    """The clip of an offer, or why it ends here: rejected by a rule, or failed because its sound cannot be read."""
    if offer.problem:
        return refuse(offer, "rejected", offer.problem)
    if offer.sound is None:
        return refuse(offer, "failed", NO_AUDIO)
    try:
        samples, rate = _read(offer, offer.sound(), settings)
    except DecodeError as error:
        return refuse(offer, "rejected" if error.reason == "too_long" else "failed", error.reason, error.detail)
    except OSError as error:
        return refuse(offer, "failed", "unreadable", error.strerror or type(error).__name__)
    seconds = len(samples) / settings.sampling_rate
    if reason := "too_long" if seconds > settings.max_seconds else find_fault(samples, settings):
        return refuse(offer, "rejected", reason, f"{seconds:.2f} s")
    return Clip(offer, encode_flac(to_pcm16(samples), settings.sampling_rate), seconds, rate)


def _read(offer: Offer, data: bytes, settings: IngestSettings) -> tuple[Samples, int]:
    """The clip's stretch of its recording, (n,) at the segments' rate, and the rate the recording has."""
    limits = DecodeLimits(settings.max_file_hours * 3600, settings.min_source_rate, settings.max_source_rate)
    sound = decode(data, limits=limits)
    start, rate = round(offer.start_s * sound.sampling_rate), sound.sampling_rate
    end = start + round(offer.duration_s * rate) if offer.duration_s else len(sound.samples)
    return resample(sound.samples[start:end], rate, settings.sampling_rate), rate


def is_missing(offer: Offer) -> bool:
    """Whether a data set names this clip and does not hold its sound."""
    return offer.sound is None and not offer.problem


def refuse(offer: Offer, outcome: str, reason: str, detail: str = "") -> Failure:
    """The row of an offer that ends here."""
    return Failure(offer.id, STEP, "rejected" if outcome == "rejected" else "failed", reason, detail, 1)


def segment_of(clip: Clip, place: ByteRange, split: str, settings: IngestSettings) -> Segment:
    """The row of a clip. ``split`` is that of a data set which names none; '' draws it by the speaker."""
    offer, facts = clip.offer, clip.offer.facts
    speaker = facts.speaker or offer.id
    drawn = facts.split or split or share_split(speaker, settings.dev_share, settings.test_share, settings.seed)
    return Segment(
        id=offer.id,
        source=facts.source or offer.id,
        start_s=offer.start_s if offer.origin_s is None else offer.origin_s,
        duration_s=clip.duration_s,
        split="dev" if drawn == "dev" else "test" if drawn == "test" else "train",
        speaker=speaker,
        gender=facts.gender,
        accent=facts.accent,
        language=facts.language,
        transcript=facts.transcript,
        licence=facts.licence or settings.licence,
        tags=dict(facts.tags),
        audio_key=place.key,
        audio_offset=place.offset,
        audio_length=place.length,
    )


def captions_of(offer: Offer, captions: Captions, name: str) -> list[Caption]:
    """Caption rows; those of a data set name it as their model, those of an earlier export are as they were."""
    if captions.rows:
        return list(captions.rows)
    texts: list[tuple[CaptionKind, int, str]] = [("fine", view, text) for view, text in enumerate(captions.fine)]
    texts += [("global", view, text) for view, text in enumerate(captions.overall)]
    return [
        Caption(digest_of([offer.id, kind, view, text]), offer.id, kind, view, text, f"dataset:{name}", "", "", 0, {})
        for kind, view, text in texts
    ]
