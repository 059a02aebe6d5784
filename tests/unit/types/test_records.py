"""Types work with the functions of `dataclasses` and have the methods of pydantic models."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import pprint
import pydoc
from datetime import UTC, datetime
from typing import Any

import attrs
import numpy as np
import pydantic
import pytest

import tinker_ext as tinker
from tinker_ext import types
from tinker_ext.types.records import Record

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=PROMPT, loss_fn_inputs={"target_tokens": [2, 3, 4], "weights": [0.0, 1.0, 1.0]}
)
SEQUENCE = tinker.SampledSequence("stop", [5, 6], [-0.5, -1.0], sequence_id="sequence-1")
RESPONSE = tinker.SampleResponse([SEQUENCE], prompt_logprobs=[None, -0.25])
OUTPUT = tinker.ForwardBackwardOutput(
    "scalar", [{"loss": tinker.TensorData([0.5], "float32")}], {"loss:sum": 0.5}
)
CHECKPOINT = types.Checkpoint(
    "weights/a", "training", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "tinker://run/weights/a"
)
RECORDS: list[Any] = [
    PROMPT,
    DATUM,
    SEQUENCE,
    RESPONSE,
    OUTPUT,
    CHECKPOINT,
    tinker.AdamParams(learning_rate=1e-3),
    tinker.SamplingParams(max_tokens=4, stop=["\n"]),
    tinker.LoraConfig(rank=8),
    tinker.TensorData([1, 2], "int64"),
    tinker.AdamOptimizerConfig(),
    tinker.DimuonOptimizerConfig(),
    tinker.DimuonParams(learning_rate=0.1),
    types.CheckpointsListResponse([CHECKPOINT], types.Cursor(0, 10, 1)),
    tinker.ImageChunk(data=b"\x89PNG", format="png", expected_tokens=7),
]
CLASSES = [
    getattr(types, name)
    for name in vars(types)["__all__"]
    if isinstance(getattr(types, name), type) and attrs.has(getattr(types, name))
]
ids = [type(record).__name__ for record in RECORDS]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_type_is_a_dataclass_an_attrs_class_and_has_a_schema(cls: Any) -> None:
    assert issubclass(cls, Record)
    is_dataclass: bool = dataclasses.is_dataclass(cls)
    public = {field.name for field in dataclasses.fields(cls)}
    assert is_dataclass
    assert public == set(cls.model_fields)
    assert not any(name.startswith("_") for name in public)
    assert set(cls.model_json_schema()["properties"]) == public


@pytest.mark.parametrize("record", RECORDS, ids=ids)
def test_round_trip_through_dict_and_json(record: Any) -> None:
    cls = type(record)
    assert cls.model_validate(record.model_dump()) == record
    assert cls.model_validate_json(record.model_dump_json()) == record
    assert cls.model_validate(record) is record
    assert json.loads(record.model_dump_json()) == record.model_dump(mode="json")


@pytest.mark.parametrize("record", RECORDS, ids=ids)
def test_copies_are_equal(record: Any) -> None:
    for again in (
        dataclasses.replace(record),
        attrs.evolve(record),
        record.model_copy(),
        record.model_copy(deep=True),
        copy.copy(record),
        pickle.loads(pickle.dumps(record)),
    ):
        assert again == record
        assert type(again) is type(record)


@pytest.mark.parametrize("record", RECORDS, ids=ids)
def test_pprint_shows_the_repr(record: Any) -> None:
    assert pprint.pformat(record, width=10_000) == repr(record)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_help_describes_the_type(cls: Any) -> None:
    assert f"class {cls.__name__}" in pydoc.plain(pydoc.render_doc(cls))


def unpickled(cls: Any, state: dict[str, Any]) -> Any:
    """What `pickle.load` makes of an object of the official SDK's class with this state."""
    record = cls.__new__(cls)
    record.__setstate__(state)
    return record


def pydantic_state(**values: Any) -> dict[str, Any]:
    """The state of a pydantic model, which is how the official SDK pickles it."""
    return {
        "__dict__": values,
        "__pydantic_extra__": None,
        "__pydantic_fields_set__": set(values),
        "__pydantic_private__": None,
    }


def dataclass_tensor(values: list[float], dtype: str) -> Any:
    """A tensor as release 0.38.0 pickles it."""
    state = {
        "dtype": dtype,
        "shape": [len(values)],
        "sparse_crow_indices": None,
        "sparse_col_indices": None,
        "_numpy": np.array(values, dtype),
    }
    return unpickled(tinker.TensorData, state)


def test_objects_pickled_by_the_official_sdk_are_loaded_as_records() -> None:
    chunk = unpickled(
        tinker.EncodedTextChunk, pydantic_state(tokens=[1, 2, 3], type="encoded_text")
    )
    prompt = unpickled(tinker.ModelInput, pydantic_state(chunks=[chunk]))
    assert prompt == PROMPT
    inputs = {
        "target_tokens": dataclass_tensor([2, 3, 4], "int64"),
        "weights": dataclass_tensor([0.0, 1.0, 1.0], "float32"),
    }
    datum = unpickled(
        tinker.Datum,
        {
            "model_input": prompt,
            "loss_fn_inputs": inputs,
            "model_input_spans": None,
            "loss_fn_input_spans": None,
        },
    )
    assert datum == DATUM
    sequence = unpickled(
        tinker.SampledSequence,
        {
            "stop_reason": "stop",
            "sequence_id": "sequence-1",
            "tokens_np": np.array([5, 6]),
            "logprobs_np": np.array([-0.5, -1.0], np.float32),
            "topk_logprobs_np": None,
            "_tokens_list": None,
            "_logprobs_list": None,
            "_topk_logprobs_list": None,
        },
    )
    assert sequence == SEQUENCE
    params = unpickled(tinker.LoraConfig, pydantic_state(rank=8, seed=None, train_mlp=True))
    assert params == tinker.LoraConfig(rank=8)


def test_pickled_state_with_other_fields_raises_unpickling_error() -> None:
    with pytest.raises(pickle.UnpicklingError, match="LoraConfig was pickled by a package or rel"):
        unpickled(tinker.LoraConfig, {"rank": 8, "unheard_of": 1})


def test_base_class_is_not_a_dataclass() -> None:
    assert not hasattr(Record, "model_fields")
    assert not dataclasses.is_dataclass(Record)


def test_asdict_has_public_names_and_nested_dicts() -> None:
    assert dataclasses.asdict(SEQUENCE) == {
        "stop_reason": "stop",
        "tokens": [5, 6],
        "logprobs": [-0.5, -1.0],
        "topk_logprobs": None,
        "sequence_id": "sequence-1",
    }
    content = dataclasses.asdict(DATUM)
    assert content["model_input"] == {"chunks": [{"tokens": [1, 2, 3], "type": "encoded_text"}]}
    assert content["loss_fn_inputs"]["weights"]["data"] == [0.0, 1.0, 1.0]
    assert dataclasses.astuple(tinker.LoraConfig(rank=4)) == (4, None, True, True, True)


def test_replace_converts_and_checks_like_the_constructor() -> None:
    longer = dataclasses.replace(DATUM, loss_fn_inputs={"weights": np.ones(3, np.float32)})
    assert longer.loss_fn_inputs["weights"].data == [1.0, 1.0, 1.0]
    assert longer.model_input is DATUM.model_input
    with pytest.raises(tinker.InvalidInputError, match="expected a ModelInput"):
        dataclasses.replace(DATUM, model_input=[1, 2])
    with pytest.raises(TypeError, match="no_such_field"):
        dataclasses.replace(DATUM, no_such_field=1)


def test_replace_accepts_arrays_of_results() -> None:
    replaced = dataclasses.replace(SEQUENCE, tokens_np=np.array([7, 8, 9]))
    assert replaced.tokens == [7, 8, 9]
    assert replaced.logprobs == SEQUENCE.logprobs


def test_fields_have_defaults_and_types() -> None:
    fields = {field.name: field for field in dataclasses.fields(tinker.SamplingParams)}
    assert fields["temperature"].default == 1.0
    assert fields["temperature"].type is float
    inputs = {field.name: field for field in dataclasses.fields(tinker.Datum)}
    assert inputs["model_input"].default is dataclasses.MISSING
    assert inputs["loss_fn_inputs"].default_factory is dict


def test_dataclass_may_be_derived_from_a_type() -> None:
    @dataclasses.dataclass(frozen=True)
    class Scored(tinker.LoraConfig):
        score: float = 0.0

    assert [field.name for field in dataclasses.fields(Scored)][-1] == "score"


def test_model_dump_options_select_fields() -> None:
    params = tinker.SamplingParams(max_tokens=4)
    assert params.model_dump(exclude_defaults=True) == {"max_tokens": 4}
    assert params.model_dump(exclude_unset=True) == {"max_tokens": 4}
    assert params.model_dump(include={"seed", "top_k"}) == {"seed": None, "top_k": -1}
    assert params.model_dump(include={"seed", "top_k"}, exclude_none=True) == {"top_k": -1}
    assert "top_p" not in params.model_dump(exclude={"top_p"})
    nested = DATUM.model_dump(include={"model_input": {"chunks"}})
    assert nested == {"model_input": {"chunks": [{"tokens": [1, 2, 3], "type": "encoded_text"}]}}
    without = DATUM.model_dump(exclude={"model_input": {"chunks"}, "loss_fn_inputs": True})
    assert without["model_input"] == {}
    assert "loss_fn_inputs" not in without


def test_json_has_text_for_times_and_bytes_and_null_for_nan() -> None:
    assert CHECKPOINT.model_dump(mode="json")["time"] == "2026-01-02T03:04:05Z"
    assert CHECKPOINT.model_dump()["time"] is CHECKPOINT.time
    image = tinker.ImageChunk(data=b"\x89PNG", format="png")
    assert image.model_dump()["data"] == "iVBORw=="
    tensor = tinker.TensorData([float("nan"), 1.0], "float32")
    assert json.loads(tensor.model_dump_json())["data"] == [None, 1.0]
    assert tinker.LoraConfig(rank=8).model_dump_json(indent=2).startswith('{\n  "rank": 8,')


def test_model_copy_updates_and_checks_fields() -> None:
    params = tinker.AdamParams().model_copy(update={"learning_rate": 0.5})
    assert params.learning_rate == 0.5
    with pytest.raises(tinker.InvalidInputError, match="expected a number >= 0"):
        params.model_copy(update={"learning_rate": -1})
    with pytest.raises(TypeError, match="momentum"):
        params.model_copy(update={"momentum": 0.9})
    assert tinker.LoraConfig.model_construct(rank=2) == tinker.LoraConfig(rank=2)


@pytest.mark.parametrize(
    ("cls", "content", "words"),
    [
        (tinker.LoraConfig, {}, "LoraConfig: missing fields: rank"),
        (tinker.LoraConfig, {"rank": 8, "alpha": 1}, "unknown fields: 'alpha'; expected rank,"),
        (tinker.LoraConfig, [8], "LoraConfig: expected a dict or LoraConfig, got list"),
        (tinker.LoraConfig, {"rank": 0}, "rank: expected an integer >= 1"),
        (tinker.ModelInput, {"chunks": [{"type": "encoded_text"}]}, "missing fields: tokens"),
    ],
)
def test_invalid_content_rejected_with_the_field(cls: Any, content: Any, words: str) -> None:
    with pytest.raises(tinker.InvalidInputError, match=words):
        cls.model_validate(content)


def test_invalid_json_rejected() -> None:
    with pytest.raises(tinker.InvalidInputError, match="LoraConfig: not JSON"):
        tinker.LoraConfig.model_validate_json("{")


def test_responses_ignore_fields_of_later_releases() -> None:
    content = CHECKPOINT.model_dump() | {"added_later": 1}
    assert types.Checkpoint.model_validate(content) == CHECKPOINT


def test_union_is_chosen_by_type() -> None:
    content = {
        "chunks": [
            {"type": "encoded_text", "tokens": [1]},
            {"type": "image", "data": "iVBORw==", "format": "png", "expected_tokens": 2},
            {"tokens": [3]},
        ]
    }
    chunks = tinker.ModelInput.model_validate(content).chunks
    assert [type(chunk).__name__ for chunk in chunks] == [
        "EncodedTextChunk",
        "ImageChunk",
        "EncodedTextChunk",
    ]


class Settings(pydantic.BaseModel):
    """A user's model whose fields are types of this package."""

    sampling: tinker.SamplingParams = tinker.SamplingParams(max_tokens=8)
    optimizer: tinker.AdamParams
    prompt: tinker.ModelInput | None = None
    adapters: list[tinker.LoraConfig] = []


def test_pydantic_model_validates_dumps_and_describes_its_fields() -> None:
    settings = Settings.model_validate(
        {
            "optimizer": {"learning_rate": 0.5},
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": [1, 2]}]},
            "adapters": [{"rank": 4}, tinker.LoraConfig(rank=8)],
        }
    )
    assert settings.optimizer == tinker.AdamParams(learning_rate=0.5)
    assert settings.prompt == tinker.ModelInput.from_ints([1, 2])
    assert [adapter.rank for adapter in settings.adapters] == [4, 8]
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    assert settings.model_dump()["sampling"]["max_tokens"] == 8
    properties = Settings.model_json_schema()["properties"]
    assert properties["optimizer"]["properties"]["learning_rate"]["type"] == "number"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"optimizer": {"learning_rate": -1}}, "expected a number >= 0"),
        ({"optimizer": {"momentum": 1}}, "unknown fields: 'momentum'"),
        ({"optimizer": 3}, "expected a dict or AdamParams"),
    ],
)
def test_pydantic_model_reports_invalid_fields(content: Any, words: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=words) as caught:
        Settings.model_validate(content)
    assert caught.value.errors()[0]["loc"] == ("optimizer",)


def test_sequence_from_arrays_and_from_private_lists() -> None:
    from_arrays = tinker.SampledSequence(
        stop_reason="stop",
        sequence_id="sequence-1",
        tokens_np=np.array([5, 6]),
        logprobs_np=np.array([-0.5, -1.0]),
        topk_logprobs_np=types.TopkLogprobs(np.array([[5], [6]]), np.array([[-0.5], [-1.0]])),
    )
    from_lists = tinker.SampledSequence(
        stop_reason="stop",
        sequence_id="sequence-1",
        _tokens_list=[5, 6],
        _logprobs_list=[-0.5, -1.0],
        _topk_logprobs_list=[[(5, -0.5)], [(6, -1.0)]],
    )
    assert from_arrays == from_lists
    assert from_arrays.tokens_np.dtype == np.int32
    assert from_arrays.topk_logprobs == [[(5, -0.5)], [(6, -1.0)]]
    assert tinker.SampledSequence(stop_reason="stop", sequence_id="a").tokens == []


def test_response_from_arrays_and_from_private_lists() -> None:
    from_arrays = tinker.SampleResponse(
        sequences=(SEQUENCE,),
        type="sample",
        prompt_logprobs_np=np.array([np.nan, -0.25]),
        topk_prompt_logprobs_np=types.TopkLogprobs(
            np.array([[0], [2]]), np.array([[-99999.0], [-0.25]])
        ),
    )
    from_lists = tinker.SampleResponse(
        sequences=[SEQUENCE],
        _prompt_logprobs_list=[None, -0.25],
        _topk_prompt_logprobs_list=[None, [(2, -0.25)]],
    )
    assert from_arrays == from_lists
    assert from_arrays.sequences == [SEQUENCE]
    with pytest.raises(tinker.InvalidInputError, match="expected 'sample'"):
        tinker.SampleResponse([], type="other")  # type: ignore[arg-type]


def test_sequence_id_as_second_argument_rejected() -> None:
    with pytest.raises(tinker.InvalidInputError, match="expected token ids, got 'sequence-1'"):
        tinker.SampledSequence("stop", "sequence-1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "data"),
    [([True, False, True], [1, 0, 1]), ([2, 0.5, 1], [2, 0.5, 1])],
)
def test_mask_becomes_float32(values: Any, data: list[float]) -> None:
    tensor = tinker.Datum(PROMPT, {"weights": values}).loss_fn_inputs["weights"]
    assert (tensor.dtype, tensor.data) == ("float32", data)


@pytest.mark.parametrize("values", [[2.0, 3.0], np.array([2.0, 3.0]), [np.float32(2), np.int32(3)]])
def test_floats_without_fraction_become_token_ids(values: Any) -> None:
    assert tinker.ModelInput.from_ints(values).to_ints() == [2, 3]
    tensor = tinker.Datum(PROMPT, {"target_tokens": list(values)}).loss_fn_inputs["target_tokens"]
    assert (tensor.dtype, tensor.data) == ("int64", [2, 3])


@pytest.mark.parametrize("value", [10, 10.0, "10", np.int64(10), np.float32(10), np.array(10)])
def test_integer_parameter_accepts_equivalent_values(value: Any) -> None:
    assert tinker.SamplingParams(max_tokens=value).max_tokens == 10
    assert type(tinker.SamplingParams(max_tokens=value).max_tokens) is int


@pytest.mark.parametrize("value", [0.5, "0.5", "5e-1", np.float64(0.5), np.array(0.5)])
def test_float_parameter_accepts_equivalent_values(value: Any) -> None:
    assert tinker.AdamParams(learning_rate=value).learning_rate == 0.5
    assert type(tinker.AdamParams(learning_rate=value).learning_rate) is float


@pytest.mark.parametrize("value", ["ten", 10.5, "10.5", True, None, [10]])
def test_integer_parameter_rejects_other_values(value: Any) -> None:
    with pytest.raises(tinker.InvalidInputError, match="rank: expected an integer >= 1"):
        tinker.LoraConfig(rank=value)
