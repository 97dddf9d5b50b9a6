"""Synthetic speech whose pitch, rate, loudness and changes are known: data for a first run without recordings."""

from clsp.audio.synthesis.corpus import write_corpus
from clsp.audio.synthesis.espeak import SAMPLING_RATE
from clsp.audio.synthesis.plans import Change, ClipPlan, Part, plan_corpus
from clsp.audio.synthesis.speech import synthesise
from clsp.audio.synthesis.voices import SPEAKERS, Speaker

__all__ = [
    "SAMPLING_RATE",
    "SPEAKERS",
    "Change",
    "ClipPlan",
    "Part",
    "Speaker",
    "plan_corpus",
    "synthesise",
    "write_corpus",
]
