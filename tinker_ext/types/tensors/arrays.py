"""Conversion of arrays to numpy without importing libraries that the program does not use.

An object can only be a torch tensor if the program has imported torch, so the check reads
``sys.modules`` and never imports torch. The same holds for numpy arrays.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
#: The tensor dtypes of the API.
TensorDtype: TypeAlias = Literal["int64", "float32"]


class SupportsArray(Protocol):
    """A numpy array, a torch tensor, or another object that numpy can convert."""

    def __array__(self) -> Any:
        """Returns the values as a numpy array."""


#: Dtypes by numpy kind. Release 0.4.1 accepts "f" and "i" and rejects unsigned integers; this
#: package accepts those if every value fits in int64.
DTYPE_OF_KIND: dict[str, TensorDtype] = {"f": "float32", "i": "int64", "u": "int64"}

_KIND_NAMES = {"b": "bool", "c": "complex", "O": "object", "U": "text", "S": "bytes"}
_INT64_MAX = 2**63 - 1
_STRIDED = "torch.strided"  # torch's name of the dense layout


def is_torch(value: object) -> bool:
    """Returns True for a torch tensor. Never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_numpy_loaded() -> bool:
    """Returns True if numpy has been imported."""
    return sys.modules.get("numpy") is not None


def as_numpy(value: object) -> Array | None:
    """Returns a numpy view or copy of a torch tensor, numpy array or ``__array__`` object.

    Returns ``None`` for other values, including plain sequences. Tensors are detached, made dense
    and moved to the CPU; bfloat16 and float16 tensors become float32.
    """
    if is_torch(value):
        return _torch_to_numpy(value)
    if not hasattr(value, "__array__"):
        return None
    import numpy as np

    return np.asarray(value)


def _torch_to_numpy(tensor: Any) -> Array:
    detached = tensor.detach()
    if str(getattr(detached, "layout", _STRIDED)) != _STRIDED:
        detached = detached.to_dense()
    if detached.is_floating_point():
        detached = detached.float()
    array: Array = detached.cpu().numpy()
    return array


def natural_dtype(array: Array, where: str) -> TensorDtype:
    """The API's dtype for an array: float32 for floats, int64 for integers of any width.

    Raises:
        InvalidInputError: the array has another kind, such as bool, complex or object.
    """
    dtype = DTYPE_OF_KIND.get(array.dtype.kind)
    if dtype is None:
        kind = _KIND_NAMES.get(array.dtype.kind, str(array.dtype))
        raise InvalidInputError(
            f"expected integers or floats, got {kind} values; convert the array first",
            where=where,
        )
    return dtype


def wire_copy(array: Array, dtype: TensorDtype, where: str) -> Array:
    """Returns a flat, row-major, read-only copy of ``array`` with the given dtype.

    It is a copy because callers reuse buffers between building a datum and sending it.
    A float beyond the range of float32 becomes infinite and is rejected before sending.
    """
    import numpy as np

    if array.dtype.kind == "u" and array.size and int(array.max()) > _INT64_MAX:
        raise InvalidInputError("an unsigned integer is out of range for int64", where=where)
    target = numpy_dtype(dtype)
    if array.dtype == target:
        flat: Array = array.flatten()
    else:
        with np.errstate(over="ignore"):
            flat = array.astype(target, order="C").reshape(-1)
    flat.setflags(write=False)
    return flat


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy dtype for an API dtype; an unknown name from a server means float32."""
    import numpy as np

    return np.dtype(np.int64) if dtype == "int64" else np.dtype(np.float32)
