"""From validated JSON to arrays: what the schema cannot check is checked here, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.execution.answers import UserFailureError
from tinker_ext.embedded.execution.sparse import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.engine.trainer import TrainingDatum

    Array = npt.NDArray[np.generic]

DTYPES = {"int64": "i8", "float32": "f4"}


@frozen
class LossInput:
    """What a forward or forward_backward request computes, as small as it gets."""

    data: list[TrainingDatum]
    loss_fn: str
    loss_fn_config: Mapping[str, float] | None


def loss_input(given: Mapping[str, Any]) -> LossInput | UserFailureError:
    """A ForwardBackwardInput, or what is wrong with it, naming the datum and the field.

    The fault is returned, not raised: it is reported when it is the request's turn.
    """
    try:
        config = checked_config(given.get("loss_fn_config"))
        return LossInput(_data(given["data"]), given["loss_fn"], config)
    except UserFailureError as error:
        return error


def checked_config(config: Mapping[str, Any] | None) -> Mapping[str, float] | None:
    """The settings of a loss, all of which have to be numbers here.

    Raises:
        UserFailureError: one is not.
    """
    for name, value in (config or {}).items():
        if not isinstance(value, int | float):
            raise UserFailureError(f"loss_fn_config[{name!r}]: must be a number")
    return config


def _data(items: Sequence[Mapping[str, Any]]) -> list[TrainingDatum]:
    from tinker_ext.embedded.engine.trainer import TrainingDatum

    return [
        TrainingDatum(
            tokens=prompt(item["model_input"], where=f"data[{index}].model_input"),
            inputs={
                name: tensor(value, where=f"data[{index}].loss_fn_inputs[{name!r}]")
                for name, value in item["loss_fn_inputs"].items()
            },
        )
        for index, item in enumerate(items)
    ]


def prompt(model_input: Mapping[str, Any], *, where: str) -> npt.NDArray[np.int64]:
    """The tokens (n,) of all chunks, which have to be text.

    Raises:
        UserFailureError: there is a chunk of another kind.
    """
    tokens: list[int] = []
    for index, chunk in enumerate(model_input["chunks"]):
        if "tokens" not in chunk or isinstance(chunk["tokens"], int | float):
            kind = chunk.get("type") or "image"
            raise UserFailureError(f"{where}.chunks[{index}]: this model reads text, not {kind}")
        tokens += chunk["tokens"]
    return _array(tokens, "i8", where)


def tensor(value: Mapping[str, Any], *, where: str, fill: int = 0) -> Array:
    """A TensorData as an array of its dtype and shape; row-major, one-dimensional without a shape.

    Compressed rows are filled up with `fill`.

    Raises:
        UserFailureError: the numbers don't fit the dtype or the shape, or the rows them.
    """
    flat = _array(value["data"], DTYPES[value["dtype"]], where)
    shape = value.get("shape")
    rows = compressed_rows(value, where=where)
    if rows is not None:
        return rows.matrix(flat, [int(size) for size in shape or []], where, fill)
    if shape is None:
        return flat
    try:
        return flat.reshape([int(size) for size in shape])
    except ValueError:
        message = f"{where}: {flat.size} numbers don't make the shape {shape}"
        raise UserFailureError(message) from None


def compressed_rows(value: Mapping[str, Any], *, where: str) -> Rows | None:
    """Where the numbers of a TensorData are, if it is in compressed rows.

    Raises:
        UserFailureError: one of the two lists of indices is missing.
    """
    starts, columns = value.get("sparse_crow_indices"), value.get("sparse_col_indices")
    if starts is None and columns is None:
        return None
    if starts is None or columns is None:
        raise UserFailureError(f"{where}: compressed rows have two lists of indices")
    return Rows(starts=_array(starts, "i8", where), columns=_array(columns, "i8", where))


def _array(numbers: Sequence[int | float], dtype: str, where: str) -> npt.NDArray[Any]:
    import numpy as np

    try:
        with np.errstate(over="ignore", invalid="ignore"):
            exact = np.array(numbers, dtype=None if numbers else dtype)
            cast = exact.astype(dtype)
    except OverflowError:
        raise UserFailureError(f"{where}: a number is too large") from None
    if dtype == "i8" and not np.array_equal(exact, cast):
        raise UserFailureError(f"{where}: int64 data may hold whole numbers of 64 bits only")
    if not np.isfinite(cast).all():
        raise UserFailureError(f"{where}: a number is too large for float32")
    return cast


def tensor_data(array: npt.NDArray[Any], rows: Rows | None = None) -> dict[str, Any]:
    """An array as a TensorData, ready for the encoder, which writes arrays as they are.

    Of a matrix with `rows` only what is in those.
    """
    dtype = "float32" if array.dtype.kind == "f" else "int64"
    given = array if rows is None else rows.of(array)
    found = {
        "data": given.astype(DTYPES[dtype], copy=False).ravel(),
        "dtype": dtype,
        "shape": list(array.shape),
    }
    if rows is None:
        return found
    return {**found, "sparse_crow_indices": rows.starts, "sparse_col_indices": rows.columns}
