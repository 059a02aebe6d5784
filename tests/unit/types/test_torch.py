"""Conversion from and to torch tensors. Torch is optional: a fake tensor records the calls."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import Datum, ModelInput, TensorData


class StandIn:
    """The part of ``torch.Tensor`` that the package uses.

    Like a real tensor, it raises on ``numpy()`` if it is on another device, in bfloat16 or requires
    a gradient.
    """

    def __init__(self, values: Any, *, floating: bool, ready: bool = False) -> None:
        self.values, self.floating = np.asarray(values), floating
        self.detached = self.is_float32 = self.on_cpu = ready

    def _copy(self, **changes: bool) -> StandIn:
        tensor = StandIn(self.values, floating=self.floating)
        tensor.__dict__.update(self.__dict__, **changes)
        return tensor

    def detach(self) -> StandIn:
        return self._copy(detached=True)

    def is_floating_point(self) -> bool:
        return self.floating

    def float(self) -> StandIn:
        return self._copy(is_float32=True)

    def cpu(self) -> StandIn:
        return self._copy(on_cpu=True)

    def __array__(self) -> Any:
        return self.numpy()

    def numpy(self) -> Any:
        assert self.detached, "Can't call numpy() on a tensor that requires grad"
        assert self.on_cpu, "can't convert a tensor of another device"
        assert self.is_float32 or not self.floating, "Got unsupported ScalarType BFloat16"
        return self.values.astype(np.float32) if self.floating else self.values


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    module = ModuleType("torch")
    module.Tensor = StandIn  # type: ignore[attr-defined]  # a fake module
    module.from_numpy = lambda array: StandIn(array, floating=False, ready=True)  # type: ignore[attr-defined]  # the same
    monkeypatch.setitem(sys.modules, "torch", module)
    return StandIn


def test_tensors_are_detached_cast_to_float32_and_moved_to_cpu(stand_in: type[StandIn]) -> None:
    datum = Datum(
        model_input=ModelInput.from_ints(stand_in([1, 2], floating=False)),
        loss_fn_inputs={
            "target_tokens": stand_in([2, 3], floating=False),
            "weights": stand_in([0.5, 1.0], floating=True),
        },
    )
    assert datum.model_input.to_ints() == [1, 2]
    inputs = datum.loss_fn_inputs
    assert (inputs["target_tokens"].dtype, inputs["target_tokens"].data) == ("int64", [2, 3])
    assert (inputs["weights"].dtype, inputs["weights"].data) == ("float32", [0.5, 1.0])


def test_list_of_tensors_becomes_matrix(stand_in: type[StandIn]) -> None:
    rows: Any = [stand_in([0.5, 1.0], floating=True), stand_in([1.5, 2.0], floating=True)]
    tensor = TensorData(rows)
    assert (tensor.shape, tensor.dtype) == ([2, 2], "float32")
    assert tensor.tolist() == [[0.5, 1.0], [1.5, 2.0]]


def test_bool_tensor_rejected(stand_in: type[StandIn]) -> None:
    mask: Any = stand_in([True, False], floating=False)
    with pytest.raises(InvalidInputError, match="bool"):
        TensorData.from_torch(mask)


def test_to_torch_keeps_shape(stand_in: type[StandIn]) -> None:
    back: Any = TensorData([[1, 2], [3, 4]]).to_torch()
    assert back.numpy().tolist() == [[1, 2], [3, 4]]


def test_to_torch_without_torch_raises_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="torch"):
        TensorData([1]).to_torch()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int32", "uint8"])
def test_torch_tensor_round_trips(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[1, 2], [3, 4]], dtype=getattr(torch, dtype)).t()
    if tensor.is_floating_point():
        tensor.requires_grad_()
    converted = TensorData.from_torch(tensor)
    assert converted.dtype == ("float32" if "float" in dtype else "int64")
    assert converted.data == [1, 3, 2, 4]
    back = converted.to_torch()
    assert back.dtype == (torch.float32 if "float" in dtype else torch.int64)
    assert torch.equal(back, tensor.detach().to(back.dtype))
    array = np.array([[1, 3], [2, 4]], dtype=converted.dtype)
    assert converted == TensorData.from_numpy(array)


def test_mostly_zero_torch_matrix_becomes_sparse() -> None:
    torch = pytest.importorskip("torch")
    weights = torch.zeros(4, 10, dtype=torch.bfloat16)
    weights[1, 2] = 0.5
    inputs = Datum(
        model_input=ModelInput.from_ints([1, 2, 3, 4]),
        loss_fn_inputs={"target_tokens": weights.long(), "weights": weights, "advantages": weights},
    ).loss_fn_inputs
    assert inputs["weights"].sparse_crow_indices == [0, 0, 1, 1, 1]
    assert inputs["target_tokens"].is_sparse
    assert not inputs["advantages"].is_sparse
    assert torch.equal(inputs["weights"].to_torch(), weights.float())
    assert inputs["weights"].to_torch(pad_value=2)[0, 0] == 2


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_torch_sparse_layouts_accepted() -> None:
    torch = pytest.importorskip("torch")
    weights = torch.zeros(4, 10)
    weights[1, 2] = 0.5
    compressed = TensorData.from_torch_sparse(weights)
    for layout in (weights.to_sparse(), weights.to_sparse_csr()):
        assert TensorData.from_torch_sparse(layout) == compressed
        assert TensorData.from_torch(layout) == TensorData.from_torch(weights)
