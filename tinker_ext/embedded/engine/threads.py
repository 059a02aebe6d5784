"""Limits the number of threads of linear algebra libraries."""

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
    """Set the number of BLAS threads in the environment, unless the user has set it.

    Only effective before numpy is imported: call it first in a process, or on the environment of a
    new process. The default is one, because the matrices are small (distributing them costs more
    than it saves), because training and sampling then use one core each, and because results then
    don't depend on the number of cores.
    """
    for variable in _VARIABLES:
        environ.setdefault(variable, str(threads))
