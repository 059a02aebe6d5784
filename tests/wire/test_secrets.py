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
from tests.wire.tokens import DemandingFaultServer
from tinker_ext.testing import FaultServer, Reply, SimulatedTime, faults, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "tml-PLANTED0123456789abcdefKEY"
CF_SECRET = "cf-PLANTED-access-secret-77"
HEADER_SECRET = "Bearer PLANTED-in-a-default-header"
PROXY_SECRET = "PLANTEDproxypassword"
# Of no form that is known for a secret by itself.
TOKEN = "PLANTED-token"
ALL = (KEY, CF_SECRET, HEADER_SECRET, PROXY_SECRET, TOKEN)
PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])


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
    names = ("tinker_ext", "httpx", "httpcore", "asyncio")
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


def test_nothing_that_is_emitted_holds_a_secret(
    server: FaultServer, log: io.StringIO, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spans = tmp_path / "spans.jsonl"
    simulated = SimulatedTime()
    emitted: list[str] = []
    with make_client(clock=simulated.clock, trace_file=spans, **settings(server)) as service:
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
        ):
            for operation, call in (
                ("get_server_capabilities", service.get_server_capabilities),
                ("optim_step", lambda: training.optim_step(tinker.AdamParams()).result(60)),
                ("retrieve_future", lambda: sampler.sample(PROMPT, 1, PARAMS).result(60)),
                ("list_training_runs", lambda: rest.list_training_runs().result(60)),
                ("create_auth_token", lambda: _with_a_new_token(server, service)),
            ):
                server.answer_always(operation, answer)
                emitted += _emitted_by(call)
                server.answer_usually()
        service.get_server_capabilities()
        sent = server.calls("get_server_capabilities")[-1].headers
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
        "spans": spans.read_text(),
        "standard streams": written.out + written.err,
        "errors, reprs, pickles": "\n".join(emitted),
    }
    assert len(told["log"]) > 1000
    assert "tinker.retry" in told["spans"]
    assert len(told["errors, reprs, pickles"]) > 10_000
    for place, text in told.items():
        for secret in ALL:
            at = text.find(secret)
            assert at < 0, f"{place}: {text[max(0, at - 200) : at + 50]}"


def _with_a_new_token(server: FaultServer, service: tinker.ServiceClient) -> None:
    if isinstance(server, DemandingFaultServer):
        server.revoke()
    service.get_server_capabilities()


def _emitted_by(call: Any) -> list[str]:
    """All that an error says of itself, its causes and its frames."""
    try:
        call()
    except tinker.TinkerError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        plain = "".join(traceback.format_exception(error))
        again = pickle.loads(pickle.dumps(error))
        return [str(error), repr(error), repr(vars(error)), plain, repr(vars(again)), _own(shown)]
    return []


def _own(shown: traceback.TracebackException) -> str:
    """The variables of our own frames; those of the HTTP library hold the request itself."""
    lines: list[str] = []
    link: traceback.TracebackException | None = shown
    while link is not None:
        for frame in link.stack:
            if "/tinker_ext/" in frame.filename and "/transport/" not in frame.filename:
                lines.append(str(frame.locals))
        link = link.__cause__ or link.__context__
    return "\n".join(lines)


def test_a_proxys_password_is_not_shown(log: io.StringIO) -> None:
    proxy = f"http://me:{PROXY_SECRET}@127.0.0.1:9"
    with (
        FaultServer() as server,
        warnings.catch_warnings(),
        make_client(proxy=proxy, clock=SimulatedTime().clock, **settings(server)) as service,
    ):
        said = _emitted_by(service.get_server_capabilities)
        said += [repr(service), repr(service.config), repr(pickle.dumps(service))]
    assert said[0]
    for text in (*said, log.getvalue()):
        assert PROXY_SECRET not in text
