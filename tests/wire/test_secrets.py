"""A key is sent in one header and shown nowhere: all output is searched for it."""

from __future__ import annotations

import base64
import copy
import html
import io
import json
import logging
import pickle
import traceback
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs
import pytest
from rich.console import Console
from rich.traceback import Traceback

import tinker_ext as tinker
from tests.builders import DATUM, PARAMS, PROMPT
from tests.unit.tracing.sdk import recording_sdk
from tests.wire.tokens import DemandingFaultServer
from tinker_ext.config import credentials_file
from tinker_ext.runtime.concurrency.loop import background_loop
from tinker_ext.testing import FakeServer, FaultServer, Reply, SimulatedTime, faults, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tinker_ext.testing import Received

KEY = "tml-PLANTED0123456789abcdefKEY"
CF_SECRET = "cf-PLANTED-access-secret-77"
HEADER_SECRET = "Bearer PLANTED-in-a-default-header"
PROXY_SECRET = "PLANTEDproxypassword"
# Not in a format that is recognized as a secret.
TOKEN = "PLANTED-token"
ENVIRONMENT_KEY = "tml-PLANTED-in-the-environment-0123"
ALL = (KEY, CF_SECRET, HEADER_SECRET, PROXY_SECRET, TOKEN, ENVIRONMENT_KEY)
WEIGHTS = "tinker://run-1/weights/a"


@pytest.fixture
def watched_loop() -> Iterator[None]:
    """The client's loop in debug mode, in which asyncio logs slow steps and their location."""
    loop = background_loop().asyncio_loop
    slow, loop.slow_callback_duration = loop.slow_callback_duration, 0.0
    loop.call_soon_threadsafe(loop.set_debug, True)
    yield
    loop.call_soon_threadsafe(loop.set_debug, False)
    loop.slow_callback_duration = slow


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The output of all loggers, at all levels."""
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
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


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
    """A server that accepts the key, and one that requires tokens."""
    with FaultServer() if request.param == "key" else DemandingFaultServer() as running:
        if isinstance(running, DemandingFaultServer):
            running.make = lambda serial: f"{TOKEN}-{serial:06}"
        yield running


def echo(status: int, server: FaultServer) -> Any:
    """Makes the server echo each request, like a debugging proxy."""
    tokens = server.issued if isinstance(server, DemandingFaultServer) else []
    return lambda received: Reply(
        status,
        {"detail": f"headers were {dict(received.headers)} {tokens[-3:]}", "category": "server"},
        {"X-Request-Id": f"r-{received.headers['x-api-key']}", "Server": KEY},
    )


# Tokens are sent like the key, so each transport is tested with one of the servers.
@pytest.mark.parametrize(
    ("server", "http_transport"),
    [("key", "httpcore"), ("key", "asyncio"), ("tokens", "httpcore")],
    indirect=True,
)
@pytest.mark.usefixtures("watched_loop")
def test_no_output_contains_a_secret(
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
        for response in (
            *(echo(status, server) for status in (400, 401, 402, 410, 500)),
            Reply(200, f'{{"detail": "{KEY}"'),
            Reply(200, [KEY, {"a": CF_SECRET}]),
            Reply(302, None, {"Location": f"http://elsewhere/?key={KEY}"}),
            faults.not_http(),
            faults.half_sent(),
            faults.Fault(raw=f"{KEY}\r\n\r\n".encode(), ending="close"),
            Reply(200, {}, {"Set-Cookie": f"{KEY} a={KEY}; expires={KEY}"}),
        ):
            server.respond("session_heartbeat", echo(500, server), faults.dropped())
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
                server.respond_always(operation, response)
                emitted += _emitted_by(call)
                server.respond_by_default()
        service.get_server_capabilities()
        sent = server.calls("get_server_capabilities")[-1].headers
        service.close()
        emitted += [repr(item) for item in objects] + [str(item) for item in objects]
        emitted += [repr(vars(item)) for item in objects if hasattr(item, "__dict__")]
        emitted += [repr(pickle.dumps(item)) for item in objects[:5]]
        emitted += [repr(copy.deepcopy(service.config))]
    tokens = isinstance(server, DemandingFaultServer)
    assert sent["x-api-key"].startswith(TOKEN if tokens else KEY), (
        "the key is sent, so it was there to be shown"
    )
    assert sent["cf-access-client-secret"] == CF_SECRET
    written = capfd.readouterr()
    output = {
        "log": log.getvalue(),
        "recording": recording.read_text(),
        "spans": "\n".join(span.to_json() for span in sdk.spans),
        "metrics": repr(sdk.points()),
        "telemetry": repr([call.body for call in server.calls("send_telemetry")]),
        "fault server repr": repr(server.received),
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
        ("x-api-key", "fault server repr"),
        ("BadRequestError", "errors, reprs, pickles"),
    ):
        assert word in output[place], f"{place}: searched text is not empty"
    for place, text in output.items():
        for secret in ALL:
            at = text.find(secret)
            assert at < 0, f"{place}: {text[max(0, at - 200) : at + 50]}"


def _with_a_new_token(server: FaultServer, service: tinker.ServiceClient) -> None:
    if isinstance(server, DemandingFaultServer):
        server.revoke()
    service.get_server_capabilities()


def _emitted_by(call: Any) -> list[str]:
    """The text of an error, its causes, its frames and their variables."""
    try:
        call()
    except tinker.TinkerError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        plain = "".join(traceback.format_exception(error))
        again = pickle.loads(pickle.dumps(error))
        texts = [str(error), repr(error), repr(vars(error)), plain, repr(vars(again))]
        return [*texts, "".join(shown.format()), *_variables(error)]
    return []


def _variables(error: BaseException | None) -> list[str]:
    """The variables of all frames of an error and its causes, two levels deep."""
    result: list[str] = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename != __file__:
                values = list(frame.f_locals.values())
                result += [repr(value) for value in values]
                result += [repr(vars(value)) for value in values if hasattr(value, "__dict__")]
        error = error.__cause__ or error.__context__
    return result


def loss(data: object, logprobs: object) -> Any:
    """A custom loss that is never called."""


def test_proxy_password_is_not_shown(http_transport: str, log: io.StringIO) -> None:
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
        texts = _emitted_by(service.get_server_capabilities)
        texts += [repr(service), repr(service.config), repr(pickle.dumps(service))]
    assert texts[0]
    for text in (*texts, log.getvalue()):
        assert PROXY_SECRET not in text


@pytest.mark.parametrize("token", ["", "fake", "r"])
def test_short_access_token_is_not_redacted_in_results(token: str) -> None:
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        assert training.load_state(WEIGHTS, token).result(10).path == WEIGHTS
        rest = service.create_rest_client()
        copied = rest.copy_weights(WEIGHTS, "p", weights_access_token=token).result(10)
        assert copied == "tinker://run-2/weights/a"


def test_short_key_is_not_redacted_in_results() -> None:
    with make_client(FakeServer(), api_key="fake") as service:
        [model] = service.get_server_capabilities().supported_models
        assert model.model_name == "fake/model"


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_access_token_echoed_in_a_failed_result_is_redacted() -> None:
    server = FakeServer()
    token = "PLANTED-access-token"
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond_always(
            "retrieve_future", Reply(200, {"error": f"bad {token}", "category": "user"})
        )
        with pytest.raises(tinker.RequestFailedError, match=r"bad \*\*\*"):
            training.load_state(WEIGHTS, token).result(10)


ODD_KEY = 'sk/PLANTED+key"0&12=3<45>6789'
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": json.dumps,
    "URL": lambda text: quote(text, safe=""),
    "HTML": html.escape,
    "base64": encode,
    "truncated": lambda text: text[:20],
}


@pytest.mark.parametrize("status", [400, 401, 503])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_key_echoed_in_an_encoding_is_redacted(encoding: str, status: int) -> None:
    echoed = ENCODINGS[encoding](ODD_KEY)
    server = FakeServer()
    server.respond_always("get_server_capabilities", Reply(status, {"detail": f"bad {echoed}"}))
    with make_client(server, api_key=ODD_KEY, clock=SimulatedTime().clock) as service:
        texts = _emitted_by(service.get_server_capabilities)
    assert "bad" in texts[0]
    for text in texts:
        for form in (*(encode(ODD_KEY) for encode in ENCODINGS.values()), "PLANTED"):
            assert form not in text


@pytest.mark.parametrize("status", [307, 403, 503])
def test_key_echoed_in_error_headers_is_redacted(status: int, log: io.StringIO) -> None:
    names = ("Server", "X-Request-Id", "X-Deprecation-Note", "Location")
    server = FakeServer()
    server.respond_always(
        "get_server_capabilities", Reply(status, None, dict.fromkeys(names, f"echo {ODD_KEY}"))
    )
    with make_client(server, api_key=ODD_KEY, clock=SimulatedTime().clock) as service:
        texts = _emitted_by(service.get_server_capabilities)
    assert "id echo ***" in texts[0]
    assert "deprecation note from the server: echo ***" in log.getvalue()
    for text in (*texts, log.getvalue()):
        assert "PLANTED" not in text


def test_key_echoed_in_a_failed_result_is_redacted() -> None:
    server = FakeServer()
    words = " ".join(encode(ODD_KEY) for encode in ENCODINGS.values())
    server.respond_always("retrieve_future", Reply(200, {"error": words, "category": "user"}))
    with make_client(server, api_key=ODD_KEY) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        [text, *_] = _emitted_by(lambda: sampler.sample(PROMPT, 1, PARAMS).result(30))
    assert "***" in text
    for encode in ENCODINGS.values():
        assert encode(ODD_KEY) not in text


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("Authorization", "Bearer PLANTED-part-1234", "PLANTED-part-1234"),
        ("Authorization", f"Basic {encode('user:PLANTEDpass')}", "PLANTEDpass"),
        ("Proxy-Authorization", f"Basic {encode('user:PLANTEDpass')}", "PLANTEDpass"),
        ("Cookie", "a=1; session=PLANTEDcookie; b=2", "PLANTEDcookie"),
        ("X-Vault-Password", "PLANTEDvault", "PLANTEDvault"),
        ("X-Credential", "PLANTEDcredential", "PLANTEDcredential"),
        ("X-Signature", "PLANTEDsignature", "PLANTEDsignature"),
    ],
)
def test_part_of_a_default_header_is_redacted_and_not_pickled(
    name: str, value: str, part: str
) -> None:
    server = FakeServer()
    server.respond_always("get_server_capabilities", Reply(401, {"detail": f"bad {part}"}))
    with make_client(server, default_headers={name: value}) as service:
        texts = _emitted_by(service.get_server_capabilities)
        texts += [repr(service.config), repr(pickle.dumps(service)), repr(vars(service))]
        texts += [repr(attrs.asdict(service.config))]
    assert server.calls("get_server_capabilities")[0].headers[name.lower()] == value
    assert "bad ***" in texts[0]
    for text in texts:
        assert part not in text
        assert value not in text


def test_proxy_that_echoes_its_credentials_shows_none(
    http_transport: str, log: io.StringIO
) -> None:
    token = encode(f"me:{PROXY_SECRET}")

    def refuse(received: Received) -> Reply:
        credentials = received.headers["proxy-authorization"]
        return Reply(407, f"denied: {credentials} of me:{PROXY_SECRET}, {dict(received.headers)}")

    with FaultServer() as proxy:
        proxy.respond_always("get_server_capabilities", refuse)
        with make_client(
            base_url="http://example.invalid",
            api_key=KEY,
            proxy=proxy.url.replace("http://", f"http://me:{PROXY_SECRET}@"),
            http_transport=http_transport,
            clock=SimulatedTime().clock,
        ) as service:
            texts = _emitted_by(service.get_server_capabilities)
            texts += [repr(attrs.asdict(service.config)), repr(pickle.dumps(service))]
    assert "denied" in texts[0]
    for text in (*texts, log.getvalue()):
        for secret in (PROXY_SECRET, token, KEY):
            assert secret not in text


BAD_SETTINGS: list[dict[str, Any]] = [
    {"base_url": "ftp://x"},
    {"base_url": f"http://me:{PROXY_SECRET}@host"},
    {"proxy": f"foo://me:{PROXY_SECRET}@host"},
    {"timeout": -1},
    {"no_such": 1},
    {"project_id": f"{KEY} é"},
    {"trace_file": "/no/such/folder/x.jsonl"},
    {"api_key": [KEY]},
    {"api_key": f"{KEY} blank"},
    {"api_key": KEY.encode()},
    {"cf_access_client_secret": f"{CF_SECRET} blank"},
    {"default_headers": {"X-Token": f"{HEADER_SECRET}\n"}},
    {"default_headers": {"X-API-Key": KEY}},
    {"default_headers": [HEADER_SECRET]},
]


@pytest.mark.parametrize("bad", BAD_SETTINGS, ids=range(len(BAD_SETTINGS)))
@pytest.mark.parametrize("kind", [tinker.ServiceClient, tinker.RestClient, make_client])
def test_variables_of_a_configuration_error_hold_no_secret(
    kind: Callable[..., Any], bad: dict[str, Any]
) -> None:
    good = {
        "api_key": KEY,
        "base_url": "http://127.0.0.1:1",
        "cf_access_client_id": "id",
        "cf_access_client_secret": CF_SECRET,
        "default_headers": {"Authorization": HEADER_SECRET},
        "proxy": f"http://me:{PROXY_SECRET}@127.0.0.1:9",
    }
    with pytest.raises(tinker.ConfigurationError) as caught:
        kind(**good | bad)
    texts = [str(caught.value), repr(vars(caught.value)), *_variables(caught.value)]
    texts.append(_rich_traceback(caught.value))
    for text in texts:
        for secret in ALL:
            assert secret not in text


def _rich_traceback(error: BaseException) -> str:
    """A traceback as rich prints it, with variables, starting in the package."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    console = Console(file=io.StringIO(), width=500)
    shown = Traceback.from_exception(
        type(error), error, trace, show_locals=True, locals_max_string=10_000
    )
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    assert "locals" in console.file.getvalue()
    return console.file.getvalue()


def test_variables_of_environment_and_login_errors_hold_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login = tmp_path / "credentials.json"
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", login)
    raised: list[tinker.ConfigurationError] = []
    for content in (f"[{KEY}", json.dumps({"default": "a", "keys": {"a": {"key": f"{KEY} é"}}})):
        login.write_text(content, encoding="utf-8")
        with pytest.raises(tinker.ConfigurationError, match=r"credentials\.json") as caught:
            tinker.ServiceClient()
        raised.append(caught.value)
    monkeypatch.setenv("TINKER_API_KEY", f"{KEY} blank")
    with pytest.raises(tinker.ConfigurationError, match="TINKER_API_KEY") as caught:
        tinker.ServiceClient()
    for error in (*raised, caught.value):
        for text in (str(error), *_variables(error), _rich_traceback(error)):
            assert KEY not in text


HOSTILE = "\x1b]0;title\x07\x1b[2Jno \u202e model\x00"


def test_control_characters_from_a_server_are_escaped(log: io.StringIO) -> None:
    server = FakeServer()
    server.respond(
        "get_server_capabilities",
        Reply(503, {"detail": HOSTILE}),
        Reply(400, {"detail": HOSTILE}),
    )
    server.respond_always(
        "retrieve_future", Reply(200, {"error": HOSTILE * 1000, "category": "user"})
    )
    with make_client(server, clock=SimulatedTime().clock) as service:
        with pytest.raises(tinker.BadRequestError) as refused:
            service.get_server_capabilities()
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.RequestFailedError) as failed:
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert refused.value.body == {"detail": HOSTILE}
    for text in (str(refused.value), str(failed.value)):
        assert text.isprintable()
        assert "\\x1b[2Jno \\u202e model" in text
        assert len(text) < 1_500
    assert all(line.isprintable() for line in log.getvalue().splitlines())


def test_request_ids_are_truncated() -> None:
    server = FakeServer()
    long = "r" * 100_000
    server.respond("asample", Reply(200, {"request_id": long}), Reply(200, {"request_id": "r\x1b"}))
    server.respond("get_server_capabilities", Reply(400, {"detail": "no"}, {"X-Request-Id": long}))
    server.respond("retrieve_future", Reply(422, {"detail": "no"}))
    with make_client(server) as service:
        with pytest.raises(tinker.BadRequestError) as refused:
            service.get_server_capabilities()
        sampler = service.create_sampling_client(base_model="fake/model")
        with pytest.raises(tinker.APIResponseValidationError, match="100000 characters") as caught:
            sampler.sample(PROMPT, 1, PARAMS).result(30)
        with pytest.raises(tinker.RequestFailedError, match="no") as failed:
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert len(refused.value.request_id or "") < 300
    assert len(caught.value.request_id or "") <= 1_024
    assert len(str(caught.value)) < 1_000
    assert [poll.body["request_id"] for poll in server.calls("retrieve_future")] == ["r\x1b"]
    assert str(failed.value).isprintable()
