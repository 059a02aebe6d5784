"""What the reader of wheels does not understand is a gap; no argument or alias is lost."""

from __future__ import annotations

from typing import Any

import pytest

from codegen.contract.overlay import OverlayError, apply_overlay, check_effects
from codegen.contract.reconstruct import reconstruct
from codegen.contract.release import read_contract
from codegen.wheel.wheels import Wheel

Json = dict[str, Any]

BASES = """
import pydantic
class StrictBase(pydantic.BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
class BaseModel(pydantic.BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
"""
ONE = "from typing import *\nfrom .._models import *\nclass One(StrictBase):\n    a: int\n"


def wheel(**modules: str) -> Wheel:
    texts = {"tinker": "", "tinker._models": BASES, "tinker.types": "", "tinker.resources": ""}
    texts |= {f"tinker.{name.replace('__', '.')}": text for name, text in modules.items()}
    packages = frozenset({"tinker", "tinker.types", "tinker.resources"})
    return Wheel("9.9.9", "0" * 64, texts, packages)


def document(call: str, signature: str = "", before: str = "") -> Json:
    """The document of a resource with one method, whose body ends in `call`."""
    resource = (
        "from ..types.one import One\n"
        f"class AsyncThings:\n    async def do(self, *, request: One{signature}):\n"
        f"{before}        return await {call}\n"
    )
    return reconstruct(wheel(types__one=ONE, resources__things=resource))


def content(call: str, **kwargs: str) -> Json:
    result: Json = document(call, **kwargs)["paths"]["/api/v1/things"]["post"]["requestBody"]
    body: Json = result["content"]
    return body


def problems(call: str, **kwargs: str) -> list[str]:
    result: list[str] = document(call, **kwargs).get("x-problems", [])
    return [line.partition(" ")[2] for line in result]


REFERENCE = {"schema": {"$ref": "#/components/schemas/One"}}


def test_json_argument_is_the_body() -> None:
    assert content("self._post('/api/v1/things', json=model_dump(request))") == {
        "application/json": REFERENCE
    }


def test_json_dictionary_is_the_body() -> None:
    call = "self._request('POST', '/api/v1/things', json={'name': name, 'note': note})"
    result = document(call, signature=", name: str, note: str")
    body = result["components"]["schemas"]["ThingsRequest"]
    assert body["properties"] == {"name": {"type": "string"}, "note": {"type": "string"}}
    assert body["required"] == ["name", "note"]


def test_data_argument_is_a_form() -> None:
    assert content("self._post('/api/v1/things', data=model_dump(request))") == {
        "application/x-www-form-urlencoded": REFERENCE
    }


def test_files_argument_is_a_multipart_body() -> None:
    assert content("self._post('/api/v1/things', files=files)", signature=", files: dict") == {
        "multipart/form-data": {"schema": {"type": "object"}}
    }


def test_content_argument_is_bytes() -> None:
    assert content("self._post('/api/v1/things', content=raw)", signature=", raw: bytes") == {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
    }


@pytest.mark.parametrize(
    ("call", "gap"),
    [
        ("self._post('/api/v1/things', payload=1)", "no rule for the argument payload=1"),
        ("self._post('/api/v1/things', **extra)", "no rule for the argument **extra"),
        ("self._post('/api/v1/things', 3)", "the call has further positional arguments"),
        ("self._post('/api/v1/things', body=compute(1))", "the body is not understood: compute(1)"),
        ("self._post('/api/v1/things', body=unknown)", "the body is not understood: unknown"),
        (
            "self._post('/api/v1/things', body={**request})",
            "a part of the body is not understood: request",
        ),
        ("self._post('/api/v1/things', body={'a': odd()})", "the type of odd() is unknown"),
        (
            "self._post('/api/v1/things', body=model_dump(request, exclude={'a'}))",
            "model_dump has an unknown option exclude",
        ),
        ("self._get('/api/v1/things', options={'odd': 1})", "no rule for the option odd"),
        (
            "self._get('/api/v1/things', options=make_request_options(odd=1))",
            "no rule for the option odd=1",
        ),
        ("self._get('/api/v1/things', params=odd())", "no rule for the query odd()"),
        ("self._get('/api/v1/things', cast_to=a + b)", "the response is not understood: a + b"),
    ],
)
def test_argument_without_a_rule_is_a_gap(call: str, gap: str) -> None:
    assert gap in problems(call)


def test_option_that_is_set_later_is_a_gap_unless_known() -> None:
    before = (
        "        options = make_request_options()\n"
        "        options['max_retries'] = 3\n        options['odd'] = 3\n"
    )
    call = "self._get('/api/v1/things', options=options)"
    assert problems(call, before=before) == ["no rule for the option odd"]


def test_bodies_of_all_call_sites_are_united() -> None:
    resource = (
        "from ..types.one import One\nKIND = 'application/x-packed'\n"
        "async def pack(client, request: One):\n"
        "    packed = encode(request).SerializeToString()\n"
        "    options = make_request_options(extra_headers={'Content-Type': KIND})\n"
        "    return await client.post('/api/v1/things', body=packed, options=options)\n"
        "class AsyncThings:\n    async def do(self, *, request: One):\n"
        "        return await self._post('/api/v1/things', body=model_dump(request))\n"
    )
    result = reconstruct(wheel(types__one=ONE, resources__things=resource))
    body = result["paths"]["/api/v1/things"]["post"]["requestBody"]["content"]
    assert body.keys() == {"application/json", "application/x-packed"}


def test_query_parameter_of_one_call_site_is_optional() -> None:
    resource = (
        "class AsyncThings:\n"
        "    async def all(self):\n        return await self._get('/api/v1/things')\n"
        "    async def some(self, kind: str):\n"
        "        return await self._get('/api/v1/things', params={'kind': kind})\n"
    )
    result = reconstruct(wheel(types__one=ONE, resources__things=resource))
    assert result["components"]["parameters"]["ThingsKind"]["required"] is False


def test_authorization_header_becomes_the_security_of_the_operation() -> None:
    call = (
        "self._request('POST', '/api/v1/things', json=model_dump(request),"
        " headers={'Authorization': f'Bearer {token}'})"
    )
    result = document(call, signature=", token: str")
    assert result["paths"]["/api/v1/things"]["post"]["security"] == [{"BearerToken": []}]
    assert result["components"]["securitySchemes"] == {
        "BearerToken": {"type": "http", "scheme": "bearer"}
    }
    assert read_contract(wheel(resources__things="x = {'Authorization': 'Bearer y'}")).gaps == (
        "no operation declares the header Authorization",
    )


def test_request_outside_the_client_has_neither_key_nor_idempotency_key() -> None:
    result = document("self._request('DELETE', '/api/v1/things')")
    operation = result["paths"]["/api/v1/things"]["delete"]
    assert operation["security"] == []
    assert operation["parameters"] == []
    own = document("self._request('DELETE', '/api/v1/things', headers={'X-API-Key': key})")
    assert "security" not in own["paths"]["/api/v1/things"]["delete"]


def test_request_of_the_client_has_the_idempotency_key_except_get() -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    for method, parameters in {"post": [key], "put": [key], "delete": [key], "get": []}.items():
        result = document(f"self._{method}('/api/v1/things')")
        assert result["paths"]["/api/v1/things"][method]["parameters"] == parameters


def test_header_that_the_operation_does_not_declare_is_a_gap() -> None:
    resource = (
        "class AsyncThings:\n    async def do(self):\n"
        "        return await self._get('/api/v1/things',\n"
        "            options=make_request_options(extra_headers={'X-Page': '1'}))\n"
    )
    gaps = read_contract(wheel(resources__things=resource)).gaps
    assert "GET /api/v1/things does not declare the header X-Page" in gaps


def model(fields: str, use: str) -> Json:
    text = f"from typing import *\nfrom .._models import *\nclass One(BaseModel):\n{fields}"
    resource = (
        "from ..types.one import One\n"
        f"class AsyncThings:\n    async def do(self, request: One):\n        return await {use}\n"
    )
    return reconstruct(wheel(types__one=text, resources__things=resource))


SENT = "self._post('/api/v1/things', body=model_dump(request))"
RECEIVED = "self._get('/api/v1/things', cast_to=One)"
BOTH = "self._post('/api/v1/things', body=model_dump(request), cast_to=One)"


@pytest.mark.parametrize(
    ("argument", "use", "name"),
    [
        ("alias='wire'", SENT, "wire"),
        ("alias='wire'", RECEIVED, "wire"),
        ("validation_alias='wire'", RECEIVED, "wire"),
        ("validation_alias='wire'", SENT, "mine"),
        ("serialization_alias='wire'", SENT, "wire"),
        ("serialization_alias='wire'", RECEIVED, "mine"),
        ("validation_alias=AliasChoices('wire', 'mine')", RECEIVED, "wire"),
        ("validation_alias='read', serialization_alias='wire'", SENT, "wire"),
    ],
)
def test_field_has_the_name_of_its_direction(argument: str, use: str, name: str) -> None:
    schema = model(f"    mine: str = Field({argument})\n", use)["components"]["schemas"]["One"]
    assert list(schema["properties"]) == schema["required"] == [name]


def test_field_with_two_names_in_a_type_of_both_directions_is_a_gap() -> None:
    result = model("    mine: str = Field(validation_alias='wire')\n", BOTH)
    assert "is sent and received under different names" in result["x-problems"][0]


def test_excluded_field_is_not_sent() -> None:
    result = model("    a: int\n    b: int = Field(exclude=True)\n", SENT)
    assert list(result["components"]["schemas"]["One"]["properties"]) == ["a"]


@pytest.mark.parametrize(
    "argument", ["alias=compute()", "validation_alias=AliasPath('a', 0)", "odd=1", "**more"]
)
def test_field_argument_without_a_rule_is_a_gap(argument: str) -> None:
    lines = model(f"    mine: str = Field({argument})\n", SENT)["x-problems"]
    assert lines == [f"tinker.types.one:4 One.mine: no rule for {argument}"]


SERIALIZER = (
    "    a: int\n    @model_serializer(mode='wrap')\n    def wire(self, handler): ...\n"
    "    @field_serializer('a')\n    def text(self, value): return str(value)\n"
)


def test_serializer_is_a_gap_until_the_overlay_settles_it() -> None:
    text = f"from typing import *\nfrom .._models import *\nclass One(BaseModel):\n{SERIALIZER}"
    assert read_contract(wheel(types__one=text)).gaps == (
        "tinker.types.one:6 One has a serializer: model_serializer(mode='wrap')",
        "tinker.types.one:8 One has a serializer: field_serializer('a')",
    )


def test_serializer_of_bytes_in_base64_is_the_form_of_bytes() -> None:
    fields = (
        "    data: bytes\n    @field_serializer('data')\n"
        "    def text(self, value): return base64.b64encode(value).decode()\n"
    )
    schema = model(fields, SENT)["components"]["schemas"]["One"]
    assert schema["properties"]["data"] == {"type": "string", "contentEncoding": "base64"}
    assert "x-unsettled" not in schema


def probing(**probe: str) -> Json:
    action = {
        "target": "$.info",
        "x-why": "w",
        "x-evidence": "e",
        "x-adds": True,
        "x-probe": probe,
        "update": {"title": "Changed"},
    }
    return {"actions": [action]}


@pytest.mark.parametrize(
    ("probe", "applies"),
    [
        ({"has": "STATUS = 402"}, True),
        ({"has": "403"}, False),
        ({"has": "in a comment"}, False),
        ({"has": "in a docstring"}, False),
        ({"lacks": "403"}, True),
        ({"has": "402", "lacks": "STATUS"}, False),
    ],
)
def test_probe_searches_the_code_of_a_module(probe: Json, applies: bool) -> None:
    text = '"""in a docstring"""\nSTATUS = 402  # in a comment\n'
    result, effects = apply_overlay(
        {"info": {"title": "Old"}, "components": {}},
        probing(module="tinker._exceptions", **probe),
        release="9.9.9",
        form="contract",
        wheel=wheel(_exceptions=text),
    )
    assert result["info"]["title"] == ("Changed" if applies else "Old")
    assert bool(effects) is applies


def test_probed_action_must_change_each_release_that_it_holds_for() -> None:
    overlay = probing(module="tinker", has="")
    effects = {}
    for release, title in {"1.0": "Old", "2.0": "Changed"}.items():
        _, effects[release] = apply_overlay(
            {"info": {"title": title}, "components": {}},
            overlay,
            release=release,
            form="contract",
            wheel=wheel(),
        )
    with pytest.raises(OverlayError, match=r"changes nothing in 2\.0"):
        check_effects(overlay, effects)


def test_probe_without_a_wheel_is_rejected() -> None:
    with pytest.raises(OverlayError, match="a probe needs a wheel"):
        apply_overlay({}, probing(module="tinker"), release="1.0", form="contract")


def test_type_that_the_overlay_refers_to_but_the_release_lacks_is_a_gap() -> None:
    """The overlay names OptimParamsBase in each release whose optimizers have that text."""
    text = "from .._models import *\nclass OptimStepRequest(StrictBase):\n    model_id: str\n"
    optimizers = "NAME = 'class OptimParamsBase'\n"
    gaps = read_contract(wheel(types__one=text, types__optimizer=optimizers)).gaps
    assert gaps == ("OptimStepRequest refers to OptimParamsBase, which the release does not have",)
