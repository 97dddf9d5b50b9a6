"""Objects on file:// and s3://, the rows and sounds in them, and the manifests and ledgers over them."""

from clsp.storage.objects import ObjectStore
from clsp.storage.open import open_store

__all__ = ["ObjectStore", "open_store"]
