"""Runs programs written for the official SDK unchanged: `import tinker` means this package.

Three ways:

    python -m tinker_ext.as_tinker train.py --steps 10     # or -m package.module
    TINKER_EXT_AS_TINKER=1 pytest                          # every Python process that inherits it
    tinker_ext.as_tinker.install()                         # before the first `import tinker`

The modules of the official SDK that `module_table.MAPPED` lists then have the names of this
package. Their objects are those of `tinker_ext`: no class exists twice. The official package is not
used, even if it is installed.
"""

from __future__ import annotations

import sys

from tinker_ext.as_tinker.finder import AliasFinder

__all__ = ["ENVIRONMENT_VARIABLE", "install"]

#: With the value 1, every Python process calls `install` when it starts.
ENVIRONMENT_VARIABLE = "TINKER_EXT_AS_TINKER"


def install() -> None:
    """Make `import tinker` mean this package in this process. Calling it again has no effect.

    Raises:
        RuntimeError: the official package has been imported already, so that its classes are in
            use.
    """
    if any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        return
    if "tinker" in sys.modules:
        raise RuntimeError(
            "tinker_ext.as_tinker.install: the official package 'tinker' is already imported from "
            f"{getattr(sys.modules['tinker'], '__file__', None)}; call install() before the first "
            f"import of tinker, or set {ENVIRONMENT_VARIABLE}=1"
        )
    sys.meta_path.insert(0, AliasFinder())
