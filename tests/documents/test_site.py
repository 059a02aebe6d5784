"""The pages that the site produces, and the links that it rewrites."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import site_hooks
from tinker_ext.config import ClientConfig
from tinker_ext.config.reference import describe_settings

ROOT = Path(__file__).parents[2]


def test_configuration_page_has_current_table() -> None:
    page = site_hooks.CONFIGURATION.read_text(encoding="utf-8")
    assert page == site_hooks.with_settings(page), "run `make pages`"
    assert site_hooks.settings_table() in page


def test_every_setting_has_a_meaning_and_its_variable() -> None:
    settings = {setting.name: setting for setting in describe_settings()}
    assert set(settings) == set(ClientConfig.resolve(require_key=False).sources)
    assert [name for name, setting in settings.items() if not setting.meaning] == []
    assert settings["timeout"].unit == "seconds"
    assert settings["timeout"].default == "60"
    assert settings["trace_file"].variables == ("TINKER_EXT_TRACE",)
    assert settings["proxy"].variables[0] == "HTTPS_PROXY"


@pytest.mark.parametrize(
    ("source", "markdown", "expected"),
    [
        ("docs/architecture.md", "[a](../CONTRIBUTING.md#b)", "[a](contributing.md#b)"),
        ("docs/api/errors.md", "[a](../errors.md)", "[a](../errors.md)"),
        ("ports/README.md", "[a](../docs/faults.md)", "[a](faults.md)"),
        ("ports/README.md", "[proto](../openapi/tinker_public.proto)", "proto"),
        ("CHANGELOG.md", "[a](openapi/CHANGELOG.md)", "[a](api-changelog.md)"),
        ("docs/index.md", "[a](https://example.com)", "[a](https://example.com)"),
        ("docs/index.md", "![a](images/dpo.png)", "![a](images/dpo.png)"),
    ],
)
def test_links_between_documents_become_links_between_pages(
    source: str, markdown: str, expected: str
) -> None:
    assert site_hooks.rewrite_links(markdown, source) == expected


def test_documents_outside_docs_exist() -> None:
    assert [name for name in site_hooks.DOCUMENTS if not (ROOT / name).is_file()] == []
