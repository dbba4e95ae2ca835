"""The content-addressed store: values by hash, manifests that publish them, the cache's index."""

from kfnb.store.blobs import Store, open_store
from kfnb.store.content import hash_bytes, hash_file, size_of
from kfnb.store.manifest import (
    Bundle,
    CellTime,
    Failure,
    FailureClass,
    Manifest,
    Output,
    WrittenFile,
    failed_key,
    manifest_key,
)

__all__ = [
    "Bundle",
    "CellTime",
    "Failure",
    "FailureClass",
    "Manifest",
    "Output",
    "Store",
    "WrittenFile",
    "failed_key",
    "hash_bytes",
    "hash_file",
    "manifest_key",
    "open_store",
    "size_of",
]
