"""Reading a wheel: what annotations, classes and calls become, and what cannot be read is named."""

from __future__ import annotations

from typing import Any

import pytest
from specification import build
from specification.reconstruct import reconstruct
from specification.wheels import Wheel, WheelError, open_wheel

Json = dict[str, Any]

BASES = """
import pydantic
class StrictBase(pydantic.BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
class BaseModel(pydantic.BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
"""


def wheel(**modules: str) -> Wheel:
    texts = {"tinker": "", "tinker._models": BASES, "tinker.types": "", "tinker.resources": ""}
    texts |= {f"tinker.{name.replace('__', '.')}": text for name, text in modules.items()}
    packages = frozenset({"tinker", "tinker.types", "tinker.resources"})
    return Wheel("9.9.9", "0" * 64, texts, packages)


def schemas(text: str) -> Json:
    found: Json = reconstruct(wheel(types__one=text))["components"]["schemas"]
    return found


def field(annotation: str, value: str = "") -> Json:
    text = "from .._models import *\nfrom typing import *\nfrom datetime import datetime\n"
    text += "from .._models import StrictBase\n"
    text += f"class One(StrictBase):\n    it: {annotation}{' = ' + value if value else ''}\n"
    imports = "from typing import Any, Optional, Union, List, Dict, Sequence, Literal, Tuple\n"
    found: Json = schemas(imports + text)["One"]["properties"]["it"]
    return found


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("int", {"type": "integer"}),
        ("'str'", {"type": "string"}),
        ("bytes", {"type": "string", "contentEncoding": "base64"}),
        ("datetime", {"type": "string", "format": "date-time"}),
        ("Any", {}),
        ("Optional[int]", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ("None | str", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("Literal['a']", {"type": "string", "const": "a"}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("dict[str, float]", {"type": "object", "additionalProperties": {"type": "number"}}),
        (
            "Union[List[int], List[float]]",
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "integer"}},
                    {"type": "array", "items": {"type": "number"}},
                ]
            },
        ),
        (
            "tuple[int, float]",
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        ),
        ("tuple[str, ...]", {"type": "array", "items": {"type": "string"}}),
    ],
)
def test_annotations(annotation: str, schema: Json) -> None:
    assert field(annotation) == schema


def test_defaults_and_limits() -> None:
    assert field("float", "0.5") == {"type": "number", "default": 0.5}
    assert field("Optional[int]", "None") == field("Optional[int]")
    assert field("float", "Field(default=0.9, ge=0, lt=1)") == {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.9,
    }


def test_required_fields_and_strictness_come_from_class_and_bases() -> None:
    found = schemas(
        "from .._models import StrictBase, BaseModel\n"
        "class Asked(StrictBase):\n    a: int\n    b: int = 1\n"
        "class Answered(BaseModel):\n    a: int\n"
        "class Both(Answered):\n    c: str = Field(..., min_length=1)\n"
    )
    assert found["Asked"]["required"] == ["a"]
    assert found["Asked"]["additionalProperties"] is False
    assert "additionalProperties" not in found["Answered"]
    assert found["Both"]["required"] == ["a", "c"]


def test_an_enumeration_inside_a_class_gets_a_name() -> None:
    found = schemas(
        "from typing import Literal\nfrom .._models import BaseModel\n"
        "class One(BaseModel):\n    queue_state: Literal['x', 'y']\n    kind: Literal['p', 'q']\n"
    )
    assert found["QueueState"]["enum"] == ["x", "y"]
    assert found["OneKind"]["enum"] == ["p", "q"]
    assert found["One"]["properties"]["queue_state"] == {"$ref": "#/components/schemas/QueueState"}


def test_calls_become_operations() -> None:
    resource = (
        "from ..types.one import One\n"
        "class AsyncThings:\n"
        "    async def change(self, *, thing_id: str, request: One) -> One:\n"
        "        return await self._put(\n"
        "            f'/api/v1/things/{thing_id}',\n"
        "            body=model_dump(request), cast_to=One)\n"
        "    async def list(self, limit: int = 5, word: str | None = None):\n"
        "        params: dict[str, object] = {'limit': limit}\n"
        "        if word is not None:\n            params['word'] = word\n"
        "        options = {'params': params}\n"
        "        return await self._get('/api/v1/things', options=options, cast_to=One)\n"
    )
    one = "from .._models import StrictBase\nclass One(StrictBase):\n    a: int\n"
    document = reconstruct(wheel(types__one=one, resources__things=resource))
    change = document["paths"]["/api/v1/things/{thing_id}"]["put"]
    reference = {"$ref": "#/components/schemas/One"}
    assert change["requestBody"]["content"]["application/json"]["schema"] == reference
    assert change["responses"]["200"]["content"]["application/json"]["schema"] == reference
    assert document["components"]["parameters"]["ThingsLimit"]["schema"] == {
        "type": "integer",
        "default": 5,
    }
    assert document["components"]["parameters"]["ThingsWord"]["required"] is False


def test_what_cannot_be_read_is_named() -> None:
    text = "import numpy as np\nfrom .._models import BaseModel\n"
    document = reconstruct(wheel(types__one=text + "class One(BaseModel):\n    it: np.ndarray\n"))
    assert document["x-problems"] == ["tinker.types.one:4 One.it: no rule for numpy.ndarray"]


def test_a_contract_with_a_gap_is_refused() -> None:
    text = "import numpy as np\nfrom .._models import BaseModel\n"
    made_up = wheel(types__one=text + "class One(BaseModel):\n    it: np.ndarray\n")
    with pytest.raises(build.ReconstructionError, match=r"One\.it: no rule for numpy\.ndarray"):
        build.contract(made_up)


def test_another_file_under_the_name_of_a_wheel_is_refused() -> None:
    build.locked_wheel("0.4.1")
    with pytest.raises(WheelError, match="sha256"):
        open_wheel("0.4.1", expected_sha256="0" * 64)
