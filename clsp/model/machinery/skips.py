"""What some clips go without: branches, and channels of hidden units; more of them while the weights are raw."""

from torch import Tensor, nn
from torch.nn.functional import dropout

from clsp.model.machinery.scheduled import Points, ScheduledFloat
from clsp.model.masking import kept_clips

RAW_FACTOR = 3.0
RAW_BATCHES = 20_000


class SequenceSkip(nn.Module):
    """Zeroes a branch's (N, …) output for a random share of clips (reference 3.17)."""

    def __init__(self, share: float | Points) -> None:
        super().__init__()
        self.share = ScheduledFloat.of(share)

    def forward(self, x: Tensor) -> Tensor:
        """Identity unless training."""
        kept = self.mask(x)
        return x if kept is None else x * kept

    def mask(self, x: Tensor) -> Tensor | None:
        """(N, 1, …) with zeros for the clips that go without; None where all keep the branch."""
        share = self.share.value if self.training else 0.0
        return kept_clips(x, share) if share > 0.0 else None


class SharedDropout(nn.Module):
    """Dropout of (N, T, C) that drops the same channels in all frames of a clip (reference 3.15).

    Three times ``p`` while weights are raw.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = ScheduledFloat((0.0, min(RAW_FACTOR * p, 0.9)), (RAW_BATCHES, p))

    def forward(self, x: Tensor) -> Tensor:
        """Identity unless training."""
        factors = self.factors(x, x.shape[-1])
        return x if factors is None else x * factors

    def factors(self, x: Tensor, channels: int) -> Tensor | None:
        """(N, 1, channels) for N clips: 0 where dropped, else 1 / (1 − p); None where nothing is dropped."""
        p = self.p.value if self.training else 0.0
        return dropout(x.new_ones(len(x), 1, channels), p) if p > 0.0 else None
