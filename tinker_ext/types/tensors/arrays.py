"""Arrays of other libraries, seen as numpy, without importing a library nobody has used.

An object can only be a torch tensor if the program has imported torch, so the check reads
``sys.modules`` and never imports. The same holds for numpy arrays.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tinker_ext.types.tensors.dtypes import TensorDtype

    Array: TypeAlias = npt.NDArray[Any]


class SupportsArray(Protocol):
    """A numpy array, a torch tensor, or whatever else numpy can view."""

    def __array__(self) -> Any:
        """The values as a numpy array."""


#: numpy kinds and the wire dtype each becomes. Release 0.4.1 knows "f" and "i" and refuses
#: unsigned integers; they are accepted here as long as every value fits in int64.
DTYPE_OF_KIND: dict[str, TensorDtype] = {"f": "float32", "i": "int64", "u": "int64"}

_KIND_NAMES = {"b": "bool", "c": "complex", "O": "object", "U": "text", "S": "bytes"}
_INT64_MAX = 2**63 - 1
_STRIDED = "torch.strided"  # torch's name of the layout that has every number


def is_torch(value: object) -> bool:
    """Whether the value is a torch tensor. Never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_numpy_loaded() -> bool:
    """Whether numpy can be had without paying for its import."""
    return sys.modules.get("numpy") is not None


def as_numpy(value: object) -> Array | None:
    """A numpy view (or copy) of a torch tensor, numpy array or ``__array__`` object.

    Returns ``None`` for anything else, plain sequences included. Tensors are detached, filled up
    where their layout leaves zeros out, and brought to the CPU; bfloat16 and float16 tensors
    become float32.
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
    """The wire dtype of an array: floats become float32, integers of any width int64.

    Raises:
        InvalidInputError: bool, complex, object and other kinds have no place on the wire.
    """
    dtype = DTYPE_OF_KIND.get(array.dtype.kind)
    if dtype is None:
        kind = _KIND_NAMES.get(array.dtype.kind, str(array.dtype))
        raise InvalidInputError(
            f"{kind} values can't be sent; convert to an integer or floating dtype first",
            where=where,
        )
    return dtype


def wire_copy(array: Array, dtype: TensorDtype, where: str) -> Array:
    """A flat, row-major, read-only copy of ``array`` in the wire dtype.

    A copy, because callers reuse their buffers between building a datum and sending it.
    A float beyond float32's range becomes infinite here and is refused before sending.
    """
    import numpy as np

    if array.dtype.kind == "u" and array.size and int(array.max()) > _INT64_MAX:
        raise InvalidInputError("an unsigned integer is larger than int64 holds", where=where)
    wanted = numpy_dtype(dtype)
    if array.dtype == wanted:
        flat: Array = array.flatten()
    else:
        with np.errstate(over="ignore"):
            flat = array.astype(wanted, order="C").reshape(-1)
    flat.setflags(write=False)
    return flat


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy dtype of a wire dtype; an unknown name a server sent is read as float32."""
    import numpy as np

    return np.dtype(np.int64) if dtype == "int64" else np.dtype(np.float32)
