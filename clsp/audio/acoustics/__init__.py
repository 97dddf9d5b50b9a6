"""Acoustic measures of a clip: what can be said about a voice by measuring it, without a model.

``measure`` is the only way in; ``Acoustics`` is what comes out.
"""

from clsp.audio.acoustics.measurement import measure
from clsp.audio.acoustics.measures import Acoustics

__all__ = ["Acoustics", "measure"]
