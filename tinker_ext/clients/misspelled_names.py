"""Warnings and hints about names of losses, their parameters and their inputs that may be typos."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, get_args

from tinker_ext.runtime.concurrency.futures import user_stacklevel
from tinker_ext.types.inputs.datum import DTYPE_BY_KEY
from tinker_ext.types.inputs.params import LossFnType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
