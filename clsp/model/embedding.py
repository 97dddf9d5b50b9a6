"""A loaded model as its users see it: waveforms and texts in, unit vectors out.

Everything between is fixed here once for evaluation, serving and scripts: features, order, padding, precision. A
vector does not depend on what else is in the call (design section 4).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clsp.audio.fbank import SAMPLING_RATE, Fbank, frame_count
from clsp.config.serving import Budgets, ServeSettings, Tower
from clsp.errors import DataError, ModelError
from clsp.model.batches import length_sorted_batches
from clsp.model.compiled import CompiledTowers, shapes_between
from clsp.model.config import ModelConfig
from clsp.model.dual_encoder import DualEncoder
from clsp.model.sources import UNNEEDED
from clsp.model.tokens import TextTokenizer, checked_tokens, longest_text
from clsp.model.waveforms import Waveforms, at_model_rate, read_waveforms, refuse_short
from clsp.records import ModelVersion
from clsp.registry.style_reference import StyleReference

_ENCODERS = {"speech": "encoder", "text": "text_encoder"}


class EmbeddingModel:
    """Both towers of one version.

    ``identity`` says which; ``budgets`` bound a forward; ``absent`` are modules that hold
    no trained weights, and a tower among them is refused to embed; ``tower`` says which of the two was loaded;
    ``compiled`` trades slow first calls for fast ones; ``reference`` calibrates style scores.
    """

    def __init__(
        self,
        towers: DualEncoder,
        tokenizer: TextTokenizer | None,
        identity: ModelVersion,
        *,
        budgets: Budgets,
        absent: Collection[str] = (),
        tower: Tower = "both",
        reference: StyleReference | None = None,
        compiled: bool = False,
    ) -> None:
        self.identity = identity
        self.reference = reference
        self.tower = tower
        self._absent = frozenset(absent) | UNNEEDED[tower]
        self._compiled = CompiledTowers(towers) if compiled else None
        self._towers = towers.eval().requires_grad_(requires_grad=False)
        self._tokenizer = tokenizer
        self._fbank = Fbank(towers.config.num_mel_bins).to(self.device)
        self._batch_samples = int(budgets.seconds * SAMPLING_RATE)
        self._batch_tokens = budgets.tokens

    @property
    def config(self) -> ModelConfig:
        """The shape of the model."""
        return self._towers.config

    @property
    def dimension(self) -> int:
        """D, the length of every vector."""
        return self.config.embedding_dim

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._towers.logit_scale.device

    def compile_ahead(self, settings: ServeSettings) -> None:
        """Compile the shapes a server is asked for most, so that none of its callers waits for it; minutes."""
        if self._compiled is None:
            return
        if self.embeds("speech"):
            ends = (
                _frames(settings.min_audio_seconds * SAMPLING_RATE),
                _frames(settings.max_audio_seconds * SAMPLING_RATE),
            )
            shapes = shapes_between(*ends, _frames(self._batch_samples), settings.batch_window)
            self._compiled.prepare("speech", shapes)
        if self.embeds("text"):
            shapes = shapes_between(1, longest_text(self.config), self._batch_tokens, settings.batch_window)
            self._compiled.prepare("text", shapes)

    def encode_speech(
        self, waveforms: Waveforms, lengths: Tensor | Sequence[int] | None = None, sampling_rate: int = SAMPLING_RATE
    ) -> Tensor:
        """(N, T) waveforms with optional (N,) ``lengths`` in samples, or a list of 1-D ones, to (N, D) float32 on CPU.

        Samples are in [-1, 1]; other rates than 16 kHz are resampled. ``DataError`` names the clip that is too
        short, not finite, not floating point or not in that range.
        """
        self.require("speech")
        clips = at_model_rate(read_waveforms(waveforms, lengths), sampling_rate)
        refuse_short(clips)
        batches = length_sorted_batches([len(clip) for clip in clips], self._batch_samples)
        return self._gather(len(clips), batches, lambda batch: self._speech([clips[index] for index in batch]))

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """N texts to (N, D) float32 on CPU; ``ModelError`` when the model has no tokenizer."""
        return self.encode_ids(self.token_ids(texts))

    def encode_tokens(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(N, L) token ids, padded on the right, and their mask (1 = token) to (N, D) float32 on CPU.

        Ids under the mask do not matter. ``DataError`` for ids, lengths or masks that do not fit the text tower.
        """
        self.require("text")
        input_ids = checked_tokens(input_ids, attention_mask, self.config)
        attention_mask = attention_mask.long()
        columns = torch.arange(1, input_ids.shape[1] + 1, device=attention_mask.device)
        ends = (attention_mask * columns).amax(dim=1).tolist() if input_ids.numel() else []
        batches = length_sorted_batches(ends, self._batch_tokens)

        def forward(batch: list[int]) -> Tensor:
            longest = max(1, *(ends[index] for index in batch))
            rows = torch.tensor(batch)
            return self._text(input_ids[rows, :longest], attention_mask[rows, :longest])

        return self._gather(len(input_ids), batches, forward)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, cut at the text tower's limit; cheap, and safe in any thread."""
        if isinstance(texts, str):
            raise DataError("texts must be a list of strings", hint="put the one text into a list")
        self.require("text")
        if self._tokenizer is None:
            raise ModelError(
                "the model directory holds no tokenizer", hint="add its tokenizer.json, or call encode_tokens"
            )
        return self._tokenizer.ids(texts)

    def encode_ids(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Unpadded token ids of N texts to (N, D) float32 on CPU."""
        self.require("text")
        batches = length_sorted_batches([len(row) for row in ids], self._batch_tokens)
        pad = self.config.text.get("pad_token_id", 1)

        def forward(batch: list[int]) -> Tensor:
            rows = [torch.tensor(ids[index]) for index in batch]
            padded = pad_sequence(rows, batch_first=True, padding_value=pad)
            return self._text(padded, pad_sequence([torch.ones_like(row) for row in rows], batch_first=True))

        return self._gather(len(ids), batches, forward)

    def embeds(self, kind: Literal["speech", "text"]) -> bool:
        """Whether the tower of ``kind`` is here, with weights that were trained."""
        return _ENCODERS[kind] not in self._absent

    def require(self, kind: Literal["speech", "text"]) -> None:
        """``ModelError`` unless this model embeds ``kind``."""
        if self.embeds(kind):
            return
        if self.tower not in ("both", kind):
            raise ModelError(f"only the {self.tower} tower is loaded here", hint=f"ask an endpoint that embeds {kind}")
        raise ModelError(
            f"{self.identity.name!r} brings no {kind} tower",
            hint="join the towers (clsp import model SPEAR --text ROBERTA --out DIR) and train them",
        )

    def features(self, waveforms: Waveforms, lengths: Tensor | Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """(N, frames, bins) log-mel features of 16 kHz waveforms, padded with ln(1e-10), and (N,) frame counts."""
        return self._features(read_waveforms(waveforms, lengths))

    def _features(self, clips: list[Tensor]) -> tuple[Tensor, Tensor]:
        if not clips:
            return torch.zeros(0, 0, self.config.num_mel_bins), torch.zeros(0, dtype=torch.int64)
        samples = torch.tensor([len(clip) for clip in clips])
        features, counts = self._fbank(pad_sequence(clips, batch_first=True).to(self.device), samples.to(self.device))
        return features, counts

    def _speech(self, clips: list[Tensor]) -> Tensor:
        features, counts = self._features(clips)
        return (self._compiled or self._towers).forward_speech(features.to(self._towers.logit_scale.dtype), counts)

    def _text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        ids, mask = input_ids.to(self.device), attention_mask.to(self.device)
        if self._compiled is not None:
            return self._compiled.forward_text(ids, mask)
        return self._towers.forward_text(ids, mask)

    def _gather(self, count: int, batches: list[list[int]], forward: Callable[[list[int]], Tensor]) -> Tensor:
        """Run ``forward`` over the batches and put its rows back in order, of unit norm also in half precision."""
        vectors = torch.zeros(count, self.dimension)
        for batch in batches:
            with torch.inference_mode():
                rows = torch.nn.functional.normalize(forward(batch).float(), dim=-1).cpu()
            vectors[torch.tensor(batch)] = rows
        return vectors


def _frames(samples: float) -> int:
    return int(frame_count(torch.tensor(int(samples))))
