"""The pages that the site produces, and the links that it rewrites."""

from __future__ import annotations

import re
from pathlib import Path

import griffe
import pytest

import tinker_ext as tinker
from scripts import example_output, site_docstrings, site_hooks
from tinker_ext.config import ClientConfig
from tinker_ext.config.reference import describe_settings
from tinker_ext.embedded.engine.losses import LOSS_NAMES, find_loss

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


def test_link_to_example_becomes_its_source() -> None:
    page = site_hooks.insert_sources("Text.\n\n[examples/dpo.py](../examples/dpo.py)\n")
    assert page.startswith('Text.\n\n??? example "examples/dpo.py"\n\n    ```python\n')
    assert "\n    class DPOLoss:\n" in page
    assert page.endswith("\n    ```\n")


def test_output_replaces_earlier_output_of_same_example() -> None:
    page = "```console\n$ python examples/a.py\nold\n```\n\nmore\n```\n"
    assert example_output.with_output(page, "a", "new\n") == page.replace("old", "new")


def test_examples_in_docstrings_become_code_blocks() -> None:
    docstring = "Adds.\n\n>>> add(1,\n...     2)\n3\n\nExample:\n    >>> add()\n    0\n"
    assert site_docstrings.fence_examples(docstring) == (
        "Adds.\n\n```pycon\n>>> add(1,\n...     2)\n3\n```\n\n"
        "Example:\n    ```pycon\n    >>> add()\n    0\n    ```\n"
    )


def test_fields_of_attrs_class_have_type_and_default() -> None:
    module = griffe.load("tinker_ext.types.responses.training", search_paths=[ROOT])
    fields = site_docstrings.fields_of(module["ForwardBackwardOutput"])
    assert fields.splitlines()[2:] == [
        "- `loss_fn_output_type`: `str`",
        "- `loss_fn_outputs`: `list[LossFnOutput]`",
        "- `metrics`: `dict[str, float]`, default empty",
    ]


def test_documents_outside_docs_exist() -> None:
    assert [name for name in site_hooks.DOCUMENTS if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_page_of_losses_has_inputs_and_defaults_of_loss(name: str) -> None:
    page = (ROOT / "docs/losses.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
    shared = page.split("\n## importance_sampling\n")[1].split("\n## ")[0]
    inputs = section + shared if "as `importance_sampling`" in section else section
    loss = find_loss(name)
    recorded = {"logprobs", "weights"} if name == "stable_reinforce" else set()
    assert [key for key in loss.reads if f"`{key}`" not in inputs and key not in recorded] == []
    for key, default in loss.config.items():
        [written] = re.findall(rf"`{key}` \((.*?)\)", section)
        assert float(eval(written)) == pytest.approx(default)
    assert f'"{name}"' in str(tinker.TrainingClient.forward_backward.__doc__)
