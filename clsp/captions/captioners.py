"""The two ways a captioner is told of a clip: it hears the sound, or it reads tags of it and writes a sentence.

The second is the cascade of CapSpeech and ParaSpeechCaps, kept for comparison: what no tag names, it cannot say.
"""

import io
import threading
from typing import Protocol

import soundfile

from clsp.audio.acoustics import Acoustics, measure
from clsp.captions.chat import caption_body, prompt_body
from clsp.captions.clips import Sound, read_wav
from clsp.captions.describer import levels
from clsp.captions.overall import noted_tags
from clsp.captions.prompts import caption_prompt, cascaded_prompt
from clsp.captions.views import View
from clsp.config.captions import AnnotateSettings
from clsp.records import Segment
from clsp.storage.objects import ObjectStore

_MEASURED = {
    "pitch": levels.PITCH, "speaking rate": levels.RATE, "loudness": levels.LOUDNESS, "intonation": levels.LIVELINESS,
    "brightness": levels.BRIGHTNESS, "breathiness": levels.HARMONICITY, "steadiness": levels.ROUGHNESS,
}  # fmt: skip
_NEEDS_PITCH = frozenset({"pitch", "intonation", "breathiness", "steadiness"})


class Captioner(Protocol):
    """Bodies of the requests about one segment. Thread-safe, for its views are asked for at once."""

    def body(self, view: View) -> bytes:
        """The request for one view; ``DataError`` when the sound is damaged."""


class Listener:
    """Sends the sound, with what people noted about it where that is wanted."""

    def __init__(self, store: ObjectStore, segment: Segment, views: int, settings: AnnotateSettings) -> None:
        self._sound = Sound(store, segment, views)
        self._settings = settings

    def body(self, view: View) -> bytes:
        """The request for one view."""
        settings = self._settings
        tags = noted_tags(view.segment) if settings.tags_in_prompt else {}
        prompt = caption_prompt(view.kind, tags)
        return caption_body(settings.captioner.model, prompt, self._sound.take(), settings.sampling, view.seed)


class TagReader:
    """Sends tags alone: measured ones, and over them what people noted."""

    def __init__(self, store: ObjectStore, segment: Segment, settings: AnnotateSettings) -> None:
        self._store, self._segment, self._settings = store, segment, settings
        self._tags: dict[str, str] = {}
        self._lock = threading.Lock()

    def body(self, view: View) -> bytes:
        """The request for one view."""
        with self._lock:
            self._tags = self._tags or self._read_tags()
        prompt = cascaded_prompt(view.kind, self._tags)
        return prompt_body(self._settings.captioner.model, prompt, self._settings.sampling, view.seed)

    def _read_tags(self) -> dict[str, str]:
        samples, rate = soundfile.read(io.BytesIO(read_wav(self._store, self._segment)), dtype="float32")
        return {**measured_tags(measure(samples, rate)), **noted_tags(self._segment)}


def measured_tags(acoustics: Acoustics) -> dict[str, str]:
    """Discrete tags of a clip by name, by the same cuts as the describer's words."""
    named = _MEASURED if acoustics.pitch_hz > 0 else {n: s for n, s in _MEASURED.items() if n not in _NEEDS_PITCH}
    return {name: scale.wordings(acoustics)[0] for name, scale in named.items()}


def captioner_of(store: ObjectStore, segment: Segment, views: int, settings: AnnotateSettings) -> Captioner:
    """The captioner of one segment, of which ``views`` views are asked for."""
    if settings.captioner_hears == "tags":
        return TagReader(store, segment, settings)
    return Listener(store, segment, views, settings)
