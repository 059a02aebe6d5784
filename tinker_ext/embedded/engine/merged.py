"""A cache of base weights with merged adapters, for sampling."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.lora import merged_weights, name_a, name_b

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import BaseModel

    Array = npt.NDArray[np.floating[Any]]

CAPACITY = 16
"""Merged models in the cache, each the size of the base model (about 4 MB for embedded/tiny)."""


class MergedCache:
    """Merged weights by content of the adapter. Thread-safe; evicts the least recently used."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._entries: OrderedDict[bytes, Mapping[str, Array]] = OrderedDict()

    def get(self, base: BaseModel, adapter: Mapping[str, Array] | None) -> Mapping[str, Array]:
        """The base weights plus the adapter; the base weights alone if it is None or empty.

        Raises:
            EngineInputError: the adapter does not fit the base model.
        """
        if not adapter:
            return base.weights
        key = _digest(base, adapter)
        with self._lock:
            if key not in self._entries:
                check_adapter(base, adapter)
                self._entries[key] = merged_weights(base, adapter)
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
            return self._entries[key]


def check_adapter(base: BaseModel, adapter: Mapping[str, Array]) -> None:
    """Check that an adapter fits a base model.

    Raises:
        EngineInputError: an array is unknown, lacks its counterpart or has the wrong shape.
    """
    remaining = dict(adapter)
    for module, (out, width) in base.shape.matrices().items():
        a, b = remaining.pop(name_a(module), None), remaining.pop(name_b(module), None)
        if a is None and b is None:
            continue
        if a is None or b is None or (b.shape[:1], a.shape[1:]) != ((out,), (width,)):
            raise EngineInputError(f"the adapter of {module} is incomplete or has the wrong shape")
        if a.shape[0] != b.shape[1]:
            raise EngineInputError(
                f"the adapter of {module} has rank {a.shape[0]} in A, but {b.shape[1]} in B"
            )
    if remaining:
        unknown = ", ".join(sorted(remaining))
        raise EngineInputError(f"{base.name} has no modules for the arrays {unknown}")


def _digest(base: BaseModel, adapter: Mapping[str, Array]) -> bytes:
    """A hash of an adapter's content; hashing takes less than a millisecond per rank."""
    digest = blake2b(f"{base.name} {id(base)}".encode(), digest_size=16)
    for name in sorted(adapter):
        array = adapter[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()
