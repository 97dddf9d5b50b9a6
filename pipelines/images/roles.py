"""Which image runs what, and the extras of pyproject.toml that it therefore holds.

All roles share a layer with what each of them needs, and those with torch share its layer, which is by far the largest.
"""

from dataclasses import dataclass

from components.images import ANNOTATOR_IMAGE, EMBEDDER_IMAGE, STEP_IMAGE, TRAINER_IMAGE

COMMON, TORCH = "common", "torch"


@dataclass(frozen=True)
class Role:
    """One image: its stage in the Dockerfile, its name, and the extras installed in it."""

    name: str
    image: str
    extras: tuple[str, ...]

    @property
    def shares_torch(self) -> bool:
        """Whether the image stands on the layer that holds torch."""
        return "model" in self.extras


ROLES = (
    Role("annotator", ANNOTATOR_IMAGE, ("audio",)),
    Role("step", STEP_IMAGE, ("audio", "describer", "quality", "features", "pipelines", "kubernetes")),
    Role("trainer", TRAINER_IMAGE, ("audio", "model", "pipelines", "kubernetes")),
    Role("embedder", EMBEDDER_IMAGE, ("audio", "model", "serving", "pipelines", "kubernetes")),
)
