"""Shows a pending future in a notebook, and updates it until the result is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from html import escape
from typing import Any

#: Seconds between two updates of a pending future.
INTERVAL = 0.5
#: Seconds after which a pending future is no longer updated.
LONGEST = 3600.0


def show_until_done(describe: Callable[[], str], done: threading.Event) -> None:
    """Display the text of `describe`, and update it until `done` is set or an hour has passed.

    Requires IPython, which calls it.
    """
    from IPython.display import HTML, display

    handle: Any = display(HTML(_html(describe())), display_id=True)
    if handle is None or done.is_set():  # Outside a notebook, there is nothing to update.
        return

    def update() -> None:
        until = time.monotonic() + LONGEST
        while not done.wait(INTERVAL) and time.monotonic() < until:
            handle.update(HTML(_html(describe())))
        handle.update(HTML(_html(describe())))

    threading.Thread(target=update, name="tinker-ext-notebook", daemon=True).start()


def _html(text: str) -> str:
    return f"<code>{escape(text)}</code>"
