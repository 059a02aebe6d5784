"""Traces a torch function into a graph, checks that a server can run it, and encodes it.

A server rebuilds the graph from the operations that it allows (release 0.38.0). A function that
uses others is rejected here, with an explanation. The encoding has one node per step with arguments
as JSON: values that JSON supports as such, others as an object whose only key names their kind.
"""

from __future__ import annotations

import builtins
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from tinker_api import models

from tinker_ext import types
from tinker_ext.errors import ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    import torch.fx

    Ranks = Mapping[str, types.CustomLossInputRank]

# The rules of release 0.38.0: modules whose functions may be called, names of metrics and inputs,
# number of inputs.
_MODULES = frozenset({"torch", "math", "operator", "_operator"})
_METRIC = re.compile(r"custom/[a-z0-9_./-]{1,64}:(sum|mean)")
_INPUT = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_MAX_INPUTS = 16
# Tensor methods whose results can't be traced, and the alternatives.
_NOT_TRACED = {
    "backward": "return the loss; its gradients are computed for you",
    **dict.fromkeys(("item", "numpy", "tolist"), "keep the value a tensor, in metrics too"),
}
# CPython's private module of operator functions, and the portable name.
_PRIVATE, _PUBLIC = "_operator.", "operator."
_PREFIX = "torch."


@frozen
class TracedLoss:
    """A loss as a graph, with its parameters."""

    name: str
    inputs: tuple[types.CustomLossInput, ...]
    graph: torch.fx.GraphModule


def trace(fn: Callable[..., Any], input_ranks: Ranks) -> TracedLoss:
    """Trace a loss of one datum.

    Raises:
        InvalidInputError: it can't be traced, or uses an operation that no server allows.
        ConfigurationError: torch is not installed.
    """
    inputs = _inputs(fn, input_ranks)
    try:
        import torch.fx
    except ImportError:
        raise ConfigurationError(
            "a traced loss requires torch, which is not installed; install it, or pass a loss with "
            'arrays="numpy" to forward_backward_custom',
            setting="fn",
        ) from None
    name = getattr(fn, "__name__", type(fn).__name__)
    try:
        graph = torch.fx.symbolic_trace(fn)
    except Exception as error:
        raise InvalidInputError(
            f"{name} can't be traced: {error}. A loss must not branch on tensor values, use "
            "torch.nn modules, or pass tensors to libraries other than torch and math",
            where="fn",
        ) from error
    for violation in _violations(graph.graph):
        raise InvalidInputError(f"{name} {violation}", where="fn")
    return TracedLoss(name, inputs, graph)


def _inputs(fn: Callable[..., Any], ranks: Ranks) -> tuple[types.CustomLossInput, ...]:
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"expected a Python function, got {type(fn).__name__}", where="fn"
        ) from None
    if not isinstance(ranks, Mapping):
        raise InvalidInputError(
            f"expected a mapping of parameter to dimensions, got {type(ranks).__name__}",
            where="input_ranks",
        )
    for violation in _parameter_violations(list(parameters.values())):
        raise InvalidInputError(violation, where="fn")
    if ranks.keys() != parameters.keys():
        raise InvalidInputError(
            f"expected the dimensions of {', '.join(parameters)}, got "
            f"{', '.join(map(str, ranks)) or 'none'}",
            where="input_ranks",
        )
    if ranks["logprobs"] == 0:
        raise InvalidInputError(
            "expected 1 or 2 dimensions of logprobs, got 0", where="input_ranks"
        )
    return tuple(types.CustomLossInput(name, ranks[name]) for name in parameters)


def _parameter_violations(parameters: list[inspect.Parameter]) -> Iterator[str]:
    if not parameters or parameters[0].name != "logprobs":
        yield "the first parameter must be logprobs; the others are keys of loss_fn_inputs"
    if len(parameters) > _MAX_INPUTS:
        yield f"expected at most {_MAX_INPUTS} parameters, got {len(parameters)}"
    for parameter in parameters:
        name = parameter.name
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            yield f"the parameter {name} must be positional"
        if parameter.default is not parameter.empty:
            yield f"the parameter {name} must not have a default, because every input is required"
        if not _INPUT.fullmatch(name):
            yield (
                f"{name} is not a valid input name: use lower-case letters, digits and underscores"
            )


def _violations(graph: torch.fx.Graph) -> Iterator[str]:
    """Reasons why no server accepts a graph, as text that follows the name of the loss."""
    for node in graph.nodes:
        match node.op:
            case "call_function":
                yield from _call_violations(node)
            case "call_method":
                yield from _method_violations(str(node.target))
            case "get_attr":
                yield f"reads {node.target}; it may only read its parameters"
            case "output":
                yield from _output_violations(node.args[0])


def _call_violations(node: torch.fx.Node) -> Iterator[str]:
    module = getattr(node.target, "__module__", None) or "an unknown module"
    if node.target is not builtins.getattr and module.partition(".")[0] not in _MODULES:
        function = getattr(node.target, "__qualname__", node.target)
        yield f"calls {function} of {module}; it may only call torch and math"


def _method_violations(method: str) -> Iterator[str]:
    import torch

    if method in _NOT_TRACED:
        yield f"calls {method}(); {_NOT_TRACED[method]}"
    elif not hasattr(torch.Tensor, method):
        yield f"calls {method}(), which is not a method of tensors"


def _output_violations(output: Any) -> Iterator[str]:
    from torch.fx import Node  # A computed value; anything else is a Python constant.

    if not isinstance(output, tuple | list) or len(output) != 2:
        yield "must return (loss, metrics)"
        return
    loss, metrics = output
    if not isinstance(loss, Node):
        yield f"must return its loss as a tensor, not {loss!r}"
    if not isinstance(metrics, dict):
        yield "must return its metrics as a dict"
        return
    for name, value in metrics.items():
        if not isinstance(name, str) or not _METRIC.fullmatch(name):
            yield (
                f"has a metric named {name!r}; use custom/<name>:sum or custom/<name>:mean, in "
                "lower-case letters"
            )
        if not isinstance(value, Node):
            yield f"must return its metric {name} as a tensor, not {value!r}"


def encode_graph(loss: TracedLoss) -> models.CustomLossGraph:
    """Encode the graph of a loss.

    Raises:
        InvalidInputError: an argument has no encoding.
    """
    try:
        return models.CustomLossGraph(nodes=[_node(node) for node in loss.graph.graph.nodes])
    except UnserializableArgumentError as error:
        raise InvalidInputError(
            f"{loss.name} calls a function with {error}, which can't be sent to the server",
            where="fn",
        ) from None


class UnserializableArgumentError(Exception):
    """An argument has no encoding."""


def _node(node: torch.fx.Node) -> models.CustomLossNode:
    kwargs = models.CustomLossNodeKwargs()
    kwargs.additional_properties = {name: _value(arg) for name, arg in node.kwargs.items()}
    return models.CustomLossNode(
        op=node.op,
        name=node.name,
        target=_target(node),
        args=[_value(arg) for arg in node.args],
        kwargs=kwargs,
    )


def _target(node: torch.fx.Node) -> str:
    if node.op != "call_function":
        return str(node.target)
    # torch has no public function for a qualified name.
    from torch.fx.node import _get_qualified_name

    name: str = _get_qualified_name(node.target)
    return _PUBLIC + name.removeprefix(_PRIVATE) if name.startswith(_PRIVATE) else name


def _value(value: Any) -> Any:
    from torch.fx import Node

    match value:
        case Node():
            return {"ref": value.name}
        case float() if not math.isfinite(value):
            return {"float": str(value)}
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_value(item) for item in value]
        case tuple():
            return {"tuple": [_value(item) for item in value]}
        case slice(start=start, stop=stop, step=step):
            return {"slice": [_value(bound) for bound in (start, stop, step)]}
        case dict() if all(isinstance(name, str) for name in value):
            return {"dict": {name: _value(item) for name, item in value.items()}}
    return {"ellipsis": True} if value is ... else _torch_constant(value)


def _torch_constant(value: Any) -> dict[str, str]:
    """A torch constant, such as `torch.float32`, as its kind and name."""
    import torch

    kinds = ("dtype", "device", "layout", "memory_format")
    for kind in kinds:
        if isinstance(value, getattr(torch, kind)):
            return {kind: str(value).removeprefix(_PREFIX)}
    raise UnserializableArgumentError(f"a {type(value).__name__}")
