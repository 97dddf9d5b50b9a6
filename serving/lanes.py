"""The two queues of one version before the device. A version that was swapped out keeps its lane until it is empty."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clsp.audio.fbank import SAMPLING_RATE
from clsp.config.serving import ServeSettings
from clsp.model.embedding import EmbeddingModel
from serving.queues import Batching, Queue


@dataclass(frozen=True, eq=False)
class Lane:
    """Where clips (16 kHz samples) and texts (token ids) of one model wait."""

    speech: Queue
    text: Queue

    def learn_from(self, other: "Lane") -> None:
        """Start from the rates that another version of the model was measured at."""
        self.speech.rate, self.text.rate = other.speech.rate, other.text.rate


def open_lane(model: EmbeddingModel, settings: ServeSettings) -> Lane:
    """Empty queues whose batches ``model`` encodes."""

    def encode_speech(clips: list[NDArray[np.float32]]) -> torch.Tensor:
        return model.encode_speech([torch.from_numpy(clip) for clip in clips])

    def batching(budget: int) -> Batching:
        return Batching(budget, settings.batch_window, settings.batch_fill, settings.batch_forward_seconds)

    budgets = settings.budgets(model.device.type)
    return Lane(
        Queue("audio", encode_speech, batching(int(budgets.seconds * SAMPLING_RATE))),
        Queue("text", model.encode_ids, batching(budgets.tokens)),
    )
