"""A traced loss as plain data, as the wire has it: a node for each step, arguments in JSON.

What JSON has stands for itself; anything else is an object of one key that names its kind.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tinker_api import models

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import torch.fx

    from tinker_ext.clients.custom_loss.tracing import TracedLoss

# Python's operators are functions of a module that only CPython has by that name.
_PRIVATE, _PUBLIC = "_operator.", "operator."
_PREFIX = "torch."


def encode_graph(loss: TracedLoss) -> models.CustomLossGraph:
    """The graph of a loss.

    Raises:
        InvalidInputError: an argument in it has no form on the wire.
    """
    try:
        return models.CustomLossGraph(nodes=[_node(one) for one in loss.graph.graph.nodes])
    except UnserializableArgumentError as error:
        raise InvalidInputError(
            f"{loss.name} passes {error}, which can't be sent", where="fn"
        ) from None


class UnserializableArgumentError(Exception):
    """An argument that the wire has no form for."""


def _node(node: torch.fx.Node) -> models.CustomLossNode:
    kwargs = models.CustomLossNodeKwargs()
    kwargs.additional_properties = {name: _value(one) for name, one in node.kwargs.items()}
    return models.CustomLossNode(
        op=node.op,
        name=node.name,
        target=_target(node),
        args=[_value(one) for one in node.args],
        kwargs=kwargs,
    )


def _target(node: torch.fx.Node) -> str:
    if node.op != "call_function":
        return str(node.target)
    # torch's own way to a name that it can be found by; there is no public one.
    from torch.fx.node import _get_qualified_name

    name: str = _get_qualified_name(node.target)
    return _PUBLIC + name.removeprefix(_PRIVATE) if name.startswith(_PRIVATE) else name


def _value(given: Any) -> Any:
    from torch.fx import Node

    match given:
        case Node():
            return {"ref": given.name}
        case float() if not math.isfinite(given):
            return {"float": str(given)}
        case None | bool() | int() | float() | str():
            return given
        case list():
            return [_value(one) for one in given]
        case tuple():
            return {"tuple": [_value(one) for one in given]}
        case slice(start=start, stop=stop, step=step):
            return {"slice": [_value(one) for one in (start, stop, step)]}
        case dict() if all(isinstance(name, str) for name in given):
            return {"dict": {name: _value(one) for name, one in given.items()}}
    return {"ellipsis": True} if given is ... else _of_torch(given)


def _of_torch(given: Any) -> dict[str, str]:
    """A constant of torch's, such as `torch.float32`, by its kind and name."""
    import torch

    kinds = ("dtype", "device", "layout", "memory_format")
    for kind in kinds:
        if isinstance(given, getattr(torch, kind)):
            return {kind: str(given).removeprefix(_PREFIX)}
    raise UnserializableArgumentError(f"a {type(given).__name__}")
