"""A key is sent in one header and shown nowhere: everything emitted is searched for it."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.unit.tracing.sdk import recording_sdk
from tests.wire.tokens import DemandingFaultServer
from tinker_ext.runtime.loop import background_loop
from tinker_ext.testing import FakeServer, FaultServer, Reply, SimulatedTime, faults, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "tml-PLANTED0123456789abcdefKEY"
CF_SECRET = "cf-PLANTED-access-secret-77"
HEADER_SECRET = "Bearer PLANTED-in-a-default-header"
PROXY_SECRET = "PLANTEDproxypassword"
# Of no form that is known for a secret by itself.
TOKEN = "PLANTED-token"
ENVIRONMENT_KEY = "tml-PLANTED-in-the-environment-0123"
ALL = (KEY, CF_SECRET, HEADER_SECRET, PROXY_SECRET, TOKEN, ENVIRONMENT_KEY)
PARAMS = tinker.SamplingParams(max_tokens=4)
WEIGHTS = "tinker://run-1/weights/a"
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)


@pytest.fixture
def watched_loop() -> Iterator[None]:
    """The client's loop in debug mode: asyncio then tells which steps took how long, and where."""
    loop = background_loop()._loop
    slow, loop.slow_callback_duration = loop.slow_callback_duration, 0.0
    loop.call_soon_threadsafe(loop.set_debug, True)
    yield
    loop.call_soon_threadsafe(loop.set_debug, False)
    loop.slow_callback_duration = slow


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything any logger says, at every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    names = (
        "tinker_ext",
        "httpx",
        "httpcore",
        "aiohttp",
        "asyncio",
        "concurrent.futures",
        "opentelemetry",
    )
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    for name, one in levels.items():
        logging.getLogger(name).setLevel(one)


def settings(server: FaultServer) -> dict[str, Any]:
    return {
        "base_url": server.url,
        "api_key": KEY,
        "cf_access_client_id": "id",
        "cf_access_client_secret": CF_SECRET,
        "default_headers": {"X-Forwarded-Authorization": HEADER_SECRET},
        "retry_window": 20,
        "billing_window": 20,
    }


@pytest.fixture(params=["key", "tokens"])
def server(request: pytest.FixtureRequest) -> Iterator[FaultServer]:
    """One that takes the key, and one that demands tokens for it."""
    with FaultServer() if request.param == "key" else DemandingFaultServer() as running:
        if isinstance(running, DemandingFaultServer):
            running.make = lambda serial: f"{TOKEN}-{serial:06}"
        yield running


def echo(status: int, server: FaultServer) -> Any:
    """A server that says back everything it was sent, as debugging proxies do."""
    given = server.given if isinstance(server, DemandingFaultServer) else []
    return lambda received: Reply(
        status,
        {"detail": f"headers were {dict(received.headers)} {given[-3:]}", "category": "server"},
        {"X-Request-Id": f"r-{received.headers['x-api-key']}", "Server": KEY},
    )


# Tokens go where the key goes: each transport meets one of the two.
@pytest.mark.parametrize(
    ("server", "http_transport"),
    [("key", "httpcore"), ("key", "aiohttp"), ("tokens", "httpcore")],
    indirect=True,
)
@pytest.mark.usefixtures("watched_loop")
def test_nothing_that_is_emitted_holds_a_secret(
    server: FaultServer,
    http_transport: str,
    log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", ENVIRONMENT_KEY)
    recording = tmp_path / "spans.jsonl"
    simulated = SimulatedTime()
    emitted: list[str] = []
    with recording_sdk() as sdk:
        service = make_client(
            clock=simulated.clock,
            trace_file=recording,
            telemetry=True,
            heartbeat_interval=0.05,
            http_transport=http_transport,
            **settings(server),
        )
        training = service.create_lora_training_client("fake/model")
        sampler = service.create_sampling_client(base_model="fake/model")
        rest = service.create_rest_client()
        objects: list[object] = [service, training, sampler, rest, service.config, service._core]
        objects += [service._core.session, service._core.connection, service._core.poller]
        objects += [service._core.connection.keys]
        for answer in (
            *(echo(status, server) for status in (400, 401, 402, 410, 500)),
            Reply(200, f'{{"detail": "{KEY}"'),
            Reply(200, [KEY, {"a": CF_SECRET}]),
            Reply(302, None, {"Location": f"http://elsewhere/?key={KEY}"}),
            faults.not_http(),
            faults.half_sent(),
            faults.Fault(raw=f"{KEY}\r\n\r\n".encode(), ending="close"),
            Reply(200, {}, {"Set-Cookie": f"{KEY} a={KEY}; expires={KEY}"}),
        ):
            server.answer("session_heartbeat", echo(500, server), faults.dropped())
            for operation, call in (
                ("get_server_capabilities", service.get_server_capabilities),
                ("optim_step", lambda: training.optim_step(tinker.AdamParams()).result(60)),
                ("retrieve_future", lambda: sampler.sample(PROMPT, 1, PARAMS).result(60)),
                ("create_auth_token", lambda: _with_a_new_token(server, service)),
                ("list_training_runs", lambda: rest.list_training_runs().result(60)),
                (
                    "forward",
                    lambda: training.forward_backward_custom([DATUM], loss, arrays="numpy").result(
                        60
                    ),
                ),
            ):
                server.answer_always(operation, answer)
                emitted += _emitted_by(call)
                server.answer_usually()
        service.get_server_capabilities()
        sent = server.calls("get_server_capabilities")[-1].headers
        service.close()
        emitted += [repr(one) for one in objects] + [str(one) for one in objects]
        emitted += [repr(vars(one)) for one in objects if hasattr(one, "__dict__")]
        emitted += [repr(pickle.dumps(one)) for one in objects[:5]]
        emitted += [repr(copy.deepcopy(service.config))]
    tokens = isinstance(server, DemandingFaultServer)
    assert sent["x-api-key"].startswith(TOKEN if tokens else KEY), (
        "the key is sent, so it was there to be shown"
    )
    assert sent["cf-access-client-secret"] == CF_SECRET
    written = capfd.readouterr()
    told = {
        "log": log.getvalue(),
        "recording": recording.read_text(),
        "spans": "\n".join(span.to_json() for span in sdk.spans),
        "metrics": repr(sdk.points()),
        "telemetry": repr([one.body for one in server.calls("send_telemetry")]),
        "what the fault server shows": repr(server.received),
        "standard streams": written.out + written.err,
        "errors, reprs, pickles": "\n".join(emitted),
    }
    for word, place in (
        ("httpcore" if http_transport == "httpcore" else "asyncio", "log"),
        ("asyncio Executing", "log"),
        ("tinker.retry", "recording"),
        ("tinker.retry", "spans"),
        ("error.type", "metrics"),
        ("UNHANDLED_EXCEPTION", "telemetry"),
        ("x-api-key", "what the fault server shows"),
        ("BadRequestError", "errors, reprs, pickles"),
    ):
        assert word in told[place], f"{place}: there was something to search"
    for place, text in told.items():
        for secret in ALL:
            at = text.find(secret)
            assert at < 0, f"{place}: {text[max(0, at - 200) : at + 50]}"


def _with_a_new_token(server: FaultServer, service: tinker.ServiceClient) -> None:
    if isinstance(server, DemandingFaultServer):
        server.revoke()
    service.get_server_capabilities()


def _emitted_by(call: Any) -> list[str]:
    """All that an error says of itself, its causes, its frames and their variables."""
    try:
        call()
    except tinker.TinkerError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        plain = "".join(traceback.format_exception(error))
        again = pickle.loads(pickle.dumps(error))
        said = [str(error), repr(error), repr(vars(error)), plain, repr(vars(again))]
        return [*said, "".join(shown.format()), *_variables(error)]
    return []


def _variables(error: BaseException | None) -> list[str]:
    """Those of all frames of an error and its causes, two levels deep, as error reporters do."""
    found: list[str] = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename != __file__:
                values = list(frame.f_locals.values())
                found += [repr(one) for one in values]
                found += [repr(vars(one)) for one in values if hasattr(one, "__dict__")]
        error = error.__cause__ or error.__context__
    return found


def loss(data: object, logprobs: object) -> Any:
    """A loss of the user's, which is not reached."""


def test_a_proxys_password_is_not_shown(http_transport: str, log: io.StringIO) -> None:
    proxy = f"http://me:{PROXY_SECRET}@127.0.0.1:9"
    with (
        FaultServer() as server,
        warnings.catch_warnings(),
        make_client(
            proxy=proxy,
            http_transport=http_transport,
            clock=SimulatedTime().clock,
            **settings(server),
        ) as service,
    ):
        said = _emitted_by(service.get_server_capabilities)
        said += [repr(service), repr(service.config), repr(pickle.dumps(service))]
    assert said[0]
    for text in (*said, log.getvalue()):
        assert PROXY_SECRET not in text


@pytest.mark.parametrize("token", ["", "fake", "r"])
def test_a_word_for_a_token_of_weights_spoils_no_answer(token: str) -> None:
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        assert training.load_state(WEIGHTS, token).result(10).path == WEIGHTS
        rest = service.create_rest_client()
        copied = rest.copy_weights(WEIGHTS, "p", weights_access_token=token).result(10)
        assert copied == "tinker://run-2/weights/a"


def test_a_word_for_a_key_spoils_no_answer() -> None:
    with make_client(FakeServer(), api_key="fake") as service:
        [model] = service.get_server_capabilities().supported_models
        assert model.model_name == "fake/model"
