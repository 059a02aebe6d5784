"""Error messages for a path, base model or run id passed in place of another, and for typos."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args

from tinker_ext.errors import InvalidInputError, NotFoundError
from tinker_ext.runtime.concurrency.futures import user_stacklevel
from tinker_ext.types.inputs.datum import DTYPE_BY_KEY
from tinker_ext.types.inputs.params import LossFnType
from tinker_ext.types.responses.checkpoints import SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# A URL of any scheme (RFC 3986, 3.1), or an absolute path of a file system: the paths that servers
# return. A name without either is that of a base model.
_PATH = re.compile(r"[a-z][a-z0-9+.-]*://\S|/.|[a-z]:[\\/]", re.IGNORECASE)
# The id of a session (RFC 9562), without a model's sequence number.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def check_base_model(base_model: str, instead: str) -> None:
    """Reject a checkpoint path as the name of a base model.

    Raises:
        InvalidInputError: it is a path; the message names the argument or method to use `instead`.
    """
    if base_model.lower().startswith(SCHEME):
        raise InvalidInputError(
            f"expected the name of a base model, got {base_model!r}; {instead} takes a path",
            where="base_model",
        )


def check_path(path: object, where: str, instead: str) -> None:
    """Reject a value that cannot be the path of a checkpoint; the server interprets the path.

    Raises:
        InvalidInputError: it is not a path; the message names the argument or method that takes a
            base model `instead`.
    """
    if not is_path(path):
        raise InvalidInputError(
            f"expected the path of a checkpoint, got {path!r}; saving weights returns one, such as "
            f"tinker://RUN/weights/NAME. Pass the name of a base model to {instead}",
            where=where,
        )


def is_path(value: object) -> bool:
    """Whether a value has the form of a path that a server may have returned."""
    return isinstance(value, str) and value.isprintable() and _PATH.match(value) is not None


@contextmanager
def run_id_hint(run: str) -> Iterator[None]:
    """Add a hint to a 404 for a training run, given by its id or in a path.

    The id of a session is easily mistaken for that of its first run (both in 0.4.1 to 0.38.0).
    """
    try:
        yield
    except NotFoundError as error:
        run_id = run.removeprefix(SCHEME).partition("/")[0]
        if not error.hint and _UUID.fullmatch(run_id):
            error.hint = (
                f"{run_id} may be a session id: the first run of a session is named "
                f"{run_id}:train:0."
            )
        raise


#: The names of losses, of the parameters of a loss, and of the keys of ``loss_fn_inputs`` that the
#: known servers read. A server may have others, so an unknown name is sent.
LOSSES = frozenset(get_args(get_args(LossFnType)[0]))
LOSS_PARAMETERS = frozenset({"beta", "clip_high_threshold", "clip_low_threshold", "kl_coeff"})
INPUT_KEYS = frozenset(DTYPE_BY_KEY)
# The similarity from which a name is taken for a typo (`difflib.SequenceMatcher.ratio`); "ppo2" and
# "ppo", which may be two losses, have 0.86. A suggestion is all that depends on it.
_SIMILAR = 0.75


def misspelled_names(loss_fn: str, config: Mapping[str, Any] | None) -> str | None:
    """A hint for the error of a server that rejects a loss or its parameters; None if no name is
    similar to a known one."""
    suggestions = []
    if loss_fn not in LOSSES:
        suggestions += _suggestions([loss_fn], LOSSES)
    if config:
        suggestions += _suggestions(config.keys() - LOSS_PARAMETERS, LOSS_PARAMETERS)
    return " ".join(suggestions) or None


def warn_of_misspelled_keys(inputs: Mapping[str, object]) -> None:
    """Warn of keys of ``loss_fn_inputs`` that are similar to a known key, which is missing.

    Servers ignore unknown keys: without its ``weights`` a datum trains on every token.
    """
    for suggestion in _suggestions(inputs.keys() - INPUT_KEYS, INPUT_KEYS - inputs.keys()):
        warnings.warn(
            f"loss_fn_inputs: {suggestion} Servers ignore keys that their losses do not read.",
            UserWarning,
            stacklevel=user_stacklevel(),
        )


def _suggestions(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """A question for each name that is similar to a known one."""
    import difflib  # Needed only for a typo.

    suggestions = []
    for name in sorted(names):
        similar = difflib.get_close_matches(name, known, n=1, cutoff=_SIMILAR)
        if similar:
            suggestions.append(f"Did you mean {similar[0]!r} instead of {name!r}?")
    return suggestions
