"""ClientConfig: precedence of sources, errors that name the setting, no secret displayed."""

from __future__ import annotations

import copy
import math
import pickle
import sys
import traceback
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from pickle import loads
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.config import DEFAULT_BASE_URL, ClientConfig, parsers
from tinker_ext.config.client_config import AllSettings, Settings
from tinker_ext.errors import ConfigurationError
from tinker_ext.redaction.secret import Secret

KEY = "tml-0123456789abcdef"
OTHER_KEY = "tml-fedcba9876543210"
HIDDEN = "hidden-value"
PACKAGE = Path(parsers.__file__).parent


def resolve(**explicit: Any) -> ClientConfig:
    return ClientConfig.resolve(**{"api_key": KEY} | explicit)


# Variable, setting, text, parsed value; an argument that takes precedence, parsed argument.
Setting = tuple[str, str, str, object, object, object]
VARIABLES: list[Setting] = [
    ("TINKER_API_KEY", "api_key", f" {KEY}\n", Secret(KEY), OTHER_KEY, Secret(OTHER_KEY)),
    ("TINKER_CREDENTIAL_CMD", "credential_cmd", "get a", Secret("get a"), "b", Secret("b")),
    ("TINKER_BASE_URL", "base_url", "http://a:1/b/", "http://a:1/b", "embedded", "embedded"),
    ("TINKER_PROJECT_ID", "project_id", "p1", "p1", "p2", "p2"),
    ("TINKER_EMBEDDED_DIR", "embedded_dir", "/a/b", Path("/a/b"), Path("c"), Path("c")),
    ("TINKER_TAGS", "tags", "b, a,,b", ("b", "a"), ["c", "c"], ("c",)),
    ("TINKER_TELEMETRY", "telemetry", "Off", False, True, True),
    ("TINKER_EXT_TRACE", "trace_file", "/a/b.jsonl", Path("/a/b.jsonl"), Path("c"), Path("c")),
    ("TINKER_EXT_TRACE_DETAIL", "trace_detail", "inf", math.inf, 0.5, 0.5),
    ("TINKER_EXT_TRACE_HEADERS", "trace_headers", "no", False, True, True),
    ("TINKER_EXT_HTTP_TRANSPORT", "http_transport", "HTTPCORE", "httpcore", "asyncio", "asyncio"),
    ("SSL_CERT_FILE", "ssl_cert_file", "/a/b.pem", Path("/a/b.pem"), Path("c"), Path("c")),
    ("SSL_CERT_DIR", "ssl_cert_dir", "/a/b", Path("/a/b"), Path("c"), Path("c")),
    ("TINKER_LOG", "log_level", "DEBUG", "debug", "info", "info"),
    ("TINKER_FEATURE_GATES", "feature_gates", "x,y", ("x", "y"), (), ()),
    ("CLOUDFLARE_ACCESS_CLIENT_ID", "cf_access_client_id", "i1", "i1", "i2", "i2"),
    (
        "CLOUDFLARE_ACCESS_CLIENT_SECRET",
        "cf_access_client_secret",
        HIDDEN,
        Secret(HIDDEN),
        Secret("s2"),
        Secret("s2"),
    ),
]
BY_VARIABLE = pytest.mark.parametrize("setting", VARIABLES, ids=[row[0] for row in VARIABLES])


def test_defaults() -> None:
    config = ClientConfig.resolve(api_key=KEY)
    assert config.base_url == DEFAULT_BASE_URL
    assert (config.timeout, config.connect_timeout, config.retry_window) == (60.0, 5.0, 300.0)
    assert (config.max_samples_in_flight, config.heartbeat_interval) == (400, 10.0)
    assert config.telemetry is True
    assert config.feature_gates == ("async_sampling",)
    assert (config.tags, config.user_metadata, config.default_headers) == ((), {}, {})
    assert set(config.sources.items()) >= {("api_key", "argument"), ("timeout", "default")}


def test_every_setting_has_source() -> None:
    fields = {field.name for field in attrs.fields(ClientConfig)} - {"sources", "proxy_rules"}
    assert set(resolve().sources) == fields


@BY_VARIABLE
def test_argument_overrides_environment_overrides_default(
    monkeypatch: pytest.MonkeyPatch, setting: Setting
) -> None:
    variable, name, text, value, argument, parsed_argument = setting
    default = getattr(ClientConfig.resolve(require_key=False), name)
    monkeypatch.setenv(variable, text)
    from_environment = ClientConfig.resolve(require_key=False)
    assert getattr(from_environment, name) == value != default
    assert from_environment.sources[name] == f"environment {variable}"
    explicit = ClientConfig.resolve(require_key=False, **{name: argument})
    assert getattr(explicit, name) == parsed_argument
    assert explicit.sources[name] == "argument"


@BY_VARIABLE
@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, empty: str, setting: Setting
) -> None:
    variable, name, *_ = setting
    default = ClientConfig.resolve(require_key=False)
    monkeypatch.setenv(variable, empty)
    assert ClientConfig.resolve(require_key=False) == default
    assert ClientConfig.resolve(require_key=False).sources[name] == "default"


@BY_VARIABLE
def test_none_counts_as_not_given(monkeypatch: pytest.MonkeyPatch, setting: Setting) -> None:
    variable, name, text, value, *_ = setting
    monkeypatch.setenv(variable, text)
    assert getattr(ClientConfig.resolve(require_key=False, **{name: None}), name) == value


def test_table_lists_every_variable() -> None:
    fields = attrs.fields(ClientConfig)
    assert {field.metadata.get("variable") for field in fields} - {None} == {
        entry[0] for entry in VARIABLES
    }


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("TINKER_API_KEY", f"{KEY} {KEY}", "whitespace, control or non-ASCII"),
        ("TINKER_API_KEY", "tml-schlüssel", "whitespace, control or non-ASCII"),
        ("TINKER_BASE_URL", "localhost:8000", "expected a URL .*, got 'localhost:8000'"),
        ("TINKER_BASE_URL", "ftp://host", "starting with http:// or https://"),
        ("TINKER_BASE_URL", "embeded", "expected a URL .*, or 'embedded', got 'embeded'"),
        ("TINKER_BASE_URL", "http://host/api/v1/", "ends with /api/v1, .* leave it out"),
        ("TINKER_BASE_URL", "http://", "expected a URL starting with"),
        ("TINKER_BASE_URL", "http://host:port", "expected a URL starting with"),
        ("TINKER_BASE_URL", "http://host:0", "expected a URL starting with"),
        ("TINKER_BASE_URL", "http://ho st", "expected a URL starting with"),
        ("TINKER_BASE_URL", "http://host?x=1", "without query or fragment"),
        ("TINKER_BASE_URL", "http://host/#x", "without query or fragment"),
        ("TINKER_BASE_URL", "http://me:hidden@host", "default_headers"),
        ("TINKER_TELEMETRY", "perhaps", "expected on or off .*, got 'perhaps'"),
        ("TINKER_LOG", "loud", "expected one of debug, info.*, got 'loud'"),
        ("TINKER_EXT_HTTP_TRANSPORT", "requests", "expected asyncio or httpcore, got 'requests'"),
        ("TINKER_PROJECT_ID", "a\nb", "invalid in a header"),
        ("CLOUDFLARE_ACCESS_CLIENT_SECRET", "a b", "whitespace, control or non-ASCII"),
    ],
)
def test_invalid_variable_error_names_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, words: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=words) as caught:
        ClientConfig.resolve(require_key=False)
    assert str(caught.value).startswith(f"{variable}: ")
    assert caught.value.setting == variable
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("api_key", "", "must not be empty"),
        ("api_key", 7, "expected a str, got int"),
        ("credential_cmd", " ", "the command must not be empty"),
        ("credential_cmd", "a\0", "must not be empty or contain a NUL byte"),
        ("credential_cmd", 7, "expected a str, got int"),
        ("base_url", "", "must not be empty"),
        ("base_url", 7, "expected a str, got 7"),
        (
            "proxy",
            "host:3128",
            "expected a URL starting with http:// or https:// or socks5://.*, got 'host:3128'",
        ),
        ("proxy", "ftp://me:hidden@host", "expected a URL .*, got 'ftp://host'"),
        ("timeout", 0, "expected a positive number of seconds, got 0"),
        ("timeout", -1.5, "expected a positive"),
        ("timeout", math.nan, "expected a positive"),
        ("timeout", "soon", "expected a positive .*, got 'soon'"),
        ("timeout", True, "expected a positive .*, got True"),
        ("timeout", 10**400, "expected a positive"),
        ("max_samples_in_flight", 0, "expected an integer of at least 1, got 0"),
        ("max_samples_in_flight", 1.5, "expected an integer .*, got 1.5"),
        ("max_samples_in_flight", math.inf, "expected an integer .*, got inf"),
        ("telemetry", 1, "expected on or off .*, got 1"),
        ("log_level", 10, "expected one of .*, got 10"),
        ("tags", 7, "expected a list of str, got 7"),
        ("tags", {"a": 1}, "expected a list of str"),
        ("tags", ["a", 7], "expected a list of str, got 7 in it"),
        ("user_metadata", ["a"], "expected a mapping of str to str, got list"),
        ("user_metadata", {"a": 1}, "got another type in entry 'a'"),
        (
            "default_headers",
            {"a b": "x"},
            "the name that starts with 'a' is not a valid header name",
        ),
        ("default_headers", {"A": "hidden\n"}, "the value of A has characters"),
        ("default_headers", {"A": "Gr\u00fc\u00dfe"}, "the value of A has characters"),
        ("default_headers", {"x-API-key": "hidden"}, "can't be set here; use api_key"),
        ("embedded_dir", "", "expected a path"),
        ("embedded_dir", 7, "expected a path, got 7"),
    ],
)
def test_invalid_argument_error_names_argument(name: str, value: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        resolve(**{name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert caught.value.setting == name
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("base_ur", "Did you mean base_url"),
        ("apikey", "Did you mean api_key"),
        ("retry_config", "Use retry_window and max_retries"),
        ("time_out", "Did you mean timeout"),
        ("sources", "Unknown setting 'sources'"),
        ("zzz", "Unknown setting 'zzz'. See ClientConfig for all settings."),
        (KEY, "'***'"),
    ],
)
def test_unknown_setting_error_suggests_similar_names(name: str, advice: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(**{name: 1})
    assert advice in str(caught.value)
    assert caught.value.setting == name


def test_former_transport_selects_the_one_that_replaced_it() -> None:
    assert resolve(http_transport="aiohttp").http_transport == "asyncio"
    assert resolve().http_transport == "asyncio"


@pytest.mark.parametrize("transport", parsers.HTTP_TRANSPORTS)
@pytest.mark.parametrize("variable", [None, "HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize("scheme", ["socks5", "SOCKS5"])
def test_socks_proxy_without_socksio_rejected(
    monkeypatch: pytest.MonkeyPatch, transport: str, variable: str | None, scheme: str
) -> None:
    """Also for an unpickled client, and with every transport."""
    monkeypatch.setitem(sys.modules, "socksio", ModuleType("socksio"))
    sys.modules["socksio"].__spec__ = ModuleSpec("socksio", None)
    proxy = f"{scheme}://me:hidden@host"
    if variable is not None:
        monkeypatch.setenv(variable, proxy)
    explicit = {"proxy": proxy} if variable is None else {}
    stored = pickle.dumps(resolve(http_transport=transport, **explicit))
    monkeypatch.setitem(sys.modules, "socksio", None)
    for make in (lambda: resolve(http_transport=transport, **explicit), partial(loads, stored)):
        monkeypatch.setenv("TINKER_API_KEY", KEY)
        with pytest.raises(
            ConfigurationError, match=r"package socksio: pip install 'httpx\[socks\]'"
        ) as caught:
            make()
        assert caught.value.setting == (variable or "proxy")
        assert "hidden" not in str(caught.value)


# URLs, exceptions and proxies for which the result is compared with that of httpx.
URLS = (
    "https://api.example.com/a",
    "http://api.example.com",
    "http://example.com:8080",
    "https://notexample.com",
    "https://10.1.2.3",
    "https://[2001:db8::1]:444/a",
    "http://EXAMPLE.com",
)
NO_PROXY = (
    "",
    "*",
    "example.com",
    ".example.com",
    "*.example.com",
    "api.example.com,10.1.2.3",
    "example.com:8080",
    "https://api.example.com",
    "http://example.com:8080",
    "10.0.0.0/8",
    "10.1.2.3",
    "2001:db8::1",
    " other.org , example.com ",
    "a,*",
    "EXAMPLE.COM",
)
VARIABLE_SETS: tuple[dict[str, str], ...] = (
    {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"},
    {"HTTP_PROXY": "proxy:3128"},
    {"all_proxy": "http://all:1", "HTTP_PROXY": "http://plain:1"},
    {"ALL_PROXY": "http://me:hidden@all:1"},
)


@pytest.mark.parametrize("no_proxy", NO_PROXY)
@pytest.mark.parametrize("variables", VARIABLE_SETS, ids=["https", "http", "both", "all"])
def test_environment_proxy_matches_httpx(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], no_proxy: str
) -> None:
    for name, value in {**variables, "NO_PROXY": no_proxy}.items():
        monkeypatch.setenv(name, value)
    config = resolve()
    with httpx.Client() as client:
        direct = client._transport
        for url in URLS:
            transport: Any = client._transport_for_url(httpx.URL(url))
            expected = None if transport is direct else transport._pool._proxy_url.host.decode()
            chosen = config.proxy_for(url)
            assert (chosen and urlsplit(chosen).hostname) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:1", "http://LOCALHOST", "http://a.localhost", "http://127.0.0.1:8000"),
        *("http://127.1.2.3", "http://[::1]:1", "http://0.0.0.0:1", "http://[::]:1"),
    ],
)
def test_loopback_url_ignores_environment_proxy_but_not_argument(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://env:1")
    assert resolve(base_url=url).proxy is None
    assert resolve(base_url=url).proxy_for(url) is None
    assert resolve().proxy_for(url) is None
    explicit = resolve(base_url=url, proxy="http://mine:1")
    assert explicit.proxy == explicit.proxy_for(url) == "http://mine:1"


@pytest.mark.parametrize("entry", ["[2001:db8::1]", "[::1]:80", "a:b", "http://[", "*.*", "://"])
def test_malformed_no_proxy_entry_ignored(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    """httpx raises an error for some of these."""
    monkeypatch.setenv("ALL_PROXY", "http://env:1")
    monkeypatch.setenv("NO_PROXY", entry)
    chosen = resolve().proxy_for("http://[2001:db8::1]:5/a")
    assert chosen == (None if entry == "[2001:db8::1]" else "http://env:1")


@pytest.mark.parametrize(
    "entry", ["/internal", "/", "/8", "?a", "#a", "@", ":", "all://", "all:///a"]
)
def test_no_proxy_entry_without_host_ignored(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://env:1")
    monkeypatch.setenv("NO_PROXY", f"{entry},other.example")
    url = "https://api.example.com/a"
    assert resolve().proxy_for(url) == "http://env:1"
    with httpx.Client() as client:
        assert client._transport_for_url(httpx.URL(url)) is not client._transport
    assert resolve().proxy_for("https://other.example") is None


def test_embedded_backend_ignores_environment_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "no proxy at all")
    assert resolve(base_url="embedded").proxy is None


def test_environment_proxy_source_is_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{HIDDEN}@proxy:3128")
    config = resolve()
    assert config.proxy == f"http://me:{HIDDEN}@proxy:3128"
    assert config.sources["proxy"] == "environment HTTPS_PROXY"
    assert HIDDEN not in repr(config) + repr(config.proxy_rules)
    assert resolve(base_url="http://api.example.com").proxy is None


@pytest.mark.parametrize("source", ["proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize(
    "host",
    ["256.1.1.1:1", "1.2.3.04", "[v1.x]:1", "[1.2.3.4]:1", "pro\txy:1", "[::1]x:1", "x[::1]:1"],
)
def test_proxy_whose_host_httpx_rejects_rejected(
    monkeypatch: pytest.MonkeyPatch, source: str, host: str
) -> None:
    proxy = f"http://me:{HIDDEN}@{host}"
    with pytest.raises(httpx.InvalidURL):
        httpx.Proxy(proxy)
    explicit = {"proxy": proxy} if source == "proxy" else {}
    if not explicit:
        monkeypatch.setenv(source, proxy)
    message = f"^{source}: (expected a URL starting with http.*, got )?'http://"
    with pytest.raises(ConfigurationError, match=message) as caught:
        resolve(**explicit)
    assert caught.value.setting == source
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("host", ["[::1]:1", "[::1]", "10.0.0.1:8080", "p.example", "1.2.3.4.5:1"])
def test_proxy_whose_host_httpx_accepts_accepted(host: str) -> None:
    proxy = f"http://me:{HIDDEN}@{host}"
    httpx.Proxy(proxy)
    assert resolve(proxy=proxy).proxy == proxy


@pytest.mark.parametrize("value", ["ftp://proxy:1", "socks://proxy:1", "http://", "http://a b:1"])
def test_invalid_environment_proxy_rejected_only_for_its_scheme(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("https_proxy", value)
    with pytest.raises(ConfigurationError, match="https_proxy: ") as caught:
        resolve()
    assert caught.value.setting == "https_proxy"
    config = resolve(base_url="http://api.example.com")
    assert config.proxy is None
    with pytest.raises(ConfigurationError, match="https_proxy: "):
        config.proxy_for("https://storage.example.com")


def test_unpickled_config_uses_proxy_of_its_own_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{HIDDEN}@here:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/here.pem")
    stored = pickle.dumps(resolve())
    assert HIDDEN.encode() not in stored
    monkeypatch.setenv("HTTPS_PROXY", "http://there:1")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", "/there")
    there = pickle.loads(stored)
    assert (there.proxy, there.sources["proxy"]) == ("http://there:1", "environment HTTPS_PROXY")
    assert (there.ssl_cert_file, there.ssl_cert_dir) == (None, Path("/there"))
    monkeypatch.delenv("HTTPS_PROXY")
    assert pickle.loads(stored).proxy is None


def test_missing_key_error_names_variable_and_embedded_backend() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ClientConfig.resolve()
    assert "TINKER_API_KEY" in str(caught.value)
    assert 'base_url="embedded"' in str(caught.value)
    assert caught.value.setting == "api_key"


def test_embedded_backend_requires_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ClientConfig.resolve(base_url="embedded").is_embedded
    monkeypatch.setenv("TINKER_BASE_URL", "embedded/")
    assert ClientConfig.resolve().is_embedded
    assert not resolve(base_url="http://embedded").is_embedded


@pytest.mark.parametrize("word", ["1", "true", "YES", " on ", True])
def test_telemetry_on(word: object) -> None:
    assert resolve(telemetry=word).telemetry is True


@pytest.mark.parametrize("word", ["0", "False", "no", "off", False])
def test_telemetry_off(word: object) -> None:
    assert resolve(telemetry=word).telemetry is False


def test_numbers_parsed_from_text_and_infinite() -> None:
    config = resolve(timeout="1.5", max_samples_in_flight=7.0, future_timeout=math.inf)
    assert (config.timeout, config.max_samples_in_flight) == (1.5, 7)
    assert config.future_timeout == math.inf


def test_home_folder_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    assert resolve(embedded_dir="~/state").embedded_dir == Path("/home/user/state")


@given(st.lists(st.text()))
def test_parse_str_list_keeps_order_without_duplicates(words: list[str]) -> None:
    result = parsers.parse_str_list(words)
    stripped = [word.strip() for word in words if word.strip()]
    assert len(result) == len(set(result)) == len(set(stripped))
    assert [stripped.index(word) for word in result] == sorted(map(stripped.index, result))


def test_config_unaffected_by_later_changes_of_arguments() -> None:
    metadata, headers, tags = {"a": "1"}, {"A": "1"}, ["a"]
    config = resolve(user_metadata=metadata, default_headers=headers, tags=tags)
    metadata["a"], headers["A"] = "2", "2"
    tags.append("b")
    assert (config.user_metadata, config.default_headers) == ({"a": "1"}, {"A": "1"})
    assert config.tags == ("a",)
    with pytest.raises(TypeError):
        config.user_metadata["a"] = "3"  # type: ignore[index]  # must be an error
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.timeout = 1.0  # type: ignore[misc]  # must be an error


def test_rate_limit_key_depends_on_url_and_key_only() -> None:
    config = resolve(base_url="http://a", timeout=1.0)
    assert config.rate_limit_key == resolve(base_url="http://a/", timeout=2.0).rate_limit_key
    assert config.rate_limit_key != resolve(base_url="http://b").rate_limit_key
    assert config.rate_limit_key != resolve(base_url="http://a", api_key=OTHER_KEY).rate_limit_key
    assert KEY not in repr(config.rate_limit_key)
    assert ClientConfig.resolve(base_url="embedded").rate_limit_key == ("embedded", "")


def config_with_secrets() -> ClientConfig:
    return resolve(
        base_url="http://host",
        cf_access_client_id="the-id",
        cf_access_client_secret=HIDDEN,
        proxy=f"http://me:{HIDDEN}@proxy:3128",
        default_headers={
            "Authorization": f"Bearer {HIDDEN}",
            "Cookie": HIDDEN,
            "X-Copy": f"again {KEY}",
            "X-Plain": "plain",
        },
        user_metadata={"a": "b"},
        tags=["t"],
    )


def hides_secrets(text: str) -> bool:
    return KEY not in text and HIDDEN not in text


def test_repr_of_config_hides_secrets() -> None:
    config = config_with_secrets()
    for text in (repr(config), str(config), f"{config}", f"{config!r:>10}", repr(config.api_key)):
        assert hides_secrets(text)
    assert "'X-Plain': '***'" in repr(config)
    assert "http://proxy:3128" in repr(config)


def test_traceback_of_invalid_setting_hides_secrets() -> None:
    for bad in (
        {"cf_access_client_secret": HIDDEN, "proxy": f"http://me:{HIDDEN}@"},
        {"proxy": f"me:{HIDDEN}@proxy:3128"},
        {"proxy": f"ftp://me:{HIDDEN}@proxy"},
        {"api_key": f"{KEY} {HIDDEN}"},
        {"base_url": f"http://me:{HIDDEN}@host"},
        {"base_url": f"me:{HIDDEN}@host"},
        {"base_url": f"http://host/?key={HIDDEN}"},
        {"base_url": f"http://host:99999/#{HIDDEN}"},
        {"default_headers": {f"Authorization: Bearer {HIDDEN}": ""}},
        {"default_headers": {"Authorization": f"Bearer {HIDDEN}\n"}},
        {"cf_access_client_secret": f"{HIDDEN} {HIDDEN}"},
    ):
        with pytest.raises(ConfigurationError) as caught:
            resolve(**bad)
        assert hides_secrets("".join(traceback.format_exception(caught.value)))


def test_pickle_omits_secrets_and_reads_key_from_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config_with_secrets()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert hides_secrets(pickle.dumps(config, protocol).decode("latin-1"))
    monkeypatch.setenv("TINKER_API_KEY", OTHER_KEY)
    twin = pickle.loads(pickle.dumps(config))
    assert twin.api_key.reveal() == OTHER_KEY
    assert twin.sources["api_key"] == "environment TINKER_API_KEY"
    assert twin.cf_access_client_secret is None
    assert twin.default_headers == {"X-Plain": "plain"}
    assert twin.proxy == "http://proxy:3128"
    names = {field.name for field in attrs.fields(ClientConfig)}
    names -= {"api_key", "cf_access_client_secret", "default_headers", "proxy", "sources"}
    names -= {"proxy_rules"}
    for name in names:
        assert getattr(twin, name) == getattr(config, name)
        assert twin.sources[name] == config.sources[name]


def test_unpickled_config_without_key_fails_check_key() -> None:
    twin = pickle.loads(pickle.dumps(config_with_secrets()))
    assert twin.api_key is None
    with pytest.raises(ConfigurationError, match="TINKER_API_KEY"):
        twin.check_key()


def test_embedded_config_pickle_round_trip() -> None:
    config = ClientConfig.resolve(base_url="embedded", user_metadata={"a": "b"}, timeout=3)
    assert pickle.loads(pickle.dumps(config)) == config


def test_copies_keep_key() -> None:
    config = config_with_secrets()
    assert copy.copy(config) is config
    assert copy.deepcopy({"config": config})["config"] is config


def test_only_client_config_reads_environment() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if "embedded" not in path.parts]
    readers = {
        path.name
        for path in files
        if any(word in path.read_text(encoding="utf-8") for word in ("os.environ[", "getenv("))
        or "os.environ.get(" in path.read_text(encoding="utf-8")
    }
    assert readers == {"client_config.py"}


class TestSecret:
    def test_text_and_pickle_hide_value(self) -> None:
        secret = Secret(HIDDEN)
        texts: list[Any] = [str(secret), repr(secret), f"{secret}", f"{secret:>20}"]
        texts += [repr([secret]), repr({"key": secret}), pickle.dumps(secret).decode("latin-1")]
        assert all(hides_secrets(text) for text in texts)
        assert secret.reveal() == HIDDEN

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            (KEY, "tml-*** (sha256 "),
            ("eyJhbGciOi", "eyJ*** (sha256 "),
            (HIDDEN, "*** (sha256 "),
            ("", "(empty)"),
        ],
    )
    def test_mask_distinguishes_keys(self, text: str, masked: str) -> None:
        assert Secret(text).masked.startswith(masked)
        assert Secret(KEY).masked != Secret(OTHER_KEY).masked

    def test_equality_by_value(self) -> None:
        assert Secret("a") == Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert len({Secret("a"), Secret("a"), Secret("b")}) == 2

    def test_unpickled_secret_is_empty_and_copy_is_same_object(self) -> None:
        secret = Secret("a")
        assert not pickle.loads(pickle.dumps(secret))
        assert copy.deepcopy(secret) is copy.copy(secret) is secret

    def test_attributes_cannot_be_added(self) -> None:
        with pytest.raises(AttributeError):
            Secret("a").note = "b"  # type: ignore[attr-defined]  # must be an error


def test_typed_settings_are_those_of_the_configuration() -> None:
    fields = {field.name for field in attrs.fields(ClientConfig) if field.metadata}
    assert set(AllSettings.__annotations__) == fields
    assert fields - set(Settings.__annotations__) == {"user_metadata", "project_id"}
