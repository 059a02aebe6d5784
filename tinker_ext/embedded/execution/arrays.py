"""Converts validated JSON to arrays, with the checks that the schema can't express."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.execution.sparse import CsrIndices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.engine.trainer import TrainingDatum
    from tinker_ext.embedded.execution.provenance import DatumSpans

    Array = npt.NDArray[np.generic]

DTYPES = {"int64": "i8", "float32": "f4"}


@frozen
class LossInput:
    """The decoded input of a forward or forward_backward request.

    `spans` has the provenance of each datum, or is empty if the request can't contain any.
    """

    data: list[TrainingDatum]
    loss_fn: str
    loss_fn_config: Mapping[str, float] | None
    spans: Sequence[DatumSpans | None] = ()


def decode_loss_input(params: Mapping[str, Any]) -> LossInput | UserFailureError:
    """Decode a ForwardBackwardInput, or return an error that names the datum and the field.

    The error is not raised, because it is the result of the request and reported in its turn.
    """
    try:
        config = check_config(params.get("loss_fn_config"))
        return LossInput(_data(params["data"]), params["loss_fn"], config)
    except UserFailureError as error:
        return error


def check_config(config: Mapping[str, Any] | None) -> Mapping[str, float] | None:
    """Check that all settings of a loss are numbers, and return them.

    Raises:
        UserFailureError: a setting is not a number.
    """
    for name, value in (config or {}).items():
        if not isinstance(value, int | float):
            raise UserFailureError(f"loss_fn_config[{name!r}]: must be a number")
    return config


def _data(items: Sequence[Mapping[str, Any]]) -> list[TrainingDatum]:
    from tinker_ext.embedded.engine.trainer import TrainingDatum

    return [
        TrainingDatum(
            tokens=decode_prompt(item["model_input"], where=f"data[{index}].model_input"),
            inputs={
                name: decode_tensor(value, where=f"data[{index}].loss_fn_inputs[{name!r}]")
                for name, value in item["loss_fn_inputs"].items()
            },
        )
        for index, item in enumerate(items)
    ]


def decode_prompt(model_input: Mapping[str, Any], *, where: str) -> npt.NDArray[np.int64]:
    """The tokens (n,) of all chunks.

    Raises:
        UserFailureError: a chunk is not text.
    """
    tokens: list[int] = []
    for index, chunk in enumerate(model_input["chunks"]):
        if "tokens" not in chunk or isinstance(chunk["tokens"], int | float):
            raise not_text(_kind(chunk), f"{where}.chunks[{index}]")
        tokens += chunk["tokens"]
    return _array(tokens, "i8", where)


def not_text(kind: str, where: str) -> UserFailureError:
    """The error about a chunk that is not text, such as an image."""
    return UserFailureError(
        f"{where}: this model reads text, not {kind}: the embedded models have no vision or audio "
        "encoder; send the chunk's description as text, or use a server with such a model"
    )


def _kind(chunk: Mapping[str, Any]) -> str:
    """The kind of a chunk; only text and images have no `type` in some releases."""
    kind = str(chunk.get("type") or "image")
    return {"image_asset_pointer": "image", "dmel": "audio (dmel)"}.get(kind, kind)


def decode_tensor(value: Mapping[str, Any], *, where: str, fill: int = 0) -> Array:
    """Decode a TensorData: row-major, and one-dimensional if it has no shape.

    The missing elements of a CSR tensor become `fill`.

    Raises:
        UserFailureError: the numbers don't match the dtype or the shape, or the CSR indices are
            invalid.
    """
    flat = _array(value["data"], DTYPES[value["dtype"]], where)
    shape = value.get("shape")
    indices = decode_csr_indices(value, where=where)
    if indices is not None:
        return indices.to_dense(flat, [int(size) for size in shape or []], where, fill)
    if shape is None:
        return flat
    try:
        return flat.reshape([int(size) for size in shape])
    except ValueError:
        message = f"{where}: {flat.size} numbers don't fit the shape {shape}"
        raise UserFailureError(message) from None


def decode_csr_indices(value: Mapping[str, Any], *, where: str) -> CsrIndices | None:
    """The indices of a CSR tensor, or None if the tensor is dense.

    Raises:
        UserFailureError: one of the two lists of indices is missing.
    """
    rows, columns = value.get("sparse_crow_indices"), value.get("sparse_col_indices")
    if rows is None and columns is None:
        return None
    if rows is None or columns is None:
        raise UserFailureError(f"{where}: a CSR tensor needs both lists of indices")
    return CsrIndices(rows=_array(rows, "i8", where), columns=_array(columns, "i8", where))


def _array(numbers: Sequence[int | float], dtype: str, where: str) -> npt.NDArray[Any]:
    import numpy as np

    try:
        with np.errstate(over="ignore", invalid="ignore"):
            exact = np.array(numbers, dtype=None if numbers else dtype)
            cast = exact.astype(dtype)
    except OverflowError:
        raise UserFailureError(f"{where}: a number is too large") from None
    if dtype == "i8" and not np.array_equal(exact, cast):
        raise UserFailureError(f"{where}: int64 data must be 64-bit integers")
    if not np.isfinite(cast).all():
        raise UserFailureError(f"{where}: a number is too large for float32")
    return cast


def to_tensor_data(array: npt.NDArray[Any], csr: CsrIndices | None = None) -> dict[str, Any]:
    """An array as a TensorData for `encode_json`; with `csr` only the elements at its indices."""
    dtype = "float32" if array.dtype.kind == "f" else "int64"
    values = array if csr is None else csr.select(array)
    tensor = {
        "data": values.astype(DTYPES[dtype], copy=False).ravel(),
        "dtype": dtype,
        "shape": list(array.shape),
    }
    if csr is None:
        return tensor
    return {**tensor, "sparse_crow_indices": csr.rows, "sparse_col_indices": csr.columns}
