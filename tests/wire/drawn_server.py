"""Servers with any combination of routes, forms, fields and error responses, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, frozen
from hypothesis import strategies as st
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext.testing import FakeServer, Reply

if TYPE_CHECKING:
    from tinker_ext.testing import Received

#: A loss that every server rejects.
UNKNOWN_LOSS = "no_such_loss"

NOT_FOUND = Reply(404, {"detail": "Not Found"})
# The responses of servers to a body that they can't parse.
REFUSALS = [
    Reply(400, {"detail": "There was an error parsing the body"}),
    Reply(400, None),
    NOT_FOUND,
    Reply(405, {"detail": "Method Not Allowed"}),
    Reply(415, {"detail": "Unsupported Media Type"}),
    Reply(422, {"detail": [{"type": "json_invalid", "loc": ["body", 0], "msg": "JSON error"}]}),
    Reply(422, {"detail": [{"type": "dict_type", "loc": ["body"], "msg": "not a dictionary"}]}),
    Reply(500, "Internal Server Error"),
    Reply(501, None),
]
# Those that say that the body can't be parsed.
EXPLICIT = [REFUSALS[0], REFUSALS[4], REFUSALS[5], REFUSALS[6]]
MISSING_ROUTE = [NOT_FOUND, Reply(404, None), Reply(405, None), Reply(501, {"detail": "No."})]
# The responses of servers to a request that is wrong in itself.
MISTAKES = [
    Reply(400, {"detail": f"unknown loss {UNKNOWN_LOSS}"}),
    Reply(404, {"detail": f"no loss {UNKNOWN_LOSS}"}),
    Reply(422, {"detail": [{"type": "enum", "loc": ["body", "loss_fn"], "msg": "Not a loss"}]}),
    Reply(500, "Internal Server Error"),
]
# The responses to `client/config`; None for a server without it.
CONFIGS: list[dict[str, Any] | None] = [
    None,
    {"create_model_via_load_weights": False},
    {"proto_write_fwdbwd": False, "fwd_via_fwdbwd": False},
    {"proto_write_fwdbwd": True, "fwd_via_fwdbwd": False},
    {"proto_write_fwdbwd": True, "fwd_via_fwdbwd": True},
    {"fwdbwd_max_chunk_len": 1024},
    {"fwdbwd_max_chunk_len": 1024, "proto_write_fwdbwd": False},
    {"sample_use_retrieve_futures": False},
    {"custom_loss_server_side": False},
]
# Fields that a server may reject, and those of them that it may require.
REJECTABLE = [
    "create_model.type",
    "forward.type",
    "forward_backward.type",
    "optim_step.type",
    "asample.type",
    "asample.topk_prompt_logprobs",
    "load_weights.optimizer",
    "retrieve_future.allow_metadata_only",
]
REQUIRABLE = ["load_weights.optimizer", "retrieve_future.allow_metadata_only"]
# Status codes of the first training requests, whatever their form, and their number.
OUTAGES = [(503, 0)] * 4 + [(503, 3), (429, 1), (500, 1), (500, 3), (500, 5)]
TRAINING = ("forward", "forward_backward")


@frozen(kw_only=True)
class Traits:
    """What a server has, accepts and says."""

    config: dict[str, Any] | None = None
    forms: frozenset[str] = frozenset({"json"})
    #: Whether it has the route `forward`, which reads JSON; and how it responds without it.
    has_forward: bool = True
    missing_route: Reply = NOT_FOUND
    #: The response to a form that it can't read.
    refusal: Reply = REFUSALS[0]
    mistake: Reply = MISTAKES[0]
    required: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()
    #: "fastapi", "serde" or "jsonschema": the style of errors about fields; and their status.
    style: str = "fastapi"
    field_status: int = 422
    #: Which fields of images it accepts: those of 0.4.1, or those of later releases.
    images: str = "any"
    #: One of OUTAGES.
    outage: tuple[int, int] = (503, 0)

    @property
    def flagged_protobuf(self) -> bool:
        """Whether its flags decide for protobuf."""
        config = self.config or {}
        is_later = not config.keys() <= {"create_model_via_load_weights", *_WRITE}
        return bool(config.get("proto_write_fwdbwd", is_later))

    @property
    def flagged_forward_only(self) -> bool:
        """Whether its flags decide for a forward pass as a flag."""
        config = self.config or {}
        return self.flagged_protobuf and (
            config.get("fwd_via_fwdbwd") is True or config.keys().isdisjoint(_WRITE)
        )

    @property
    def trains(self) -> bool:
        """Whether a client can find a form for `forward_backward`.

        A client does not send protobuf against the flags, unless the server says that it can't
        read JSON.
        """
        return (
            "json" in self.forms
            or self.config is None
            or self.flagged_protobuf
            or self.refusal in EXPLICIT
        )

    @property
    def passes_forward(self) -> bool:
        """Whether a client can find a form for `forward`.

        A client does not send `forward_only` against the flags: the server could ignore it.
        """
        by_flag = "protobuf" in self.forms and (self.config is None or self.flagged_forward_only)
        return self.has_forward or by_flag


_WRITE = frozenset({"proto_write_fwdbwd", "fwd_via_fwdbwd"})


def traits() -> st.SearchStrategy[Traits]:
    """Draws what a server has, accepts and says."""
    rejected = st.frozensets(st.sampled_from(REJECTABLE))
    required = st.frozensets(st.sampled_from(REQUIRABLE))
    return st.builds(
        lambda required, rejected, **others: Traits(
            required=required, rejected=rejected - required, **others
        ),
        required=required,
        rejected=rejected,
        config=st.sampled_from(CONFIGS),
        forms=st.sampled_from(
            [frozenset({"json"}), frozenset({"protobuf"}), frozenset({"json", "protobuf"})]
        ),
        has_forward=st.booleans(),
        missing_route=st.sampled_from(MISSING_ROUTE),
        refusal=st.sampled_from(REFUSALS),
        mistake=st.sampled_from(MISTAKES),
        style=st.sampled_from(["fastapi", "serde", "jsonschema"]),
        field_status=st.sampled_from([400, 422]),
        images=st.sampled_from(["any", "sizes", "expected_tokens"]),
        outage=st.sampled_from(OUTAGES),
    )


@frozen
class Trained:
    """An accepted training request."""

    seq_id: int
    operation: str
    form: str


class DrawnServer(FakeServer):
    """Behaves as its traits say.

    Attributes:
        trained: the accepted training requests, in order.
        outage: how many training requests fail from now on.
    """

    def __init__(self, traits: Traits) -> None:
        super().__init__()
        self.traits = traits
        self.trained: list[Trained] = []
        self.outage = traits.outage[1]

    def default_reply(self, received: Received) -> Reply:
        operation = received.operation
        if operation == "get_client_config" and self.traits.config is not None:
            return Reply(200, self.traits.config)
        if operation in TRAINING:
            return self._train(received)
        return self._field_error(operation, received.body) or super().default_reply(received)

    def _train(self, received: Received) -> Reply:
        traits, operation = self.traits, received.operation
        if operation == "forward" and not traits.has_forward:
            return traits.missing_route
        if self.outage:
            self.outage -= 1
            return Reply(traits.outage[0], {"detail": "later"})
        form = "protobuf" if isinstance(received.body, bytes) else "json"
        readable = {"json"} if operation == "forward" else traits.forms
        if form not in readable:
            return traits.refusal
        body = received.body if form == "json" else _decode(received.body)
        if form == "json" and (error := self._field_error(operation, body)):
            return error
        inputs = body.get("forward_input") or body["forward_backward_input"]
        if inputs["loss_fn"] == UNKNOWN_LOSS:
            return traits.mistake
        if body.get("forward_only"):
            assert traits.config is None or traits.flagged_forward_only, "a flag it may ignore"
            operation = "forward"
        before = len(self.counted)
        reply = super().default_reply(evolve(received, body=body))
        if len(self.counted) > before:
            self.trained.append(Trained(body["seq_id"], operation, form))
        return reply

    def _field_error(self, operation: str, body: Any) -> Reply | None:
        if not isinstance(body, dict):
            return None
        rejected = [name for name in body if f"{operation}.{name}" in self.traits.rejected]
        required = [
            name.partition(".")[2]
            for name in self.traits.required
            if name.partition(".")[0] == operation
        ]
        missing = [name for name in required if name not in body]
        if rejected:
            return self._about_fields("extra_forbidden", [[name] for name in rejected])
        if missing:
            return self._about_fields("missing", [[name] for name in missing])
        return self._image_error(operation, body)

    def _image_error(self, operation: str, body: dict[str, Any]) -> Reply | None:
        if self.traits.images == "any" or operation != "asample":
            return None
        unknown = {"sizes": ["expected_tokens"], "expected_tokens": ["height", "width", "tokens"]}
        for index, chunk in enumerate(body["prompt"]["chunks"]):
            if chunk["type"] != "image":
                continue
            names = [name for name in unknown[self.traits.images] if name in chunk]
            if names:
                place = ["prompt", "chunks", index, "image"]
                return self._about_fields("extra_forbidden", [[*place, name] for name in names])
        return None

    def _about_fields(self, kind: str, places: list[list[Any]]) -> Reply:
        names = [place[-1] for place in places]
        match self.traits.style:
            case "serde":
                problem = "unknown" if kind == "extra_forbidden" else "missing"
                message = f"Failed to deserialize: {problem} field `{names[0]}` at line 1"
                return Reply(self.traits.field_status, message)
            case "jsonschema":
                quoted = ", ".join(f"'{name}'" for name in names)
                message = (
                    f"Additional properties are not allowed ({quoted} were unexpected)"
                    if kind == "extra_forbidden"
                    else f"'{names[0]}' is a required property"
                )
                return Reply(self.traits.field_status, {"detail": message})
        errors = [{"type": kind, "loc": ["body", *place], "msg": "no"} for place in places]
        return Reply(self.traits.field_status, {"detail": errors})


def _decode(content: bytes) -> dict[str, Any]:
    """The JSON form of a protobuf request, as far as results depend on it."""
    message = pb.ForwardBackwardRequest.FromString(content)
    data = [
        {
            "loss_fn_inputs": {
                name: {"data": np.frombuffer(tensor.dense, dtype="<i8").tolist()}
                for name, tensor in datum.loss_fn_inputs.items()
                if name == "target_tokens"
            }
        }
        for datum in message.data
    ]
    return {
        "model_id": message.model_id,
        "seq_id": message.seq_id,
        "forward_only": message.forward_only,
        "forward_backward_input": {"data": data, "loss_fn": message.loss_fn},
    }
