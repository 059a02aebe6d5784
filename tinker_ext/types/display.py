"""How values are shown: abbreviated in a repr, and as tables in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

#: Items of a list that a repr shows in full; of a longer one, the first three and the last.
SHOWN_ITEMS = 4
#: Rows of a table in a notebook.
SHOWN_ROWS = 50


def abbreviated(items: Sequence[Any]) -> str:
    """The repr of a list with at most four items: the first three and the last.

    >>> abbreviated(list(range(32)))
    '[0, 1, 2, ..., 31]'
    """
    if len(items) <= SHOWN_ITEMS:
        return f"[{', '.join(map(_item, items))}]"
    first = ", ".join(map(_item, items[: SHOWN_ITEMS - 1]))
    return f"[{first}, ..., {_item(items[-1])}]"


def _item(item: object) -> str:
    return abbreviated(item) if isinstance(item, list) else repr(item)


def table(rows: Iterable[Mapping[str, object]], caption: str = "") -> str:
    """An HTML table of rows with the same columns; columns without any value are left out."""
    rows = list(rows)
    columns = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(row[name]))}</td>' for name in columns)}</tr>"
        for row in rows[:SHOWN_ROWS]
    )
    if len(rows) > SHOWN_ROWS:
        caption = f"{caption} The first {SHOWN_ROWS} of {len(rows)} rows."
    title = f"<caption>{escape(caption.strip())}</caption>" if caption.strip() else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
