"""``python -m tinker_ext.embedded``: run the server on its own."""

from __future__ import annotations

import os

from tinker_ext.embedded.engine.threads import limit_blas_threads

limit_blas_threads(os.environ)  # before numpy is imported

import argparse  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from tinker_ext.embedded.flags import parse_flags  # noqa: E402
from tinker_ext.embedded.protocols import ANY, PROTOCOLS  # noqa: E402
from tinker_ext.redaction.secret import Secret  # noqa: E402

# The exit status that shells use for a command ended by Ctrl-C: 128 plus the number of SIGINT.
INTERRUPTED = 130


def main() -> int:
    """Parse the command line and run the server. Returns the exit status."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")

    from tinker_ext.embedded.serve import serve

    try:
        serve(
            options.port,
            options.state_dir,
            options.host,
            protocol=options.protocol,
            jwt_lifetime=options.jwt_lifetime,
            flags=parse_flags(options.flag),
            parent_pipe=options.parent_pipe,
            key=_piped_key() if options.piped_key else None,
            # Only the process that started this one has the key, and it may read the same files.
            adapters=Path(Path.cwd().anchor) if options.piped_key else None,
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except (OSError, RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tinker_ext.embedded", description="Run the embedded backend."
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="port to listen on; 0 (the default) chooses a free one")
    add("--state-dir", type=Path, required=True, help="folder for runs and checkpoints")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--protocol", default=ANY, choices=PROTOCOLS, help="release whose requests to accept")
    add("--jwt-lifetime", type=float, metavar="SECONDS", help="require tokens valid this long")
    add("--flag", action="append", default=[], metavar="NAME=VALUE", help="send clients this flag")
    add("--parent-pipe", action="store_true", help="exit when stdin closes")
    add("--piped-key", action="store_true", help="require the key in the first line of stdin")
    # Deprecated names.
    for old, new in (("--dialect", "protocol"), ("--jwt-life", "jwt_lifetime")):
        kind = float if new == "jwt_lifetime" else str
        add(old, dest=new, type=kind, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _piped_key() -> Secret:
    """The key sent by the parent process; other users could read it in a command-line argument."""
    text = sys.stdin.buffer.readline().decode("ascii").strip()
    if not text:
        raise ValueError("--piped-key: the first line of stdin contains no key")
    return Secret(text)


if __name__ == "__main__":
    sys.exit(main())
