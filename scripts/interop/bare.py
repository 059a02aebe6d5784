"""Answers without all that a specification does not promise.

A client that takes these takes every answer of the specification as far as missing fields go; where
it does not, the specification calls optional what is not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from interop.recorder import JSON_TYPE

if TYPE_CHECKING:
    from codegen.documents import Json
    from interop.contract import Contract
    from interop.recorder import Answered, Asked, Responder


# The types of the SDKs call these optional; without them the SDKs fail all the same. Found by
# leaving out all that is optional, and confirmed by each run that keeps these and nothing else.
NEEDED = frozenset(
    {
        # get_tokenizer: the one or the other, and offline the second.
        *("ModelData.model_name", "ModelData.tokenizer_id"),
        # asample, from 0.32.0 on: which sequence has which id.
        "UntypedAPIFuture.sample_sequence_ids",
        # What was saved is where? The one or the other of the first two, as asked for.
        "SaveWeightsForSamplerResponseInternal.path",
        "SaveWeightsForSamplerResponseInternal.sampling_session_id",
        "SaveWeightsExternalResponseInternal.path",
        # create_training_client_from_state makes an adapter of the same rank.
        *("TrainingRun.lora_rank", "WeightsInfoResponse.lora_rank"),
        # export_session_trace, once the status is `ready`.
        "SessionTraceExportPollResponse.url",
    }
)
# Sent when asked for; the drivers ask.
ASKED_FOR = frozenset({"SampleResponse.prompt_logprobs", "SampleResponse.topk_prompt_logprobs"})


@frozen
class Bare:
    """What `responder` answers, less the optional fields but those `kept` (`Schema.field`)."""

    responder: Responder
    contract: Contract
    kept: frozenset[str] = NEEDED | ASKED_FOR

    async def __call__(self, asked: Asked) -> Answered:
        answered = await self.responder(asked)
        if answered.status != 200 or answered.message.media_type != JSON_TYPE:
            return answered
        schema = self.contract.answer_schema(asked, answered)
        if schema is None or not answered.message.body:
            return answered
        value = self._least(schema, json.loads(answered.message.body), in_union=False)
        body = json.dumps(value).encode()
        return evolve(answered, message=evolve(answered.message, body=body))

    async def close(self) -> None:
        await self.responder.close()

    def _least(self, schema: Json, value: Any, *, in_union: bool) -> Any:
        name = schema.get("$ref", "").rpartition("/")[2]
        schema = self.contract.resolved(schema)
        members = schema.get("anyOf") or schema.get("oneOf")
        if members:
            fitting = (one for one in members if self.contract.fits(one, value))
            return self._least(next(fitting, {}), value, in_union=True)
        if isinstance(value, list):
            return [self._least(schema.get("items", {}), one, in_union=False) for one in value]
        if not isinstance(value, dict):
            return value
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        least = {}
        for key, item in value.items():
            if key in properties:
                # The tag that tells the members of a union apart is needed for just that.
                tag = in_union and "const" in properties[key]
                if key in schema.get("required", ()) or tag or f"{name}.{key}" in self.kept:
                    least[key] = self._least(properties[key], item, in_union=False)
            elif isinstance(others, dict):
                least[key] = self._least(others, item, in_union=False)
        return least
