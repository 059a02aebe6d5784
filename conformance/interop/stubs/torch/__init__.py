"""Just enough of torch for the official SDKs: tensors, and gradients of sums of products.

The SDK of 0.4.1 imports torch without using more of it than this unless a loss of the user's is
given; the loss that the drivers give needs no more either. With the real torch in its place the
drivers run just the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Parent = tuple["Tensor", Callable[[np.ndarray[Any, Any]], Any]]


class dtype:  # noqa: N801  # torch's own spelling
    """A number type, with the numpy type that holds it."""

    def __init__(self, name: str, numpy: type[Any] | None) -> None:
        self.name = name
        self.numpy = numpy
        self.is_floating_point = "float" in name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


float32 = dtype("float32", np.float32)
float64 = dtype("float64", np.float64)
bfloat16 = dtype("bfloat16", None)
int32 = dtype("int32", np.int32)
int64 = dtype("int64", np.int64)

strided = "torch.strided"
sparse_csr = "torch.sparse_csr"


class Tensor:
    """An array that remembers what it was computed from."""

    layout = strided
    is_sparse = False
    is_sparse_csr = False

    def __init__(self, data: Any, parents: Sequence[Parent] = ()) -> None:
        self._array = np.asarray(data)
        self._parents = parents
        self.requires_grad = bool(parents)
        self.grad: Tensor | None = None

    @property
    def dtype(self) -> dtype:
        floating = self._array.dtype.kind == "f"
        return float32 if floating else int64

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    def requires_grad_(self, wanted: bool = True) -> Tensor:
        self.requires_grad = wanted
        return self

    def clone(self) -> Tensor:
        return Tensor(self._array.copy())

    detach = clone
    cpu = clone
    contiguous = clone

    def flatten(self) -> Tensor:
        return Tensor(self._array.reshape(-1))

    def reshape(self, *shape: Any) -> Tensor:
        return Tensor(self._array.reshape(*shape))

    def dim(self) -> int:
        return self._array.ndim

    def to(self, wanted: dtype) -> Tensor:
        return Tensor(self._array.astype(wanted.numpy))

    def numpy(self) -> np.ndarray[Any, Any]:
        return self._array

    def tolist(self) -> Any:
        return self._array.tolist()

    def item(self) -> float:
        return float(self._array)

    def __len__(self) -> int:
        return len(self._array)

    def __neg__(self) -> Tensor:
        return self * -1.0

    def __mul__(self, other: Any) -> Tensor:
        factor = other._array if isinstance(other, Tensor) else np.asarray(other)
        return Tensor(self._array * factor, [(self, lambda given: given * factor)])

    def __add__(self, other: Any) -> Tensor:
        if not isinstance(other, Tensor):
            return Tensor(self._array + other, [(self, lambda given: given)])
        both: list[Parent] = [(self, lambda given: given), (other, lambda given: given)]
        return Tensor(self._array + other._array, both)

    __radd__ = __add__

    def sum(self) -> Tensor:
        spread: Callable[[Any], Any] = lambda given: np.broadcast_to(given, self.shape)  # noqa: E731
        return Tensor(self._array.sum(), [(self, spread)])

    def backward(self, gradient: Any = 1.0) -> None:
        """Add this tensor's gradient to each leaf it depends on."""
        if self._parents:
            for parent, rule in self._parents:
                parent.backward(rule(gradient))
        elif self.requires_grad:
            before = 0.0 if self.grad is None else self.grad._array
            self.grad = Tensor(np.asarray(before + gradient, dtype=np.float32))


def tensor(data: Any, dtype: dtype | None = None) -> Tensor:
    array = np.asarray(data)
    if dtype is None:
        dtype = float32 if array.dtype.kind == "f" else int64
    return Tensor(array.astype(dtype.numpy))


def is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    return Tensor(array)
