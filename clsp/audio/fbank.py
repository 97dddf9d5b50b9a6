"""Log-mel filterbank of 128 bins: the only view of sound that the speech tower ever has.

Training, evaluation and serving share this one implementation, because a model fed with features that differ
from those it was trained on fails silently (reference 3.9). Each clip is mirrored at its own end, so that its
features do not depend on the batch it travels in.
"""

import math

import torch
from torch import Tensor, nn

SAMPLING_RATE = 16_000
WINDOW = 400
HOP = 160
FFT_SIZE = 512
NUM_MEL_BINS = 128
LOW_HZ = 20.0
HIGH_HZ = 7_600.0
PREEMPHASIS = 0.97
BANDS = 8
ENERGY_FLOOR = 1.1920929e-7
PADDING_VALUE = math.log(1e-10)


def frame_count(samples: Tensor) -> Tensor:
    """Frames of clips of `samples` samples (int tensor): one per hop, rounded to the nearest."""
    return torch.div(samples + HOP // 2, HOP, rounding_mode="floor")


class Fbank(nn.Module):
    """(N, T) float waveforms in [-1, 1] at 16 kHz and (N,) lengths in samples to log-mel features.

    Returns features (N, frames, num_mel_bins) float32, padded with ln(1e-10), and (N,) int64 frame counts.
    Source: Kaldi's filterbank as configured in reference 3.9 (snip_edges off, no dither, no normalisation).
    """

    window: Tensor
    mel_weights: Tensor

    def __init__(self, num_mel_bins: int = NUM_MEL_BINS) -> None:
        super().__init__()
        self.num_mel_bins = num_mel_bins
        self.register_buffer("window", povey_window(), persistent=False)
        self.register_buffer("mel_weights", mel_filters(num_mel_bins), persistent=False)
        self._bands = _bands(self.mel_weights)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features and frame counts; without `lengths` every clip fills its whole row."""
        waveforms = waveforms.to(self.window.dtype)
        lengths = _full_lengths(waveforms) if lengths is None else lengths.to(waveforms.device, torch.int64)
        counts = frame_count(lengths)
        if len(counts) == 0 or (longest := int(counts.max())) == 0:
            return waveforms.new_zeros(len(waveforms), 0, self.num_mel_bins), counts
        features = self._log_mel(_frames(waveforms, lengths, longest))
        if int(counts.min()) == longest:
            return features, counts
        beyond = torch.arange(longest, device=counts.device) >= counts[:, None]
        return features.masked_fill_(beyond[:, :, None], PADDING_VALUE), counts

    def _log_mel(self, frames: Tensor) -> Tensor:
        frames = frames - frames.mean(dim=-1, keepdim=True)
        # Written where the transform reads it, zeros behind: each pass over fresh memory counts here.
        shaped = frames.new_zeros(*frames.shape[:2], FFT_SIZE)
        torch.sub(frames[..., :1], frames[..., :1], alpha=PREEMPHASIS, out=shaped[..., :1])
        torch.sub(frames[..., 1:], frames[..., :-1], alpha=PREEMPHASIS, out=shaped[..., 1:WINDOW])
        shaped[..., :WINDOW].mul_(self.window)
        spectrum = torch.fft.rfft(shaped)
        power: Tensor = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        rows = power.flatten(0, 1)
        mel = torch.cat([rows[:, bins] @ self.mel_weights[bins, filters] for bins, filters in self._bands], dim=1)
        return mel.view(*power.shape[:2], -1).clamp_(min=ENERGY_FLOOR).log_()


def povey_window() -> Tensor:
    """Hann window to the power 0.85, (400,) float32."""
    n = torch.arange(WINDOW, dtype=torch.float64)
    hann = 0.5 - 0.5 * torch.cos(2.0 * math.pi * n / (WINDOW - 1))
    return hann.pow(0.85).float()


def mel_filters(num_mel_bins: int) -> Tensor:
    """Triangles equally spaced in mel from 20 to 7600 Hz, (257, num_mel_bins); the Nyquist row is zero."""
    low, high = _mel(torch.tensor(LOW_HZ)), _mel(torch.tensor(HIGH_HZ))
    step = (high - low) / (num_mel_bins + 1)
    left = low + step * torch.arange(num_mel_bins, dtype=torch.float64)
    hertz = torch.arange(FFT_SIZE // 2, dtype=torch.float64) * (SAMPLING_RATE / FFT_SIZE)
    position = (_mel(hertz)[:, None] - left) / step
    triangles = torch.minimum(position, 2.0 - position).clamp(min=0.0)
    return nn.functional.pad(triangles, (0, 0, 0, 1)).float()


def _bands(weights: Tensor) -> list[tuple[slice, slice]]:
    """Groups of neighbouring filters, each with the bins that any of them hears: most weights are zeros."""
    bands, start = [], 0
    for group in weights.tensor_split(BANDS, dim=1):
        heard = group.any(dim=1).nonzero()
        bins = slice(int(heard.min()), int(heard.max()) + 1) if len(heard) else slice(0, 1)
        bands.append((bins, slice(start, start + group.shape[1])))
        start += group.shape[1]
    return bands


def _mel(hertz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(hertz.double() / 700.0)


def _full_lengths(waveforms: Tensor) -> Tensor:
    count, samples = waveforms.shape
    return torch.full((count,), samples, dtype=torch.int64, device=waveforms.device)


def _frames(waveforms: Tensor, lengths: Tensor, frames: int) -> Tensor:
    """Overlapping windows (N, frames, 400) of the mirrored clips; those beyond a clip's own are noise."""
    margin = (WINDOW - HOP) // 2
    after = (frames - 1) * HOP + WINDOW - margin - waveforms.shape[1]
    if len(waveforms) == 1 and 0 < after <= waveforms.shape[1] == int(lengths) >= margin:
        # A clip alone, as training reads it: its two ends are turned round, without an index for every sample.
        mirrored = torch.cat([waveforms[:, :margin].flip(1), waveforms, waveforms[:, -after:].flip(1)], dim=1)
    else:
        position = torch.arange(-margin, waveforms.shape[1] + after, device=waveforms.device)
        mirrored = waveforms.gather(1, _mirror(position[None, :], lengths[:, None].clamp(min=1)))
    return mirrored.unfold(1, WINDOW, HOP)


def _mirror(position: Tensor, length: Tensor) -> Tensor:
    """Index within a clip that continues it by reflection, the edge sample repeated, as often as needed."""
    folded = position.remainder(2 * length)
    return torch.minimum(folded, 2 * length - 1 - folded)
