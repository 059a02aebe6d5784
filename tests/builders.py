"""Test data: the inputs that most tests send, web tokens, and servers that announce flags."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tinker_ext.testing import Replies

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
PARAMS = tinker.SamplingParams(max_tokens=4)


def datum(tokens: int | Iterable[int] = 2, **loss_fn_inputs: Any) -> tinker.Datum:
    """Create a datum for `cross_entropy`, or one with other inputs.

    Args:
        tokens: the token ids, or their number; then the ids count up from 1.
        loss_fn_inputs: inputs in place of targets equal to the tokens, with weights of 1.
    """
    ids = list(range(1, tokens + 1)) if isinstance(tokens, int) else list(tokens)
    inputs = loss_fn_inputs or {"target_tokens": ids, "weights": [1.0] * len(ids)}
    return tinker.Datum(model_input=tinker.ModelInput.from_ints(ids), loss_fn_inputs=inputs)


DATUM = datum()


def web_token(claims: object) -> str:
    """Create a JWT with an invalid signature. Bytes and text become its payload unchanged."""
    text = claims if isinstance(claims, bytes | str) else json.dumps(claims)
    payload = text if isinstance(text, bytes) else text.encode()
    middle = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{middle}.c2ln"


#: A flag that only release 0.38.0 has.
OF_0_38: dict[str, Any] = {"custom_loss_server_side": False}


def announce(
    server: Replies, *, latest: bool = True, dynamic: dict[str, Any] | None = None, **flags: Any
) -> None:
    """Make a server respond to `client/config` with these flags, by default as release 0.38.0."""
    config = {**(OF_0_38 if latest else {}), **flags}
    server.respond_always("get_client_config", Reply(200, config))
    server.respond_always("get_client_dynamic_config", Reply(200, dynamic or {}))


def flagged(**flags: Any) -> FakeServer:
    """Create an in-memory server that supports batched polling, with additional flags."""
    server = FakeServer()
    announce(server, **{"sample_use_retrieve_futures": True, **flags})
    return server
