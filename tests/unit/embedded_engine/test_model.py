"""The packaged base models and their checks."""

from __future__ import annotations

import os
from importlib.resources import files

import numpy as np
import pytest

from tinker_ext.embedded.engine.generate import generate
from tinker_ext.embedded.engine.jobs import SampleJob
from tinker_ext.embedded.engine.model import (
    BASE_MODELS,
    BaseModel,
    ModelShape,
    build_base_model,
    load_base_model,
    random_weights,
)
from tinker_ext.embedded.engine.text import decode, encode
from tinker_ext.embedded.engine.threads import limit_blas_threads


def test_base_models_are_cached_and_in_single_precision() -> None:
    for name in BASE_MODELS:
        model = load_base_model(name)
        assert model.name == name
        assert model.dtype == np.float32
        assert load_base_model(name) is model
        assert "array" not in repr(model)


def test_unknown_base_model_raises_key_error() -> None:
    with pytest.raises(KeyError):
        load_base_model("meta-llama/Llama-3.2-1B")


def test_packaged_weights_are_small() -> None:
    path = files("tinker_ext.embedded").joinpath("data", "embedded-tiny.safetensors")
    assert os.path.getsize(str(path)) < 4_000_000


def test_weights_are_read_only(tiny: BaseModel) -> None:
    with pytest.raises(ValueError, match="read-only"):
        tiny.weights["model.norm.weight"][0] = 0.0


def test_weights_with_wrong_shape_are_named() -> None:
    shape = ModelShape(hidden=8, layers=1, heads=2, feedforward=8)
    weights = random_weights(shape, 0)
    weights["lm_head.weight"] = weights["lm_head.weight"][:-1]
    del weights["model.norm.weight"]
    with pytest.raises(ValueError, match=r"lm_head\.weight, model\.norm\.weight"):
        build_base_model("broken", shape, weights)


def test_base_model_can_copy_and_change_letters(tiny: BaseModel) -> None:
    """With words that are not in its training data."""
    expected = {
        "upper: the velvet lantern ->": " THE VELVET LANTERN",
        "copy: a marble teapot ->": " a marble teapot",
        "title: seven purple parcels ->": " Seven Purple Parcels",
    }
    jobs = [SampleJob(encode(prompt), max_tokens=30, temperature=0.0) for prompt in expected]
    result = [decode(samples[0].tokens) for samples in generate(tiny, None, jobs)]
    assert result == list(expected.values())


def test_thread_limit_keeps_existing_settings() -> None:
    environ = {"OMP_NUM_THREADS": "3"}
    limit_blas_threads(environ)
    assert environ["OMP_NUM_THREADS"] == "3"
    assert environ["OPENBLAS_NUM_THREADS"] == "1"
