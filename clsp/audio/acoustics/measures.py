"""The measures of one clip, as plain numbers.

Captions, features and reports all speak about the same few quantities; keeping them in one flat frozen row means
that what a caption says can always be checked against what was measured.
"""

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Acoustics:
    """What was measured in one mono clip; every field is finite.

    A quantity that the clip does not have (the pitch of a whisper, the loudness change of a click) is 0.0, and the
    share or count beside it says so: ``voiced_share``, ``nuclei``, ``speech_s``.
    """

    duration_s: float
    speech_s: float  # time of speech: from the first to the last active frame, pauses taken out
    voiced_share: float  # of the active frames, 0 … 1

    pitch_hz: float  # median over voiced frames
    pitch_range_st: float  # semitones between the 5th and 95th percentile
    pitch_motion_st_s: float  # mean absolute pitch movement, semitones a second of voicing
    pitch_start_hz: float  # median of the first, middle and last third of the voiced frames
    pitch_middle_hz: float
    pitch_end_hz: float
    pitch_change_st: float  # last third against the first
    pitch_arch_st: float  # middle third against the mean of the outer ones
    pitch_slope_st_s: float  # of a straight line through the voiced frames

    nuclei: float  # syllable nuclei counted
    rate_hz: float  # syllable nuclei a second of speech
    rate_change: float  # log2 of (second half / first half)

    loudness_dbfs: float  # root mean square of the active frames
    loudness_range_db: float  # between the 10th and 95th percentile of the active frames
    loudness_change_db: float  # last third of the speech against the first

    pauses: float  # silent stretches inside the speech
    pause_share: float  # of the time between the first and the last active frame
    longest_pause_s: float

    centroid_hz: float  # spectral centre of gravity of the active frames
    tilt_db: float  # energy above 1 kHz against the energy below
    harmonicity_db: float  # harmonics-to-noise ratio of the voiced frames
    roughness_st: float  # frame-to-frame irregularity of the pitch

    def to_dict(self) -> dict[str, float]:
        """One flat row, for a table or a feature store."""
        return asdict(self)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the measures in their order."""
        return tuple(field.name for field in fields(cls))
