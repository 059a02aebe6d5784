"""The differentiable operations of the transformer, each with its gradient.

All functions take and return numpy arrays, or autograd boxes of them while a gradient is recorded,
preserve the floating-point dtype, and broadcast over leading axes. They are fused: HIPS autograd
records one node per call, so one node per operation of the paper is the fastest and most readable
granularity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive

Float = TypeVar("Float", bound=np.floating[Any])

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[np.floating[Any]]
    Gradient = Callable[[Array], Array]

EPSILON = 1e-6
"""Added to the mean square in `rms_norm`; the value of the Llama family."""


def matmul(a: Array, b: Array) -> Array:
    """`a @ b`, recorded."""
    product: Array = anp.matmul(a, b)
    return product


def linear(x: Array, weight: Array) -> Array:
    """Apply a (out, in) matrix to (rows, in), giving (rows, out)."""
    return matmul(x, weight.T)


def _rms_norm(x: Array, gain: Array) -> Array:
    normal: Array = x * _inverse_rms(x) * gain
    return normal


def _inverse_rms(x: Array) -> Array:
    mean_square = np.mean(np.square(x), axis=-1, keepdims=True)
    inverse: Array = 1.0 / np.sqrt(mean_square + EPSILON)
    return inverse


def _rms_norm_wrt_x(ans: Array, x: Array, gain: Array) -> Gradient:
    scale = _inverse_rms(x)

    def backward(g: Array) -> Array:
        through_gain = g * gain
        projection = np.mean(through_gain * x, axis=-1, keepdims=True)
        slope: Array = scale * (through_gain - x * (scale * scale * projection))
        return slope

    return backward


def _rms_norm_wrt_gain(ans: Array, x: Array, gain: Array) -> Gradient:
    def backward(g: Array) -> Array:
        per_row = g * x * _inverse_rms(x)
        total: Array = per_row.reshape(-1, gain.shape[0]).sum(axis=0)
        return total

    return backward


def _swiglu(gate: Array, up: Array) -> Array:
    gated: Array = gate * _sigmoid(gate) * up
    return gated


def _sigmoid(x: Array) -> Array:
    """The logistic function, computed with tanh to avoid overflow."""
    value: Array = 0.5 * np.tanh(0.5 * x) + 0.5
    return value


def _swiglu_wrt_gate(ans: Array, gate: Array, up: Array) -> Gradient:
    sigmoid = _sigmoid(gate)
    slope = sigmoid * (1.0 + gate * (1.0 - sigmoid)) * up
    return lambda g: g * slope


def _swiglu_wrt_up(ans: Array, gate: Array, up: Array) -> Gradient:
    return lambda g: g * gate * _sigmoid(gate)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    rotated = np.empty_like(x)
    rotated[..., :half] = first * cos - second * sin
    rotated[..., half:] = second * cos + first * sin
    return rotated


def _rotate_wrt_x(ans: Array, x: Array, cos: Array, sin: Array) -> Gradient:
    return lambda g: _rotate(g, cos, -sin)


def _attention_weights(scores: Array, mask: Array, scale: float) -> Array:
    shifted = scores * scores.dtype.type(scale)
    shifted += mask
    shifted -= shifted.max(axis=-1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return shifted


def _attention_weights_wrt_scores(ans: Array, scores: Array, mask: Array, scale: float) -> Gradient:
    def backward(g: Array) -> Array:
        centered = g - np.sum(g * ans, axis=-1, keepdims=True)
        centered *= ans
        slope: Array = centered * ans.dtype.type(scale)
        return slope

    return backward


def log_softmax(logits: npt.NDArray[Float]) -> npt.NDArray[Float]:
    """Log-probabilities over the last axis, without recording a gradient."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normalized: npt.NDArray[Float] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalized


def _pick_logprobs(logits: Array, targets: npt.NDArray[np.int64]) -> Array:
    logprobs = log_softmax(logits)
    columns = targets.reshape(len(targets), -1)
    picked: Array = np.take_along_axis(logprobs, columns, axis=-1).reshape(targets.shape)
    return picked


def _pick_logprobs_wrt_logits(
    ans: Array, logits: Array, targets: npt.NDArray[np.int64]
) -> Gradient:
    def backward(g: Array) -> Array:
        per_row = g.reshape(len(targets), -1)
        slope: Array = np.exp(log_softmax(logits)) * -per_row.sum(axis=-1, keepdims=True)
        # `add.at` adds up the gradients of a target that a row repeats.
        rows = np.arange(len(targets))[:, None]
        np.add.at(slope, (rows, targets.reshape(len(targets), -1)), per_row)
        return slope

    return backward


rms_norm: Callable[[Array, Array], Array] = primitive(_rms_norm)
"""Divide each row of (..., width) by its root mean square and multiply by a (width,) gain."""

swiglu: Callable[[Array, Array], Array] = primitive(_swiglu)
"""`silu(gate) * up`, elementwise (Shazeer 2020, arXiv:2002.05202)."""

rotate: Callable[[Array, Array, Array], Array] = primitive(_rotate)
"""Rotary position embedding (arXiv:2104.09864), halves convention, of (..., time, head width).

`cos` and `sin` are (..., time, head width / 2) and not differentiated.
"""

attention_weights: Callable[[Array, Array, float], Array] = primitive(_attention_weights)
"""`softmax(scores * scale + mask)` over the last axis. The mask holds 0 or a large negative."""

pick_logprobs: Callable[[Array, npt.NDArray[np.int64]], Array] = primitive(_pick_logprobs)
"""From logits (rows, vocabulary), the log-probabilities of targets (rows,) or (rows, K)."""

defvjp(rms_norm, _rms_norm_wrt_x, _rms_norm_wrt_gain)
defvjp(swiglu, _swiglu_wrt_gate, _swiglu_wrt_up)
defvjp(rotate, _rotate_wrt_x, argnums=[0])
defvjp(attention_weights, _attention_weights_wrt_scores, argnums=[0])
defvjp(pick_logprobs, _pick_logprobs_wrt_logits, argnums=[0])
