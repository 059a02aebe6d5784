"""The public methods of the clients: signatures of the `*_async` names, docstrings, old names."""

from __future__ import annotations

import asyncio
import inspect

import pytest

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, make_client

CLIENTS = (
    tinker.ServiceClient,
    tinker.TrainingClient,
    tinker.SamplingClient,
    tinker.RestClient,
    tinker.AdminClient,
)
METHODS = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind in CLIENTS
    for name in dir(kind)
    if not name.startswith("_") and callable(getattr(kind, name))
]
TWINS = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind in CLIENTS
    for name in dir(kind)
    if name.endswith("_async") and not name.startswith("_")
]
#: Methods of a training client that return a future without awaiting it.
SUBMITTING = {
    "forward",
    "forward_backward",
    "forward_backward_custom",
    "load_state",
    "load_state_with_optimizer",
    "optim_step",
    "save_state",
    "save_weights_external",
    "save_weights_for_sampler",
    "unload",
}


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_public_method_has_docstring(kind: type, name: str) -> None:
    assert inspect.getdoc(getattr(kind, name))


@pytest.mark.parametrize(("kind", "name"), TWINS)
def test_async_method_has_signature_of_plain_method(kind: type, name: str) -> None:
    plain, twin = getattr(kind, name.removesuffix("_async")), getattr(kind, name)
    assert inspect.iscoroutinefunction(twin)
    assert twin.__name__ == name
    assert twin.__qualname__.endswith(f".{name}")
    assert twin.__module__ == plain.__module__
    expected = inspect.signature(plain)
    actual = inspect.signature(twin)
    assert actual.parameters == expected.parameters
    returned = str(expected.return_annotation)
    if plain.__name__ not in SUBMITTING and returned.startswith("APIFuture["):
        returned = returned.removeprefix("APIFuture[").removesuffix("]")
    assert actual.return_annotation == returned


def test_async_docstring_contains_that_of_plain_method() -> None:
    doc = inspect.getdoc(tinker.SamplingClient.sample_async)
    assert doc is not None
    assert doc.startswith("As `sample`, awaited.\n\nSample `num_samples`")
    assert doc.endswith(inspect.getdoc(tinker.SamplingClient.sample) or "none")


def test_async_method_calls_override_of_subclass() -> None:
    class Override(tinker.RestClient):
        def whoami(self) -> tinker.APIFuture[tinker.types.WhoamiResponse]:
            raise LookupError("overridden")

    with make_client(FakeServer()) as service, pytest.raises(LookupError, match="overridden"):
        asyncio.run(Override(service._core).whoami_async())


def test_deprecated_names_of_service_client_warn() -> None:
    with make_client(FakeServer()) as service:
        with pytest.warns(DeprecationWarning, match="use server_protocol") as caught:
            protocol = service.dialect
        assert protocol is service.server_protocol
        assert caught[0].filename == __file__
        with pytest.warns(DeprecationWarning, match="use from_core") as caught:
            other = tinker.ServiceClient.over(service._core)
        assert other.config is service.config
        assert caught[0].filename == __file__
