"""Settings: argument over environment over default, bad ones named, no key in sight."""

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
from tinker_ext.errors import ConfigurationError
from tinker_ext.redaction.secret import Secret

KEY = "tml-0123456789abcdef"
OTHER_KEY = "tml-fedcba9876543210"
HIDDEN = "hidden-from-everybody"
PACKAGE = Path(parsers.__file__).parent


def resolve(**explicit: Any) -> ClientConfig:
    return ClientConfig.resolve(**{"api_key": KEY} | explicit)


# Each variable with a text for it and the value that makes, and an argument that beats it.
VARIABLES: list[tuple[str, str, str, object, object, object]] = [
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
    ("TINKER_EXT_HTTP_TRANSPORT", "http_transport", "AIOHTTP", "aiohttp", "httpcore", "httpcore"),
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
BY_VARIABLE = pytest.mark.parametrize(
    ("variable", "name", "text", "value", "argument", "argued"),
    VARIABLES,
    ids=[entry[0] for entry in VARIABLES],
)


def test_the_defaults() -> None:
    config = ClientConfig.resolve(api_key=KEY)
    assert config.base_url == DEFAULT_BASE_URL
    assert (config.timeout, config.connect_timeout, config.retry_window) == (60.0, 5.0, 300.0)
    assert (config.max_samples_in_flight, config.heartbeat_interval) == (400, 10.0)
    assert config.telemetry is True
    assert config.feature_gates == ("async_sampling",)
    assert (config.tags, config.user_metadata, config.default_headers) == ((), {}, {})
    assert set(config.sources.items()) >= {("api_key", "argument"), ("timeout", "default")}


def test_every_setting_has_a_source() -> None:
    fields = {field.name for field in attrs.fields(ClientConfig)} - {"sources", "proxy_rules"}
    assert set(resolve().sources) == fields


@BY_VARIABLE
def test_argument_over_environment_over_default(
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    name: str,
    text: str,
    value: object,
    argument: object,
    argued: object,
) -> None:
    default = getattr(ClientConfig.resolve(require_key=False), name)
    monkeypatch.setenv(variable, text)
    from_environment = ClientConfig.resolve(require_key=False)
    assert getattr(from_environment, name) == value != default
    assert from_environment.sources[name] == f"environment {variable}"
    explicit = ClientConfig.resolve(require_key=False, **{name: argument})
    assert getattr(explicit, name) == argued
    assert explicit.sources[name] == "argument"


@BY_VARIABLE
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_is_unset(
    monkeypatch: pytest.MonkeyPatch,
    empty: str,
    variable: str,
    name: str,
    text: str,
    value: object,
    argument: object,
    argued: object,
) -> None:
    default = ClientConfig.resolve(require_key=False)
    monkeypatch.setenv(variable, empty)
    assert ClientConfig.resolve(require_key=False) == default
    assert ClientConfig.resolve(require_key=False).sources[name] == "default"


@BY_VARIABLE
def test_none_is_not_given(
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    name: str,
    text: str,
    value: object,
    argument: object,
    argued: object,
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(ClientConfig.resolve(require_key=False, **{name: None}), name) == value


def test_every_variable_is_in_the_table() -> None:
    fields = attrs.fields(ClientConfig)
    assert {field.metadata.get("variable") for field in fields} - {None} == {
        entry[0] for entry in VARIABLES
    }


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("TINKER_API_KEY", f"{KEY} {KEY}", "blanks, control or non-ASCII"),
        ("TINKER_API_KEY", "tml-schlüssel", "blanks, control or non-ASCII"),
        ("TINKER_BASE_URL", "localhost:8000", "'localhost:8000' is not a URL"),
        ("TINKER_BASE_URL", "ftp://host", "starting with http or https"),
        ("TINKER_BASE_URL", "embeded", "is not a URL .*, nor 'embedded'"),
        ("TINKER_BASE_URL", "http://host/api/v1/", "ends with /api/v1, .* leave that out"),
        ("TINKER_BASE_URL", "http://", "is not a URL"),
        ("TINKER_BASE_URL", "http://host:port", "is not a URL"),
        ("TINKER_BASE_URL", "http://host:0", "is not a URL"),
        ("TINKER_BASE_URL", "http://ho st", "is not a URL"),
        ("TINKER_BASE_URL", "http://host?x=1", "query or fragment"),
        ("TINKER_BASE_URL", "http://host/#x", "query or fragment"),
        ("TINKER_BASE_URL", "http://me:hidden@host", "default_headers"),
        ("TINKER_TELEMETRY", "perhaps", "'perhaps' is neither on nor off"),
        ("TINKER_LOG", "loud", "'loud' is none of debug, info"),
        ("TINKER_EXT_HTTP_TRANSPORT", "requests", "'requests' is none of httpcore, aiohttp"),
        ("TINKER_PROJECT_ID", "a\nb", "fit in no header"),
        ("CLOUDFLARE_ACCESS_CLIENT_SECRET", "a b", "blanks, control or non-ASCII"),
    ],
)
def test_a_bad_variable_is_named(
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
        ("api_key", "", "it is empty"),
        ("api_key", 7, "a text is needed, not a int"),
        ("credential_cmd", " ", "it is empty"),
        ("credential_cmd", "a\0", "no command"),
        ("credential_cmd", 7, "a text is needed, not a int"),
        ("base_url", "", "is empty"),
        ("base_url", 7, "a text is needed"),
        ("proxy", "host:3128", "not a URL starting with http or https or socks5"),
        ("proxy", "ftp://me:hidden@host", "'ftp://host' is not a URL"),
        ("timeout", 0, "0 is not a positive number of seconds"),
        ("timeout", -1.5, "not a positive"),
        ("timeout", math.nan, "not a positive"),
        ("timeout", "soon", "'soon' is not a positive"),
        ("timeout", True, "True is not a positive"),
        ("timeout", 10**400, "not a positive"),
        ("max_samples_in_flight", 0, "0 is not a whole number of at least 1"),
        ("max_samples_in_flight", 1.5, "1.5 is not a whole"),
        ("max_samples_in_flight", math.inf, "inf is not a whole"),
        ("telemetry", 1, "1 is neither on nor off"),
        ("log_level", 10, "10 is none of"),
        ("tags", 7, "a list of texts is needed, not 7"),
        ("tags", {"a": 1}, "a list of texts is needed"),
        ("tags", ["a", 7], "7 is none"),
        ("user_metadata", ["a"], "texts by name are needed, not a list"),
        ("user_metadata", {"a": 1}, "the entry 'a' is not text"),
        ("default_headers", {"a b": "x"}, "what begins with 'a' is not the name of a header"),
        ("default_headers", {"A": "hidden\n"}, "the value of A has characters"),
        ("default_headers", {"A": "Gr\u00fc\u00dfe"}, "the value of A has characters"),
        ("default_headers", {"x-API-key": "hidden"}, "is what api_key is for"),
        ("embedded_dir", "", "a path is needed"),
        ("embedded_dir", 7, "a path is needed, not 7"),
    ],
)
def test_a_bad_argument_is_named(name: str, value: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        resolve(**{name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert caught.value.setting == name
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("base_ur", "did you mean base_url"),
        ("apikey", "did you mean api_key"),
        ("retry_config", "bounded by retry_window and max_retries"),
        ("time_out", "did you mean timeout"),
        ("sources", "There is no setting 'sources'"),
        ("zzz", "known are api_key, credential_cmd, base_url"),
        (KEY, "'***'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, advice: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(**{name: 1})
    assert advice in str(caught.value)
    assert caught.value.setting == name


def test_what_a_transport_needs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(http_transport="aiohttp").http_transport == "aiohttp"
    monkeypatch.setitem(sys.modules, "aiohttp", None)  # As if it were not there.
    assert resolve().http_transport == "httpcore"
    with pytest.raises(ConfigurationError, match=r"pip install 'tinker-ext\[aiohttp\]'"):
        resolve(http_transport="aiohttp")


@pytest.mark.parametrize("transport", parsers.HTTP_TRANSPORTS)
@pytest.mark.parametrize("variable", [None, "HTTPS_PROXY", "all_proxy"])
def test_socks_proxy_without_its_package_is_refused(
    monkeypatch: pytest.MonkeyPatch, transport: str, variable: str | None
) -> None:
    """Also when a client is unpickled, and whatever the transport."""
    monkeypatch.setitem(sys.modules, "socksio", ModuleType("socksio"))
    sys.modules["socksio"].__spec__ = ModuleSpec("socksio", None)
    proxy = "socks5://me:hidden@host"
    if variable is not None:
        monkeypatch.setenv(variable, proxy)
    explicit = {"proxy": proxy} if variable is None else {}
    stored = pickle.dumps(resolve(http_transport=transport, **explicit))
    monkeypatch.setitem(sys.modules, "socksio", None)
    for make in (lambda: resolve(http_transport=transport, **explicit), partial(loads, stored)):
        monkeypatch.setenv("TINKER_API_KEY", KEY)
        with pytest.raises(ConfigurationError, match=r"pip install 'httpx\[socks\]'") as caught:
            make()
        assert caught.value.setting == (variable or "proxy")
        assert "hidden" not in str(caught.value)


# The same hosts and exceptions, and whether httpx sends to them through the proxy.
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
def test_environment_proxy_is_the_one_that_httpx_takes(
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
def test_environment_proxy_is_not_for_this_machine_but_an_argument_is(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://env:1")
    assert resolve(base_url=url).proxy is None
    assert resolve(base_url=url).proxy_for(url) is None
    assert resolve().proxy_for(url) is None
    explicit = resolve(base_url=url, proxy="http://mine:1")
    assert explicit.proxy == explicit.proxy_for(url) == "http://mine:1"


@pytest.mark.parametrize("entry", ["[2001:db8::1]", "[::1]:80", "a:b", "http://[", "*.*", "://"])
def test_odd_entry_of_no_proxy_is_no_error(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    """httpx refuses some of these with an error of its own."""
    monkeypatch.setenv("ALL_PROXY", "http://env:1")
    monkeypatch.setenv("NO_PROXY", entry)
    chosen = resolve().proxy_for("http://[2001:db8::1]:5/a")
    assert chosen == (None if entry == "[2001:db8::1]" else "http://env:1")


def test_environment_proxy_is_not_for_the_embedded_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "no proxy at all")
    assert resolve(base_url="embedded").proxy is None


def test_proxy_has_its_variable_as_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{HIDDEN}@proxy:3128")
    config = resolve()
    assert config.proxy == f"http://me:{HIDDEN}@proxy:3128"
    assert config.sources["proxy"] == "environment HTTPS_PROXY"
    assert HIDDEN not in repr(config) + repr(config.proxy_rules)
    assert resolve(base_url="http://api.example.com").proxy is None


@pytest.mark.parametrize("value", ["ftp://proxy:1", "socks://proxy:1", "http://", "http://a b:1"])
def test_unusable_environment_proxy_is_refused_where_it_applies(
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


def test_pickled_client_uses_the_proxy_of_its_own_environment(
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


def test_no_key_tells_both_ways_out() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ClientConfig.resolve()
    assert "TINKER_API_KEY" in str(caught.value)
    assert 'base_url="embedded"' in str(caught.value)
    assert caught.value.setting == "api_key"


def test_the_embedded_backend_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_numbers_may_be_texts_and_endless() -> None:
    config = resolve(timeout="1.5", max_samples_in_flight=7.0, future_timeout=math.inf)
    assert (config.timeout, config.max_samples_in_flight) == (1.5, 7)
    assert config.future_timeout == math.inf


def test_a_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert resolve(embedded_dir="~/state").embedded_dir == Path("/home/somebody/state")


@given(st.lists(st.text()))
def test_words_keep_their_order_and_come_once(words: list[str]) -> None:
    result = parsers.parse_str_list(words)
    stripped = [word.strip() for word in words if word.strip()]
    assert len(result) == len(set(result)) == len(set(stripped))
    assert [stripped.index(word) for word in result] == sorted(map(stripped.index, result))


def test_what_the_caller_changes_later_changes_nothing() -> None:
    metadata, headers, tags = {"a": "1"}, {"A": "1"}, ["a"]
    config = resolve(user_metadata=metadata, default_headers=headers, tags=tags)
    metadata["a"], headers["A"] = "2", "2"
    tags.append("b")
    assert (config.user_metadata, config.default_headers) == ({"a": "1"}, {"A": "1"})
    assert config.tags == ("a",)
    with pytest.raises(TypeError):
        config.user_metadata["a"] = "3"  # type: ignore[index] # that is the point
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.timeout = 1.0  # type: ignore[misc] # that is the point


def test_rate_limits_are_shared_by_url_and_key_alone() -> None:
    one = resolve(base_url="http://a", timeout=1.0)
    assert one.rate_limit_key == resolve(base_url="http://a/", timeout=2.0).rate_limit_key
    assert one.rate_limit_key != resolve(base_url="http://b").rate_limit_key
    assert one.rate_limit_key != resolve(base_url="http://a", api_key=OTHER_KEY).rate_limit_key
    assert KEY not in repr(one.rate_limit_key)
    assert ClientConfig.resolve(base_url="embedded").rate_limit_key == ("embedded", "")


def secretive() -> ClientConfig:
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


def hides_everything(text: str) -> bool:
    return KEY not in text and HIDDEN not in text


def test_no_text_of_a_configuration_shows_a_secret() -> None:
    config = secretive()
    for text in (repr(config), str(config), f"{config}", f"{config!r:>10}", repr(config.api_key)):
        assert hides_everything(text)
    assert "'X-Plain': '***'" in repr(config)
    assert "http://proxy:3128" in repr(config)


def test_no_traceback_of_a_bad_setting_shows_a_secret() -> None:
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
        assert hides_everything("".join(traceback.format_exception(caught.value)))


def test_a_pickle_has_no_secret_and_takes_its_own_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = secretive()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert hides_everything(pickle.dumps(config, protocol).decode("latin-1"))
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


def test_a_pickle_without_a_key_at_its_goal_can_be_looked_at_but_not_used() -> None:
    twin = pickle.loads(pickle.dumps(secretive()))
    assert twin.api_key is None
    with pytest.raises(ConfigurationError, match="TINKER_API_KEY"):
        twin.check_key()


def test_an_embedded_configuration_pickles_equal() -> None:
    config = ClientConfig.resolve(base_url="embedded", user_metadata={"a": "b"}, timeout=3)
    assert pickle.loads(pickle.dumps(config)) == config


def test_copies_within_the_process_keep_the_key() -> None:
    config = secretive()
    assert copy.copy(config) is config
    assert copy.deepcopy({"config": config})["config"] is config


def test_only_the_configuration_reads_the_environment() -> None:
    rooms = [path for path in PACKAGE.rglob("*.py") if "embedded" not in path.parts]
    readers = {
        path.name
        for path in rooms
        if any(word in path.read_text(encoding="utf-8") for word in ("os.environ[", "getenv("))
        or "os.environ.get(" in path.read_text(encoding="utf-8")
    }
    assert readers == {"client_config.py"}


class TestSecret:
    def test_it_shows_itself_to_nobody(self) -> None:
        secret = Secret(HIDDEN)
        texts: list[Any] = [str(secret), repr(secret), f"{secret}", f"{secret:>20}"]
        texts += [repr([secret]), repr({"key": secret}), pickle.dumps(secret).decode("latin-1")]
        assert all(hides_everything(text) for text in texts)
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
    def test_its_mask_tells_keys_apart(self, text: str, masked: str) -> None:
        assert Secret(text).masked.startswith(masked)
        assert Secret(KEY).masked != Secret(OTHER_KEY).masked

    def test_it_compares_by_its_text(self) -> None:
        assert Secret("a") == Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert len({Secret("a"), Secret("a"), Secret("b")}) == 2

    def test_it_is_empty_in_another_process_and_the_same_in_this(self) -> None:
        secret = Secret("a")
        assert not pickle.loads(pickle.dumps(secret))
        assert copy.deepcopy(secret) is copy.copy(secret) is secret

    def test_nothing_can_be_hung_onto_it(self) -> None:
        with pytest.raises(AttributeError):
            Secret("a").note = "b"  # type: ignore[attr-defined] # that is the point
