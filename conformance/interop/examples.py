"""Records a request and a response of each operation, as examples for the portable specification.

This package's client runs on the embedded backend, which accepts one release strictly, once for
each protocol. Operations that the embedded backend lacks (billing, keys, audit log) are recorded
with the scripted server. Only exchanges that are valid under the contract of the release are kept.
Ids, times, credentials and signatures are replaced.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.json_format import MessageToDict
from tinker_api import AuthenticatedClient
from tinker_api import models as api
from tinker_api.api.checkpoints import get_external_weights_urls
from tinker_api.api.futures import cancel_future
from tinker_api.api.models import create_model
from tinker_api.api.sampling import asample, create_sampling_session, join_sampling_session
from tinker_api.api.service import get_health
from tinker_api.api.sessions import create_session, session_heartbeat
from tinker_api.api.training import create_custom_loss
from tinker_api.api.weights import save_weights_external
from tinker_api.errors import UnexpectedStatus
from tinker_api.proto import tinker_public_pb2

import tinker_ext as tinker
from codegen.emit.portable import RESULTS
from conformance.interop.contract import load_contract
from conformance.interop.recorder import PROTOBUF_TYPE, Forwarder, recording
from conformance.interop.scripted_server import ScriptedServer
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.low_level import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from codegen.documents import Json
    from conformance.interop.contract import Contract
    from conformance.interop.recorder import Exchange, Responder
    from conformance.interop.recorder import Message as HttpMessage

#: The protocols of the embedded backend, and the contracts of these releases.
PROTOCOLS = {"0.4.1": "0.4.1", "0.24": "0.24.1", "0.25": "0.25.0", "0.38": "0.38.0"}
NEWEST = "0.38.0"
KEY = "tml-example"
MODEL = "embedded/tiny"
TOKENS = [84, 104, 101, 32, 113]
#: The fields of an example that are not part of the exchange.
ABOUT = frozenset({"kind", "releases", "source"})
# Flags that make the client use operations of the scripted server.
FLAGS = {"sample_use_retrieve_futures": True, "sample_join_sampling_session": True}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|\+00:00)")
_PORT = re.compile(r"http://127\.0\.0\.1:\d+")
_SIGNATURE = re.compile(r"(?<=[?&])([a-z_]*(?:sig|token|key|expires)[a-z_]*)=[^&\"]+", re.I)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


def record_examples() -> Json:
    """The examples by operation and name; blocks for about a minute."""
    examples = _Examples()
    for protocol, release in PROTOCOLS.items():
        with start_embedded(protocol=protocol) as backend:
            _record(examples, Forwarder(backend.url), release, "embedded backend", MODEL)
    examples.complete = True
    _record(examples, ScriptedServer(FLAGS), NEWEST, "scripted server", "Qwen/Qwen3-8B")
    return {name: examples.by_operation[name] for name in sorted(examples.by_operation)}


class _Examples:
    """The examples by operation and name.

    An exchange that has the same fields as an example adds its release to it. If `complete`, only
    examples of other operations, and other kinds of results, are added.
    """

    def __init__(self) -> None:
        self.by_operation: Json = {}
        self.complete = False

    def add(self, operation: str, kind: str, release: str, source: str, example: Json) -> None:
        """Add an example; `kind` is that of the result, or `release`."""
        known = self.by_operation.get(operation, {})
        if self.complete and known and not self._is_new(known, kind, source):
            return
        for other in known.values():
            if other["kind"] == kind and _form(other) == _form({**other, **example}):
                if release not in other["releases"]:
                    other["releases"].append(release)
                return
        same_kind = any(other["kind"] == kind for other in known.values())
        suffix = release.replace(".", "_")
        name = f"{kind}_{suffix}" if same_kind or kind == "release" else kind
        if name not in known:
            entry = {"kind": kind, "releases": [release], "source": source, **example}
            self.by_operation.setdefault(operation, {})[name] = entry

    @staticmethod
    def _is_new(known: Json, kind: str, source: str) -> bool:
        sources = {other["source"] for other in known.values()}
        kinds = {other["kind"] for other in known.values()}
        return source in sources if kind == "release" else kind not in kinds


def _record(
    examples: _Examples, responder: Responder, release: str, source: str, model: str
) -> None:
    with recording(responder) as recorded:
        with tinker.ServiceClient(base_url=recorded.url, api_key=KEY, retry_window=5) as service:
            for call in _calls(service, model):
                # An operation that the server does not have.
                with suppress(tinker.TinkerError, AttributeError, NotImplementedError):
                    call()
        with AuthenticatedClient(recorded.url, token=KEY) as client:
            for call in _plain_calls(client, model):
                with suppress(UnexpectedStatus, tinker.TinkerError):
                    call()
        exchanges = list(recorded.exchanges)
    contract, redactor = load_contract(release), _Redactor()
    submitted: dict[str, str] = {}
    for exchange in exchanges:
        operation = contract.verdict(exchange).operation_id
        entry = _example(exchange, contract, submitted)
        if operation is not None and entry is not None:
            kind, example = entry
            examples.add(operation, kind, release, source, redactor(example))


def _calls(service: tinker.ServiceClient, model: str) -> Iterator[Callable[[], Any]]:
    """Calls of all operations, in an order in which they succeed."""
    service.get_server_capabilities()
    training = service.create_lora_training_client(model, rank=4, seed=1)
    datum = tinker.Datum(
        model_input=tinker.ModelInput.from_ints(TOKENS[:-1]),
        loss_fn_inputs={"target_tokens": np.array(TOKENS[1:]), "weights": np.ones(4)},
    )
    yield training.get_info
    yield lambda: training.forward([datum], "cross_entropy").result()
    yield lambda: training.forward_backward([datum], "cross_entropy").result()
    yield lambda: training.optim_step(tinker.AdamParams(learning_rate=0.01)).result()
    saved = training.save_state("state").result().path
    yield lambda: training.load_state(saved).result()
    weights = training.save_weights_for_sampler("weights").result().path
    sampler = service.create_sampling_client(weights)
    prompt = tinker.ModelInput.from_ints(TOKENS)
    params = tinker.SamplingParams(max_tokens=3, temperature=0.0)
    yield lambda: sampler.sample(prompt, 1, params, include_prompt_logprobs=True).result()
    image = tinker.ModelInput([tinker.ImageChunk(data=b"png", format="png", expected_tokens=1)])
    yield lambda: sampler.sample(image, 1, params).result()
    rest, admin = service.create_rest_client(), service.create_admin_client()
    run = training.model_id
    yield lambda: rest.list_training_runs(limit=10).result()
    yield lambda: rest.get_training_run(run).result()
    yield lambda: rest.list_checkpoints(run).result()
    yield lambda: rest.list_user_checkpoints(limit=10).result()
    yield lambda: rest.publish_checkpoint_from_tinker_path(saved).result()
    yield lambda: rest.unpublish_checkpoint_from_tinker_path(saved).result()
    yield lambda: rest.set_checkpoint_ttl_from_tinker_path(saved, 3600).result()
    yield lambda: rest.get_checkpoint_archive_url_from_tinker_path(weights).result()
    yield lambda: rest.get_weights_info_by_tinker_path(saved).result()
    yield lambda: rest.copy_weights(saved, "copied").result()
    yield lambda: rest.get_sampler(sampler.sampling_session_id).result()
    yield lambda: rest.list_sessions().result()
    yield lambda: rest.search_sessions(tinker.types.SessionSearchRequest()).result()
    yield lambda: rest.get_session(_session(rest)).result()
    yield lambda: rest.assign_session_project(_session(rest), "project-1").result()
    yield lambda: rest.export_session_trace(_session(rest)).result()
    yield lambda: rest.whoami().result()
    yield lambda: rest.get_own_api_key().result()
    yield lambda: admin.get_audit_log().result()
    yield lambda: admin.get_billing_usage("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z").result()
    yield lambda: admin.get_current_checkpoint_storage_usage().result()
    yield lambda: rest.delete_checkpoint_from_tinker_path(weights).result()
    yield lambda: training.unload().result()
    yield lambda: rest.delete_own_api_key().result()


def _plain_calls(client: AuthenticatedClient, model: str) -> Iterator[Callable[[], Any]]:
    """Calls of the operations that the client calls at some time, or only for some servers."""
    opening = api.CreateSessionRequest(
        tags=[], user_metadata=api.UserMetadata(), sdk_version=NEWEST
    )
    session = create_session.sync(client=client, body=opening).session_id
    yield lambda: get_health.sync(client=client)
    beat = api.SessionHeartbeatRequest(session)
    yield lambda: session_heartbeat.sync(client=client, body=beat)
    base = api.CreateSamplingSessionRequest(session, 0, base_model=model)
    sampler = create_sampling_session.sync(client=client, body=base).sampling_session_id or ""
    joining = api.JoinSamplingSessionRequest(sampler)
    yield lambda: join_sampling_session.sync(client=client, body=joining)
    request = api.SampleRequest(
        prompt=api.ModelInput([api.EncodedTextChunk(TOKENS)]),
        sampling_params=api.SamplingParams(max_tokens=200),
        sampling_session_id=sampler,
        seq_id=0,
    )
    sample = asample.sync(client=client, body=request).request_id
    yield lambda: cancel_future.sync_detailed(client=client, body=api.CancelFutureRequest(sample))
    graph = api.CustomLossGraph(
        [
            api.CustomLossNode("placeholder", "logprobs", "logprobs"),
            api.CustomLossNode("call_method", "sum", "sum", args=[{"node": "logprobs"}]),
            api.CustomLossNode("output", "output", "output", args=[{"node": "sum"}]),
        ]
    )
    loss = api.CreateCustomLossRequest(
        session, 0, "total", [api.CustomLossInput("logprobs", 1)], graph
    )
    yield lambda: create_custom_loss.sync(client=client, body=loss)
    lora = api.LoraConfig(rank=4)
    creating = create_model.sync(
        client=client, body=api.CreateModelRequest(session, 0, base_model=model, lora_config=lora)
    )
    run = wait_for(client, creating.request_id, api.CreateModelResponse).model_id
    saving = api.SaveWeightsExternalRequest(run, "external", seq_id=1)

    def save_externally() -> None:
        submitted = save_weights_external.sync(client=client, body=saving)
        wait_for(client, submitted.request_id, api.SaveWeightsExternalResponse)

    yield save_externally
    yield lambda: get_external_weights_urls.sync(run, "weights", "external", client=client)


def _session(rest: tinker.RestClient) -> str:
    return rest.list_sessions().result().sessions[0]


def _example(
    exchange: Exchange, contract: Contract, submitted: dict[str, str]
) -> tuple[str, Json] | None:
    """The kind and content of an example; None if the exchange is an error or invalid.

    `submitted` has the operation of each request id, and is extended.
    """
    verdict = contract.verdict(exchange)
    if verdict.problems or exchange.response.status not in (200, 302):
        return None
    kind = "release"
    request, response = _body(exchange.request.message), _body(exchange.response.message)
    example: Json = {}
    if request is not None:
        example["request"] = request
    elif exchange.request.message.media_type == PROTOBUF_TYPE:
        example["protobuf_request"] = _message("request", exchange.request.message.decoded)
    if response is not None:
        example["response"] = response
    if parameters := contract.parameters(exchange.request):
        example["parameters"] = parameters
    name = verdict.operation_id
    if name is not None and name in RESULTS and isinstance(response, dict):
        submitted[str(response.get("request_id"))] = name
    if name == "retrieve_future":
        operation = submitted.get(str(request["request_id"]))
        if operation is None:
            return None
        kind = _result_kind(operation, response)
        if response is None:
            message = _message(operation, exchange.response.message.decoded)
            kind, example["protobuf_response"] = f"{operation}_protobuf", message
    return kind, example


def _form(value: Any) -> Any:
    """The names of all fields, without values."""
    if isinstance(value, dict):
        return {key: _form(item) for key, item in value.items() if key not in ABOUT}
    if isinstance(value, list):
        return [_form(value[0])] if value else []
    return type(value).__name__


def _result_kind(operation: str, response: Any) -> str:
    if isinstance(response, dict):
        if response.get("type") == "try_again":
            return "try_again"
        if response.get("error") is not None:
            return "failed"
    return operation


def _body(message: HttpMessage) -> Any:
    if message.media_type != "application/json" or not message.body:
        return None
    return json.loads(message.decoded)


def _message(source: str, content: bytes) -> Json:
    """A protobuf message as JSON (ProtoJSON)."""
    types: dict[str, type[Message]] = {
        "request": tinker_public_pb2.ForwardBackwardRequest,
        "asample": tinker_public_pb2.SampleResponse,
    }
    kind = types.get(source, tinker_public_pb2.ForwardBackwardOutput)
    decoded: Json = MessageToDict(kind.FromString(content), preserving_proto_field_name=True)
    return {"message": f"tinker_public.{kind.DESCRIPTOR.name}", "proto_json": decoded}


class _Redactor:
    """Replaces ids by numbers in the order of their first use, and credentials and times."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        text = json.dumps(value)
        text = _UUID.sub(self._id, text)
        text = _TIME.sub("2026-01-01T00:00:00\\1", text)
        text = _PORT.sub("https://server.example", text)
        text = _SIGNATURE.sub("\\1=REDACTED", text)
        text = _JWT.sub("eyJ.REDACTED.REDACTED", text)
        # Tokenizers of the embedded backend are in the folder of the package.
        text = text.replace(str(Path(tinker.__file__).parent), "/path/to/tinker_ext")
        return json.loads(text.replace(KEY, "tml-REDACTED"))

    def _id(self, match: re.Match[str]) -> str:
        number = len(self._ids) + 1
        return self._ids.setdefault(match[0], f"00000000-0000-4000-8000-{number:012d}")
