"""HTTP transport: connections, encoding, authentication, and one method per API operation.

The only package of the client that imports httpx. Callers use the methods of `gateway.Gateway`;
each returns a value or raises an error of `tinker_ext.errors`.
"""

import sys


def _import_httpx() -> None:
    """Import httpx without its command line, which this package does not use.

    `httpx/__init__.py` imports the command line if its dependencies are installed, and click and
    rich are dependencies of ours: eighty modules, a fifth of the time of all imports. httpx expects
    that this import fails, and has a replacement for its only name, `main`.
    """
    command_line = "httpx._main"
    if "httpx" not in sys.modules and command_line not in sys.modules:
        sys.modules[command_line] = None  # type: ignore[assignment]  # makes the import fail
        try:
            import httpx  # noqa: F401
        finally:
            del sys.modules[command_line]


_import_httpx()
