"""A stage over sixteen tones, in this process or in others that find it by its folder."""

from dataclasses import dataclass
from pathlib import Path

from clsp.config import BatchSettings, OptimiserSettings, StageSettings
from clsp.data.clips import ClipFeatures
from clsp.data.loader import Loader
from clsp.data.order import BatchOrder
from clsp.data.tokenizer import train_tokenizer, vocabulary_size
from clsp.model.tokens import read_tokenizer
from clsp.storage import ObjectStore, open_store
from clsp.training.world import World
from tests.speech import save_tones, training_examples
from tests.training.nano import nano_config, nano_trainer

OPTIMISER = OptimiserSettings(base_lr=0.01, warmup_batches=2, lr_batches=100)


def stage_settings(steps: int = 8, micro_batches: int = 2, **changes: object) -> StageSettings:
    """A stage of a few steps on batches of eight clips."""
    batch = BatchSettings(global_clips=8, buckets=2, micro_batches=micro_batches)
    return StageSettings(steps=steps, batch=batch, task_steps=8, **({"optimiser": OPTIMISER} | changes))


@dataclass
class Bench:
    """What a stage needs, in one process."""

    store: ObjectStore
    folder: Path
    manifest: str

    def trainer(self, stage="stage1", settings=None, world=None, **config):
        shape = nano_config(vocabulary_size(self.folder), **config)
        return nano_trainer(stage, settings or stage_settings(), shape, world or World())

    def loader(self, trainer):
        examples = training_examples(self.store, self.manifest)
        order = BatchOrder((tuple(range(8)), tuple(range(8, 16))), (8, 8), seed=3)
        tokenizer = read_tokenizer(self.folder, 62, vocabulary_size(self.folder))
        features = ClipFeatures(self.store, examples, 2**24)
        world = trainer.world
        settings = trainer.objective.settings
        options = {"micro_batches": settings.batch.micro_batches, "swaps": settings.swapped_weight > 0}
        return Loader(examples, features, order, tokenizer, trainer.objective.task, world.rank, world.size, **options)

    @classmethod
    def at(cls, root: Path) -> "Bench":
        """The bench of a folder that ``make`` filled."""
        return cls(open_store(str(root / "store")), root / "tokenizer", (root / "manifest").read_text())

    @classmethod
    def make(cls, root: Path) -> "Bench":
        name = save_tones(open_store(str(root / "store")), 16)
        (root / "manifest").write_text(name)
        examples = training_examples(open_store(str(root / "store")), name)
        texts = [text for example in examples for text in (*example.fine, *example.overall)]
        train_tokenizer(texts, 320, root / "tokenizer", 62)
        return cls.at(root)
