"""A clip's waveform as a strip of peaks: enough to see pauses, stress and how loudness moves."""

from markupsafe import Markup

from pipelines.report.charts.svg import chart, element
from pipelines.report.views import ClipView

_WIDTH, _HEIGHT = 280, 38


def waveform(clip: ClipView) -> Markup:
    """Peaks mirrored around the middle line, scaled to the clip's loudest."""
    step, middle = _WIDTH / len(clip.peaks), _HEIGHT / 2
    bars = (
        f"M{(i + 0.5) * step:.1f} {middle - peak * middle:.1f}V{middle + peak * middle:.1f}"
        for i, peak in enumerate(clip.peaks)
    )
    path = element("path", d="".join(bars), class_="wave")
    label = f"{clip.duration_s:.1f} seconds of {clip.speaker}"
    return chart("Waveform", label, _WIDTH, _HEIGHT, [path], class_="waveform", preserveAspectRatio="none")
