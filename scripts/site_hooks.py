"""Hooks of the documentation site (mkdocs.yml), and its produced table of settings.

Documents outside docs/ become pages, and links to them are rewritten. A line that is only a link to
an example becomes its source. Run as a program (`make pages`), this writes the table of settings
into docs/configuration.md.
"""

from __future__ import annotations

import posixpath
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_ext.config.reference import SettingDescription, describe_settings

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import File, Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

#: Documents outside docs/, and their pages.
DOCUMENTS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "openapi/CHANGELOG.md": "api-changelog.md",
    "openapi/ORACLE.md": "oracle.md",
    "openapi/REVISIONS.md": "revisions.md",
    "ports/GRADES.md": "grades.md",
    "ports/README.md": "ports.md",
    "ports/conformance/vectors/README.md": "vectors.md",
}
CONFIGURATION = ROOT / "docs/configuration.md"
_TABLE = re.compile(
    r"(?<=<!-- made by `make pages`: settings -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL
)
#: Pages that have no section, and so no navigation on the left.
_WITHOUT_SECTION = ("index.md", "quickstart.md")
_SOURCE = re.compile(r"^\[(?P<path>examples/\w+\.py)\]\(\.\./(?P=path)\)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents that are not in docs/."""
    from mkdocs.structure.files import File

    for source, page in DOCUMENTS.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Insert the sources of examples, and make the links of a page those of the site."""
    if page.file.src_uri in _WITHOUT_SECTION:
        page.meta["hide"] = ["navigation"]
    return rewrite_links(insert_sources(markdown), _source_of(page.file))


def insert_sources(markdown: str) -> str:
    """Replace each line that is only a link to an example by a block with its source."""

    def block(match: re.Match[str]) -> str:
        source = (ROOT / match["path"]).read_text(encoding="utf-8")
        indented = textwrap.indent(f"```python\n{source}```", "    ")
        return f'??? example "{match["path"]}"\n\n{indented}'

    return _SOURCE.sub(block, markdown)


def rewrite_links(markdown: str, source: str) -> str:
    """Make the links of a document of the repository those of its page.

    A link to a file without a page becomes plain text.
    """
    sources = {page: document for document, page in DOCUMENTS.items()}

    def rewrite(match: re.Match[str]) -> str:
        text, target, anchor = match["text"], match["target"], match["anchor"] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in DOCUMENTS:
            path = f"docs/{DOCUMENTS[path]}"
        elif not path.startswith("docs/"):
            return text
        here = "docs" if source in sources.values() else posixpath.dirname(source)
        return f"[{text}]({posixpath.relpath(path, here)}{anchor})"

    return _LINK.sub(rewrite, markdown)


def _source_of(file: File) -> str:
    """The document of a page, relative to the root of the repository."""
    sources = {page: document for document, page in DOCUMENTS.items()}
    return sources.get(file.src_uri, f"docs/{file.src_uri}")


def with_settings(markdown: str) -> str:
    """The page of the settings with a current table."""
    return _TABLE.sub(lambda _: settings_table(), markdown)


def settings_table() -> str:
    """All settings, as a Markdown table."""
    heading = "| argument, environment variable | meaning | unit | default |\n|---|---|---|---|"
    return "\n".join([heading, *map(_row, describe_settings())])


def _row(setting: SettingDescription) -> str:
    names = "<br>".join(f"`{name}`" for name in (setting.name, *setting.variables))
    return f"| {names} | {setting.meaning} | {setting.unit} | {setting.default} |"


if __name__ == "__main__":
    page_text = CONFIGURATION.read_text(encoding="utf-8")
    CONFIGURATION.write_text(with_settings(page_text), encoding="utf-8")
