"""Attributes of sampling by OpenTelemetry's conventions for GenAI clients: counts, no contents."""

from __future__ import annotations

from typing import Any

from tinker_ext.tracing import names
from tinker_ext.tracing.names import Attributes
from tinker_ext.tracing.operations import annotate, current_operation

#: Sampling continues tokens; it is not a chat.
_COMPLETION = "text_completion"
_PROVIDER = "tinker"
#: Attribute, name of the parameter in the API, and the default value, which is left out.
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
    """The attributes of a sample request; `params` are the API's sampling parameters."""
    attributes: dict[str, Any] = {
        names.GEN_AI_OPERATION: _COMPLETION,
        names.GEN_AI_PROVIDER: _PROVIDER,
        **model_attributes(model),
        names.GEN_AI_INPUT_TOKENS: prompt_tokens,
    }
    # By the conventions, the count is left out if it is one.
    if num_samples != 1:
        attributes[names.GEN_AI_CHOICES] = num_samples
    for name, parameter, default in _PARAMETERS:
        value = getattr(params, parameter, None)
        if value != default and isinstance(value, int | float):
            attributes[name] = value
    return attributes


def model_attributes(model: str | None) -> Attributes:
    """The model as an attribute: its name or the path of its checkpoint."""
    return {} if model is None else {names.GEN_AI_MODEL: model}


def record_usage(body: object) -> None:
    """Add token counts and stop reasons of a sample result to the current operation.

    A result that is decoded later provides them through its `outline` method.
    """
    current = current_operation()
    if current is None or not current.active:
        return
    result = body if isinstance(body, dict) else _outline(body)
    items = result.get("sequences")
    if not isinstance(items, list):
        return
    sequences = [sequence for sequence in items if isinstance(sequence, dict)]
    annotate(
        {
            names.GEN_AI_OUTPUT_TOKENS: sum(_length(seq.get("tokens")) for seq in sequences),
            names.GEN_AI_FINISH_REASONS: [str(seq.get("stop_reason")) for seq in sequences],
        }
    )


def _outline(body: object) -> dict[str, Any]:
    """The outline of a result that is not decoded yet; empty for other objects."""
    method = getattr(body, "outline", None)
    outline = method() if callable(method) else None
    return outline if isinstance(outline, dict) else {}


def _length(tokens: object) -> int:
    return len(tokens) if isinstance(tokens, list | range) else 0
