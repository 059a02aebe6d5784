"""From a torch function to a graph that a server can take: what it may be made of, and its nodes.

A server rebuilds the graph from the operations it allows (release 0.38.0), so what could not be
among them is refused here, with words.
"""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext import types
from tinker_ext.errors import ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch.fx

    Ranks = Mapping[str, types.CustomLossInputRank]

# All release 0.38.0's: what functions may be called, how metrics and inputs are named, how many
# inputs there may be.
_MODULES = frozenset({"torch", "math", "operator", "_operator"})
_METRIC = re.compile(r"custom/[a-z0-9_./-]{1,64}:(sum|mean)")
_INPUT = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_MOST_INPUTS = 16
# Methods of tensors that end where torch ends.
_NOT_TRACED = {
    "backward": "return the loss; its gradients are taken for you",
    **dict.fromkeys(("item", "numpy", "tolist"), "keep it a tensor, metrics too"),
}


@frozen
class TracedLoss:
    """A loss as a graph, with what it takes."""

    name: str
    inputs: tuple[types.CustomLossInput, ...]
    graph: torch.fx.GraphModule


def trace(fn: Callable[..., Any], input_ranks: Ranks) -> TracedLoss:
    """Trace a loss of one datum.

    Raises:
        InvalidInputError: it can't be traced, or is made of what no server allows.
        ConfigurationError: torch is not installed.
    """
    inputs = _inputs(fn, input_ranks)
    try:
        import torch.fx
    except ImportError:
        raise ConfigurationError(
            "a traced loss needs torch, which is not installed; install it, or pass a loss with "
            'arrays="numpy" to forward_backward_custom',
            setting="fn",
        ) from None
    name = getattr(fn, "__name__", type(fn).__name__)
    try:
        graph = torch.fx.symbolic_trace(fn)
    except Exception as error:
        raise InvalidInputError(
            f"{name} can't be traced: {error}. A loss may not branch on the values of tensors, "
            "use modules of torch.nn, or hand tensors to libraries other than torch and math",
            where="fn",
        ) from error
    for fault in _violations(graph.graph):
        raise InvalidInputError(f"{name} {fault}", where="fn")
    return TracedLoss(name, inputs, graph)


def _inputs(fn: Callable[..., Any], ranks: Ranks) -> tuple[types.CustomLossInput, ...]:
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"expected a function of Python's, got {type(fn).__name__}", where="fn"
        ) from None
    if not isinstance(ranks, Mapping):
        raise InvalidInputError(
            f"expected dimensions by parameter, got {type(ranks).__name__}", where="input_ranks"
        )
    for fault in _faults_of_parameters(list(parameters.values())):
        raise InvalidInputError(fault, where="fn")
    if ranks.keys() != parameters.keys():
        raise InvalidInputError(
            f"expected the dimensions of {', '.join(parameters)}, got those of "
            f"{', '.join(map(str, ranks)) or 'nothing'}",
            where="input_ranks",
        )
    if ranks["logprobs"] == 0:
        raise InvalidInputError("logprobs have 1 or 2 dimensions, got 0", where="input_ranks")
    return tuple(types.CustomLossInput(name, ranks[name]) for name in parameters)


def _faults_of_parameters(parameters: list[inspect.Parameter]) -> Iterator[str]:
    if not parameters or parameters[0].name != "logprobs":
        yield "its first parameter is logprobs; the others are keys of loss_fn_inputs"
    if len(parameters) > _MOST_INPUTS:
        yield f"at most {_MOST_INPUTS} parameters are taken, got {len(parameters)}"
    for one in parameters:
        if one.kind not in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            yield f"the parameter {one.name} has to be a positional one"
        if one.default is not one.empty:
            yield f"the parameter {one.name} has a default, and every input has to be there"
        if not _INPUT.fullmatch(one.name):
            yield f"{one.name} is no name of an input: small letters, digits and underscores"


def _violations(graph: torch.fx.Graph) -> Iterator[str]:
    """What keeps a graph from being taken, in words that follow the loss's name."""
    for node in graph.nodes:
        match node.op:
            case "call_function":
                yield from _faults_of_call(node)
            case "call_method":
                yield from _faults_of_method(str(node.target))
            case "get_attr":
                yield f"reads {node.target} from outside; it may read its parameters alone"
            case "output":
                yield from _faults_of_output(node.args[0])


def _faults_of_call(node: torch.fx.Node) -> Iterator[str]:
    module = getattr(node.target, "__module__", None) or "an unknown module"
    if node.target is not builtins.getattr and module.partition(".")[0] not in _MODULES:
        function = getattr(node.target, "__qualname__", node.target)
        yield f"calls {function} of {module}; it may call torch and math alone"


def _faults_of_method(method: str) -> Iterator[str]:
    import torch

    if method in _NOT_TRACED:
        yield f"calls {method}(); {_NOT_TRACED[method]}"
    elif not hasattr(torch.Tensor, method):
        yield f"calls {method}(), which tensors have not"


def _faults_of_output(output: Any) -> Iterator[str]:
    from torch.fx import Node  # What was computed; anything else is a value of Python's.

    if not isinstance(output, tuple | list) or len(output) != 2:
        yield "has to return (loss, metrics)"
        return
    loss, metrics = output
    if not isinstance(loss, Node):
        yield f"has to return its loss as a tensor, not {loss!r}"
    if not isinstance(metrics, dict):
        yield "has to return its metrics as a dict"
        return
    for name, value in metrics.items():
        if not isinstance(name, str) or not _METRIC.fullmatch(name):
            yield (
                f"has a metric named {name!r}; the names are custom/<name>:sum and "
                "custom/<name>:mean, in small letters"
            )
        if not isinstance(value, Node):
            yield f"has to return its metric {name} as a tensor, not {value!r}"
