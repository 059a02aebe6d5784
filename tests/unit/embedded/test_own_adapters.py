"""Training that starts from a PEFT adapter in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import tinker_ext as tinker
from tests.builders import datum
from tinker_ext.embedded.engine.lora import LoraSettings, initial_adapter, name_a, name_b
from tinker_ext.embedded.engine.model import load_base_model
from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.execution.own_adapters import OwnAdapters

BASE = "embedded/tiny"
MODULE = "model.layers.0.self_attn.q_proj"
RANK = 4


def arrays_of(*modules: str) -> dict[str, np.ndarray[Any, Any]]:
    """An adapter of some modules, whose B is not zero."""
    whole = initial_adapter(load_base_model(BASE), LoraSettings(rank=RANK, seed=1))
    generator = np.random.default_rng(0)
    names = [name for module in modules for name in (name_a(module), name_b(module))]
    return {name: generator.normal(0, 0.1, whole[name].shape).astype("float32") for name in names}


def write(folder: Path, arrays: dict[str, Any], **config: Any) -> str:
    folder.mkdir(exist_ok=True)
    settings = {"peft_type": "LORA", "r": RANK, "lora_alpha": 8, "base_model_name_or_path": BASE}
    (folder / "adapter_config.json").write_text(json.dumps({**settings, **config}))
    save_file(arrays, folder / "adapter_model.safetensors")
    return str(folder)


def test_scale_of_the_adapter_is_converted(tmp_path: Path) -> None:
    arrays = arrays_of(MODULE)
    path = write(tmp_path / "a", arrays, lora_alpha=32)
    adapter = OwnAdapters(tmp_path).read(path, BASE).adapter
    np.testing.assert_allclose(adapter[name_b(MODULE)], arrays[name_b(MODULE)] * 4, rtol=1e-6)
    np.testing.assert_array_equal(adapter[name_a(MODULE)], arrays[name_a(MODULE)])
    path = write(tmp_path / "a", arrays, lora_alpha=8, use_rslora=True)
    adapter = OwnAdapters(tmp_path).read(path, BASE).adapter
    np.testing.assert_allclose(adapter[name_b(MODULE)], arrays[name_b(MODULE)] * 2, rtol=1e-6)


def test_missing_matrices_of_a_trained_group_are_new_and_without_effect(tmp_path: Path) -> None:
    contents = OwnAdapters(tmp_path).read(write(tmp_path / "a", arrays_of(MODULE)), BASE)
    assert (contents.lora.train_attn, contents.lora.train_mlp) == (True, False)
    assert not contents.lora.train_unembed
    other = MODULE.replace("q_proj", "v_proj")
    assert not contents.adapter[name_b(other)].any()
    assert contents.adapter[name_a(other)].any()
    assert not any(".mlp." in name for name in contents.adapter)


def test_training_starts_from_an_adapter_of_ones_own(tmp_path: Path) -> None:
    data = [datum(range(5, 30))]
    adam = tinker.AdamParams(learning_rate=1e-2)
    with tinker.ServiceClient(base_url="embedded") as service:
        trained = service.create_lora_training_client(BASE, rank=RANK, seed=1)
        for _ in range(2):
            trained.forward_backward(data, "cross_entropy").result()
            trained.optim_step(adam).result()
        expected = trained.forward(data, "cross_entropy").result().metrics["loss:sum"]
        saved = trained.save_weights_for_sampler("a").result()
        rest = service.create_rest_client()
        folder = rest.download_checkpoint(saved.path, tmp_path, extract=True).result().folder
    assert folder is not None
    with tinker.ServiceClient(base_url="embedded") as service:
        own = service.create_training_client_from_state(str(folder.resolve()))
        loss = own.forward(data, "cross_entropy").result().metrics["loss:sum"]
        assert loss == pytest.approx(expected, rel=1e-5)
        own.forward_backward(data, "cross_entropy").result()
        own.optim_step(adam).result()
        assert own.save_state("b").result().path.startswith("tinker://")
        other = service.create_lora_training_client(BASE, rank=RANK)
        other.load_state(str(folder.resolve())).result()
        loss = other.forward(data, "cross_entropy").result().metrics["loss:sum"]
        assert loss == pytest.approx(expected, rel=1e-5)
        with pytest.raises(tinker.BadRequestError, match="is not a PEFT adapter: it has no"):
            service.create_training_client_from_state(str(tmp_path.resolve()))


def test_adapter_outside_the_folder_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a", arrays_of(MODULE))
    inside = tmp_path / "allowed"
    inside.mkdir()
    (inside / "link").symlink_to(path)
    with pytest.raises(UserFailureError, match=r"reads no adapters from its disk.*--adapters"):
        OwnAdapters().read(path, BASE)
    for name in (path, str(inside / "link"), str(inside / ".." / "a")):
        with pytest.raises(UserFailureError, match="not in the folder of --adapters"):
            OwnAdapters(inside).read(name, BASE)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"r": "4"}, "has no rank"),
        ({"r": 999}, "rank must be from 1 to 128"),
        ({"use_dora": True}, "use_dora=True; only False is supported"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        ({"peft_type": "IA3"}, "peft_type='IA3'"),
        ({"r": 2}, r"lora_A.weight of .* has shape \[4, \d+\], expected \[2, \d+\]"),
    ],
)
def test_unsupported_adapter_is_rejected(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "a", arrays_of(MODULE), **config)
    with pytest.raises(UserFailureError, match=message):
        OwnAdapters(tmp_path).read(path, BASE)


def test_adapter_of_another_model_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a", arrays_of(MODULE), base_model_name_or_path="other/model")
    with pytest.raises(UserFailureError, match="'other/model'; pass base_model, one of embedded"):
        OwnAdapters(tmp_path).describe(path, None)
    assert OwnAdapters(tmp_path).describe(path, BASE)[0] == BASE
    arrays = {name.replace(".0.", ".99."): array for name, array in arrays_of(MODULE).items()}
    with pytest.raises(UserFailureError, match="which embedded/tiny does not have"):
        OwnAdapters(tmp_path).read(write(tmp_path / "a", arrays), BASE)


def test_broken_file_is_rejected(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "a", arrays_of(MODULE)))
    (path / "adapter_model.safetensors").write_bytes(b"x" * 20)
    with pytest.raises(UserFailureError, match="can't be read"):
        OwnAdapters(tmp_path).read(str(path), BASE)
