"""Encodes a traced loss for the API: one node per step, arguments as JSON.

Values that JSON supports are encoded as such, others as an object whose only key names their kind.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tinker_api import models

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import torch.fx

    from tinker_ext.clients.custom_loss.tracing import TracedLoss

# CPython's private module of operator functions, and the portable name.
_PRIVATE, _PUBLIC = "_operator.", "operator."
_PREFIX = "torch."


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
