"""How many threads the linear algebra may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def limit_blas_threads(environ: MutableMapping[str, str], threads: int = 1) -> None:
    """Ask for `threads` BLAS threads per call, unless the user already chose a number.

    Works only on an environment that numpy has not read yet: call it first thing in a process, or
    on the environment of a process about to start. One is the default because the matrices are
    small (handing them out costs more than it saves), because training and sampling then use one
    core each side by side, and because results then don't depend on the number of cores.
    """
    for variable in _VARIABLES:
        environ.setdefault(variable, str(threads))
