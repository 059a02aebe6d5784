"""Adapters merged into the base weights, kept for the next request that samples from them."""

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

KEPT = 16
"""Merged models kept; each takes as much memory as the base (some 4 MB for embedded/tiny)."""


class MergedCache:
    """Merged weights by content of the adapter. Thread-safe; the least recently used goes first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = Lock()
        self._entries: OrderedDict[bytes, Mapping[str, Array]] = OrderedDict()

    def get(self, base: BaseModel, adapter: Mapping[str, Array] | None) -> Mapping[str, Array]:
        """The base's weights with the adapter added in; the base's own for None.

        EngineInputError when the adapter is not one of this base model's.
        """
        if not adapter:
            return base.weights
        key = _digest(base, adapter)
        with self._lock:
            if key not in self._entries:
                check_adapter(base, adapter)
                self._entries[key] = merged_weights(base, adapter)
            self._entries.move_to_end(key)
            while len(self._entries) > self._kept:
                self._entries.popitem(last=False)
            return self._entries[key]


def check_adapter(base: BaseModel, adapter: Mapping[str, Array]) -> None:
    """EngineInputError unless every array has a place, its partner, and a fitting shape."""
    left = dict(adapter)
    for module, (out, width) in base.shape.matrices().items():
        a, b = left.pop(name_a(module), None), left.pop(name_b(module), None)
        if a is None and b is None:
            continue
        if a is None or b is None or (b.shape[:1], a.shape[1:]) != ((out,), (width,)):
            raise EngineInputError(f"the adapter of {module} is incomplete or misshapen")
        if a.shape[0] != b.shape[1]:
            raise EngineInputError(f"the adapter of {module} has two ranks")
    if left:
        raise EngineInputError(f"{base.name} has no place for {', '.join(sorted(left))}")


def _digest(base: BaseModel, adapter: Mapping[str, Array]) -> bytes:
    """Identity of an adapter by its content; hashing takes well under a millisecond per rank."""
    digest = blake2b(f"{base.name} {id(base)}".encode(), digest_size=16)
    for name in sorted(adapter):
        array = adapter[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()
