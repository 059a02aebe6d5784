"""Requests: their form, and input that must not become one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from tinker_ext.install_hints import install_hint
from tinker_ext.testing.conformance.play import Play, datum, scenario
from tinker_ext.testing.conformance.server import JSON_PROTOCOL, PROTOBUF, Exchange

# Requests that clients of several releases send to find out the server's.
_PROBES = frozenset({"get_client_config", "get_client_dynamic_config"})


@scenario("requests.shape")
def short_weights(play: Play) -> None:
    """A datum has three targets and two weights."""
    training = play.training()
    error = play.error(play.train(training, [datum(), datum(weights=[1.0, 1.0])]))
    requests = len(play.server.exchanges("forward_backward"))
    play.check(
        "requests.shape",
        requests == 0,
        expected="an error and no request",
        received=f"{error}; {requests} requests",
    )


@scenario("requests.finite")
def infinite_rate(play: Play) -> None:
    """A learning rate of NaN."""
    training = play.training()
    error = play.error(play.call("optim_step", on=training, learning_rate="NaN"))
    requests = len(play.server.exchanges("optim_step"))
    play.check(
        "requests.finite",
        requests == 0,
        expected="an error and no request",
        received=f"{error}; {requests} requests",
    )


@scenario("requests.valid", "requests.operations")
def every_operation(play: Play) -> None:
    """Train, save, load and sample; all requests are validated."""
    training = play.training()
    play.result(play.call("forward", on=training, data=[datum()], loss_fn="cross_entropy"))
    play.result(play.train(training))
    play.result(play.update(training))
    saved = play.run("save_state", on=training, name="state")
    play.run("load_state", on=training, path=saved["path"])
    weights = play.run("save_weights_for_sampler", on=training, name="weights")
    play.run("save_weights_and_get_sampling_client", on=training, **{"as": "unnamed"})
    play.result(play.sample("unnamed"))
    sampler = play.sampler(model_path=weights["path"])
    play.result(play.sample(sampler, num_samples=2))
    if find_spec("jsonschema_rs") is not None:  # The validator of the embedded backend.
        problems = _problems(play.protocol, play.server.exchanges())
        play.check(
            "requests.valid",
            not problems,
            expected=f"valid requests of {play.protocol}",
            received="; ".join(problems) or f"{len(play.server.exchanges())} valid requests",
        )
    else:
        play.skip("requests.valid", f"needs the extra: {install_hint('embedded')}")
    missing = {
        item.operation
        for item in play.server.exchanges()
        if not play.server.supports(item.received)
        and not (play.protocol == JSON_PROTOCOL and item.operation in _PROBES)
    }
    play.check(
        "requests.operations",
        not missing,
        expected=f"operations of {play.protocol}",
        received=", ".join(sorted(missing)) or "all known",
    )


def _problems(protocol: str, exchanges: Iterable[Exchange]) -> list[str]:
    """The problems of these requests, each once. Protobuf is decoded, not validated."""
    from tinker_ext.embedded.errors import RejectedRequestError
    from tinker_ext.embedded.protocols import BY_RELEASE, specification_of

    operations = specification_of(BY_RELEASE[protocol]).operations
    problems: dict[str, None] = {}
    for exchange in exchanges:
        operation = operations.get(exchange.operation)
        if operation is None or PROTOBUF in exchange.content_type or not operation.takes_body:
            continue
        try:
            operation.check(exchange.received.body)
        except RejectedRequestError as error:
            problems[f"{exchange.operation}: {error}"] = None
    return list(problems)
