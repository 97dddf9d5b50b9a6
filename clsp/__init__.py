"""CLSP: contrastive language-speech pre-training for speaking style (arXiv 2601.03065).

The science and the rows it moves. No Kubernetes, no KFP, no web framework. Heavy parts load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clsp.version import __version__ as __version__

if TYPE_CHECKING:
    from clsp.model.loading import load_model as load_model

_LAZY = {"load_model": "clsp.model.loading"}
_PACKAGES = ("losses", "optim", "training")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _PACKAGES:
        return import_module(f"clsp.{name}")
    raise AttributeError(f"module 'clsp' has no attribute {name!r}")
