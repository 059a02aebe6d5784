"""Redaction of foreign text: secrets are found in every form, other text is unchanged."""

from __future__ import annotations

import base64
import gc
import html
import json
import logging
import pickle
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinker_ext.config import parsers
from tinker_ext.errors import (
    APIError,
    ConfigurationError,
    RequestFailedError,
    SessionLostError,
    status_error,
)
from tinker_ext.redaction.redactor import READ_TEXT, printable, redact, redact_body, shorten
from tinker_ext.redaction.secret import HiddenValue, Secret, forms_of, hide
from tinker_ext.tracing import log

VALUES = ("tml-PLANTED-0123456789", 'opaque/PLANTED+ary"0&12=3<45>', "with a blank PLANTED é")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "JSON with escaped slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "all characters as \\u": lambda text: "".join(f"\\u{ord(char):04X}" for char in text),
    "URL": lambda text: quote(text, safe=""),
    "URL twice": lambda text: quote(quote(text, safe=""), safe=""),
    "URL in lower case": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "HTML": html.escape,
    "HTML twice": lambda text: html.escape(html.escape(text)),
    "decimal entities": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "upper case": str.upper,
    "lower case": str.lower,
    "base64": encoded,
    "base64 behind one byte": lambda text: encoded(f":{text}:"),
    "base64 behind two bytes": lambda text: encoded(f"u:{text}:"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 in a URL": lambda text: quote(encoded(text), safe=""),
    "two thirds": lambda text: text[: len(text) * 2 // 3],
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_secret_redacted(value: str, form: str) -> None:
    written = FORMS[form](value)
    hidden = hide(f"the key {written} is bad", forms_of(value), "***")
    assert hidden.startswith("the key ")
    assert hidden.endswith(" is bad")
    assert "***" in hidden
    # In base64, characters that also depend on neighbours remain; they reveal nothing.
    assert len(hidden) < len("the key  is bad") + 12


@pytest.mark.parametrize("value", ["000%00", "%61%62", "a&lt;bcd", r"\u0041bc", "a%2525bc"])
@pytest.mark.parametrize("form", ["URL", "URL twice", "HTML", "HTML twice", "JSON", "JSON in JSON"])
def test_secret_that_looks_escaped_redacted_in_escaped_form(value: str, form: str) -> None:
    written = FORMS[form](value)
    assert written not in hide(f"the key {written} is bad", forms_of(value), "***")
    assert hide("ab A < %", forms_of(value), "***") == "ab A < %"


@pytest.mark.parametrize("value", ["short&1", "tml-PLANTED-0123456789"])
def test_adjacent_forms_of_secret_redacted(value: str) -> None:
    text = value + json.dumps(value)[1:-1] + quote(value, safe="")
    assert hide(text, forms_of(value), "***") == "*********"


@given(st.text(alphabet="ab\\%&;u0041x2Fquot\"'/<> \n", max_size=60))
def test_text_without_secret_unchanged(text: str) -> None:
    assert hide(text, forms_of("PLANTED-0123456789-PLANTED"), "***") == text


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=6, max_size=40),
    st.sampled_from(sorted(set(FORMS) - {"two thirds"})),
    st.text("xyz ", max_size=5),
)
def test_no_form_of_any_secret_remains(value: str, form: str, around: str) -> None:
    written = FORMS[form](value)
    assume(len(value) >= (8 if form.startswith("base64") else 6))
    assume(len(value) >= 16 or form not in ("upper case", "lower case"))
    assert written not in hide(f"{around}{written}{around}", forms_of(value), "")


def test_secret_redacted_while_it_exists() -> None:
    secret = Secret("opaque-PLANTED-word")
    assert redact("bad opaque-PLANTED-word!") == "bad ***!"
    held = [Secret("another-word-here"), secret]
    del secret
    assert redact("another-word-here, opaque-PLANTED-word") == "***, ***"
    held.clear()
    gc.collect()
    assert redact("bad another-word-here!") == "bad another-word-here!"


def test_short_secret_not_redacted() -> None:
    held = Secret("fake")
    assert redact("fake/model is fake") == "fake/model is fake"
    assert held


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("get http://me:pass@proxy:1/x", "get http://***@proxy:1/x"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer ***"),
        ("proxy-authorization: basic dXNlcjpwYXNz", "proxy-authorization: basic ***"),
        ("Basic authentication required", "Basic authentication required"),
        ("the bearer understands", "the bearer understands"),
        ("see http://host:80/a@b", "see http://host:80/a@b"),
    ],
)
def test_credentials_redacted_by_context(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_long_body_cut_without_splitting_secret() -> None:
    secret = Secret("opaque-PLANTED-" + "0123456789" * 3)
    long = {"detail": "x" * 30_000 + secret.reveal() + "y" * 1000}
    assert redact_body(long) == {"detail": "x" * 30_000 + "***" + "y" * 1000}
    for before in range(READ_TEXT - 50, READ_TEXT + 5, 5):
        body = redact_body("x" * before + secret.reveal() + "y" * 10_000)
        assert isinstance(body, str)
        assert "opaque" not in body
    many = redact_body([{"detail": "x" * 30_000}] * 100)
    assert len(json.dumps(many)) < 3 * READ_TEXT


HOSTILE = "a\x1b[31mred\x07 \u202egpj.exe\u2066 \x9b0m \x00 b\r\nforged: line"


def test_control_characters_escaped() -> None:
    for shown in (printable(HOSTILE), shorten(HOSTILE)):
        assert shown.isprintable()
        assert "\\x1b[31mred\\x07" in shown
        assert "\\u202e" in shown


def test_errors_contain_no_control_characters() -> None:
    error = status_error(
        400,
        headers={"x-request-id": HOSTILE, "cf-ray": HOSTILE},
        body={"detail": HOSTILE},
        operation="forward",
    )
    for shown in (
        error,
        APIError(HOSTILE, request_id=HOSTILE),
        RequestFailedError(HOSTILE, HOSTILE),
        SessionLostError(HOSTILE),
        ConfigurationError("one\x1b[2J"),
        pickle.loads(pickle.dumps(error)),
    ):
        assert str(shown).isprintable()
    error.request_id = "r" * 10_000 + "\x1b"
    assert str(error).isprintable()
    assert len(str(error)) < 2_000
    assert error.body == {"detail": HOSTILE}, "the body is the server's"


def test_log_lines_redacted_printable_and_bounded(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("opaque-PLANTED-word")
    with caplog.at_level(logging.INFO, "tinker_ext"):
        log.info("said %s and %d", HOSTILE, 5)
        log.info("key %s", secret.reveal())
        log.info("%s", "long " * 100_000)
        log.info("nothing %s", "special")
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.isprintable() for line in lines)
    assert lines[1] == "key ***"
    assert len(lines[2]) < 5_000
    assert caplog.records[3].args == ("special",)


def test_default_headers_redact_credentials_and_their_parts() -> None:
    headers = parsers.read_headers(
        {
            "Authorization": "Basic dXNlcjpQTEFOVEVEcGFzcw==",
            "Cookie": "a=1; session=PLANTED-cookie; b=2",
            "X-Vault-Pass": "PLANTED-vault",
            "X-Custom": "Bearer PLANTED-bearer",
            "X-Region": "eu-west",
        }
    )
    assert headers["X-Region"] == "eu-west"
    assert "PLANTED" not in repr(headers)
    assert dict(pickle.loads(pickle.dumps(headers))) == {"X-Region": "eu-west"}
    echoes = "dXNlcjpQTEFOVEVEcGFzcw==", "PLANTEDpass", "PLANTED-cookie", "PLANTED-vault"
    for part in (*echoes, "PLANTED-bearer"):
        assert redact(f"no {part} here") == "no *** here"


def test_proxy_url_redacts_password_and_basic_token() -> None:
    proxy = parsers.read_proxy("http://user:PLANTED%40pass@proxy:8080")
    assert proxy == "http://user:PLANTED%40pass@proxy:8080"
    assert repr(proxy) == "'http://proxy:8080'"
    assert pickle.loads(pickle.dumps(proxy)) == "http://proxy:8080"
    for part in ("PLANTED@pass", "PLANTED%40pass", encoded("user:PLANTED@pass")):
        assert redact(f"no {part} here") == "no *** here"


def test_hidden_value_absent_from_repr_and_pickle() -> None:
    value = HiddenValue(["PLANTED"])
    assert value.take() == ["PLANTED"]
    assert "PLANTED" not in f"{value!r} {value} {pickle.dumps(value)!r}"
