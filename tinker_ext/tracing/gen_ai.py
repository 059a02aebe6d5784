"""Sampling by OpenTelemetry's conventions for generative AI clients: counts, never contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.tracing import names
from tinker_ext.tracing.operations import annotate, current_operation

if TYPE_CHECKING:
    from tinker_ext.tracing.names import Attributes

#: Sampling continues tokens; there is no chat in it.
_COMPLETION = "text_completion"
_PROVIDER = "tinker"
#: Attribute, the parameter's name in the API, and the value that asks for nothing.
_PARAMETERS = (
    (names.GEN_AI_MAX_TOKENS, "max_tokens", None),
    (names.GEN_AI_TEMPERATURE, "temperature", None),
    (names.GEN_AI_TOP_P, "top_p", 1),
    (names.GEN_AI_TOP_K, "top_k", -1),
    (names.GEN_AI_SEED, "seed", None),
)


def sample_attributes(
    model: str | None, *, prompt_tokens: int, num_samples: int, params: object
) -> Attributes:
    """What is known of a sample when it is asked for; `params` are those of the API."""
    known: dict[str, Any] = {
        names.GEN_AI_OPERATION: _COMPLETION,
        names.GEN_AI_PROVIDER: _PROVIDER,
        **model_attributes(model),
        names.GEN_AI_INPUT_TOKENS: prompt_tokens,
    }
    # The conventions leave out the number where it is one.
    if num_samples != 1:
        known[names.GEN_AI_CHOICES] = num_samples
    for name, asked, unlimited in _PARAMETERS:
        value = getattr(params, asked, None)
        if value != unlimited and isinstance(value, int | float):
            known[name] = value
    return known


def model_attributes(model: str | None) -> Attributes:
    """The model: its name, or the path of its checkpoint."""
    return {} if model is None else {names.GEN_AI_MODEL: model}


def record_usage(body: object) -> None:
    """Note on the current operation how many tokens a result holds, and why they end.

    Of a result that is not decoded before the user takes it, its outline is looked at.
    """
    current = current_operation()
    if current is None or not current.active:
        return
    outlined = body if isinstance(body, dict) else _outline(body)
    sequences = outlined.get("sequences")
    if not isinstance(sequences, list):
        return
    found = [one for one in sequences if isinstance(one, dict)]
    annotate(
        {
            names.GEN_AI_OUTPUT_TOKENS: sum(_length(one.get("tokens")) for one in found),
            names.GEN_AI_FINISH_REASONS: [str(one.get("stop_reason")) for one in found],
        }
    )


def _outline(body: object) -> dict[str, Any]:
    """What a result that is not decoded yet tells of itself, if it is one."""
    outline = getattr(body, "outline", None)
    found = outline() if callable(outline) else None
    return found if isinstance(found, dict) else {}


def _length(tokens: object) -> int:
    return len(tokens) if isinstance(tokens, list | range) else 0
