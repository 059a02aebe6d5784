"""Responses without optional fields.

A client that accepts these accepts any absence of optional fields that the specification permits.
If it fails, the specification marks a field as optional that the client requires.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve, frozen

from codegen.documents import Json
from conformance.interop.contract import Contract
from conformance.interop.recorder import JSON_TYPE, Request, Responder, Response

# Optional in the types of the SDKs, which nevertheless fail without them. Determined by removing
# all optional fields, and confirmed by each run that sends these and no others.
REQUIRED_IN_PRACTICE = frozenset(
    {
        # get_tokenizer needs one of the two, and offline the second.
        *("ModelData.model_name", "ModelData.tokenizer_id"),
        # asample, from 0.32.0 on, maps ids to sequences.
        "UntypedAPIFuture.sample_sequence_ids",
        # The location of the saved weights; which of the first two depends on the request.
        "SaveWeightsForSamplerResponseInternal.path",
        "SaveWeightsForSamplerResponseInternal.sampling_session_id",
        "SaveWeightsExternalResponseInternal.path",
        # create_training_client_from_state creates an adapter of the same rank.
        *("TrainingRun.lora_rank", "WeightsInfoResponse.lora_rank"),
        # export_session_trace, once the status is `ready`.
        "SessionTraceExportPollResponse.url",
    }
)
# Sent on request; the drivers request them.
REQUESTED = frozenset({"SampleResponse.prompt_logprobs", "SampleResponse.topk_prompt_logprobs"})


@frozen
class MinimalResponder:
    """Removes the optional fields from the responses of `responder`, except `retained`.

    Fields are named `Schema.field`.
    """

    responder: Responder
    contract: Contract
    retained: frozenset[str] = REQUIRED_IN_PRACTICE | REQUESTED

    async def __call__(self, request: Request) -> Response:
        response = await self.responder(request)
        if response.status != 200 or response.message.media_type != JSON_TYPE:
            return response
        schema = self.contract.response_schema(request, response)
        if schema is None or not response.message.body:
            return response
        value = self._minimal(schema, json.loads(response.message.body), in_union=False)
        body = json.dumps(value).encode()
        return evolve(response, message=evolve(response.message, body=body))

    async def close(self) -> None:
        await self.responder.close()

    def _minimal(self, schema: Json, value: Any, *, in_union: bool) -> Any:
        name = schema.get("$ref", "").rpartition("/")[2]
        schema = self.contract.resolved(schema)
        members = schema.get("anyOf") or schema.get("oneOf")
        if members:
            valid = (member for member in members if self.contract.fits(member, value))
            return self._minimal(next(valid, {}), value, in_union=True)
        if isinstance(value, list):
            items = schema.get("items", {})
            return [self._minimal(items, item, in_union=False) for item in value]
        if not isinstance(value, dict):
            return value
        properties = schema.get("properties", {})
        additional = schema.get("additionalProperties")
        minimal = {}
        for key, item in value.items():
            if key in properties:
                # The tag of a union member identifies the member.
                tag = in_union and "const" in properties[key]
                if key in schema.get("required", ()) or tag or f"{name}.{key}" in self.retained:
                    minimal[key] = self._minimal(properties[key], item, in_union=False)
            elif isinstance(additional, dict):
                minimal[key] = self._minimal(additional, item, in_union=False)
        return minimal
