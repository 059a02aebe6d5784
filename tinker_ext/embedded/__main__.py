"""``python -m tinker_ext.embedded``: the server by itself."""

from __future__ import annotations

import os

from tinker_ext.embedded.engine.threads import limit_blas_threads

limit_blas_threads(os.environ)  # before anything imports numpy

import argparse  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from tinker_ext.embedded.flags import parse_flags  # noqa: E402
from tinker_ext.embedded.releases import ANY, DIALECTS  # noqa: E402
from tinker_ext.redaction.secret import Secret  # noqa: E402

# What shells report for a command that Ctrl-C ended: 128 and the number of SIGINT.
INTERRUPTED = 130


def main() -> int:
    """Parse the command line and serve. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tinker_ext.embedded", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (the default)")
    parser.add_argument("--state-dir", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--dialect", default=ANY, choices=DIALECTS, help="the release to speak")
    parser.add_argument("--jwt-life", type=float, help="demand tokens that live so many seconds")
    parser.add_argument("--flag", action="append", default=[], help="announce it, as NAME=VALUE")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin closes")
    parser.add_argument(
        "--piped-key", action="store_true", help="the first line of stdin is the key to require"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")

    from tinker_ext.embedded.serve import serve

    try:
        serve(
            options.port,
            options.state_dir,
            options.host,
            dialect=options.dialect,
            jwt_life=options.jwt_life,
            flags=parse_flags(options.flag),
            parent_pipe=options.parent_pipe,
            key=_piped_key() if options.piped_key else None,
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except (OSError, RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _piped_key() -> Secret:
    """The key that the parent process sends, in no argument, which other users can see."""
    text = sys.stdin.buffer.readline().decode("ascii").strip()
    if not text:
        raise ValueError("--piped-key: there is no key in the first line of stdin")
    return Secret(text)


if __name__ == "__main__":
    sys.exit(main())
