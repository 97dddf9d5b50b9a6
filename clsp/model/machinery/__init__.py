"""What acts in training only: schedules of what is dropped, and edits of gradients. None of it has weights."""

from clsp.model.machinery.balancer import Balancer
from clsp.model.machinery.edits import GradientEdit, Switched, edited, limit_parameter, scale_gradient
from clsp.model.machinery.penalty import ScorePenalty
from clsp.model.machinery.scheduled import Points, ScheduledFloat, falling
from clsp.model.machinery.skips import SequenceSkip, SharedDropout
from clsp.model.machinery.switch import set_batch_count, switch_edits
from clsp.model.machinery.whiten import Whiten

__all__ = [
    "Balancer",
    "GradientEdit",
    "Points",
    "ScheduledFloat",
    "ScorePenalty",
    "SequenceSkip",
    "SharedDropout",
    "Switched",
    "Whiten",
    "edited",
    "falling",
    "limit_parameter",
    "scale_gradient",
    "set_batch_count",
    "switch_edits",
]
