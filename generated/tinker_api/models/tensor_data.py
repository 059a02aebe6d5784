# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..models.tensor_dtype import TensorDtype, check_tensor_dtype
from ..types import UNSET, Unset

T = TypeVar("T", bound="TensorData")


@_attrs_define
class TensorData:
    """An array of numbers, flattened in row-major order."""

    data: list[float] | list[int]
    """ The numbers: integers for int64, integers or floats for float32. """
    dtype: TensorDtype
    """ Types of numbers. """
    shape: list[int] | None | Unset = UNSET
    """ Lengths by dimension. Without it the array has one dimension. """
    sparse_crow_indices: list[int] | None | Unset = UNSET
    """ For a sparse matrix (CSR): where each row begins in data, and the end. """
    sparse_col_indices: list[int] | None | Unset = UNSET
    """ For a sparse matrix (CSR): the column of each number in data. """

    def to_dict(self) -> dict[str, Any]:
        data: list[float] | list[int] = self.data

        dtype: str = self.dtype

        shape: list[int] | None | Unset = self.shape

        sparse_crow_indices: list[int] | None | Unset = self.sparse_crow_indices

        sparse_col_indices: list[int] | None | Unset = self.sparse_col_indices

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "data": data,
                "dtype": dtype,
            }
        )
        if shape is not UNSET:
            field_dict["shape"] = shape
        if sparse_crow_indices is not UNSET:
            field_dict["sparse_crow_indices"] = sparse_crow_indices
        if sparse_col_indices is not UNSET:
            field_dict["sparse_col_indices"] = sparse_col_indices

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_data(data: object) -> list[float] | list[int]:
            try:
                if not isinstance(data, (list, memoryview)):
                    raise TypeError()
                data_type_0 = cast(list[int], data)

                return data_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, (list, memoryview)):
                raise TypeError(f"data cannot be {type(data).__name__}")
            data_type_1 = cast(list[float], data)

            return data_type_1

        data = _parse_data(d.pop("data"))

        dtype = check_tensor_dtype(d.pop("dtype"))

        def _parse_shape(data: object) -> list[int] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, (list, memoryview)):
                raise TypeError(f"shape cannot be {type(data).__name__}")
            shape_type_0 = cast(list[int], data)

            return shape_type_0

        shape = _parse_shape(d.pop("shape", UNSET))

        def _parse_sparse_crow_indices(data: object) -> list[int] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, (list, memoryview)):
                raise TypeError(f"sparse_crow_indices cannot be {type(data).__name__}")
            sparse_crow_indices_type_0 = cast(list[int], data)

            return sparse_crow_indices_type_0

        sparse_crow_indices = _parse_sparse_crow_indices(d.pop("sparse_crow_indices", UNSET))

        def _parse_sparse_col_indices(data: object) -> list[int] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, (list, memoryview)):
                raise TypeError(f"sparse_col_indices cannot be {type(data).__name__}")
            sparse_col_indices_type_0 = cast(list[int], data)

            return sparse_col_indices_type_0

        sparse_col_indices = _parse_sparse_col_indices(d.pop("sparse_col_indices", UNSET))

        tensor_data = cls(
            data=data,
            dtype=dtype,
            shape=shape,
            sparse_crow_indices=sparse_crow_indices,
            sparse_col_indices=sparse_col_indices,
        )

        return tensor_data
