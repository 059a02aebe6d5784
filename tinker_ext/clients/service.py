"""The entry point: one connection to a server, and the clients created from it.

What trains is imported for the first training client: programs that only sample start sooner.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from tinker_ext import tracing, types
from tinker_ext.clients.client_base import OfficialMembers, async_result, page_url, resolve_client
from tinker_ext.clients.embedded import new_core
from tinker_ext.clients.retry_config import RetryConfig
from tinker_ext.clients.sampling import SamplingClient, open_sampling_client
from tinker_ext.config import ClientConfig, hide_values
from tinker_ext.config.client_config import Settings
from tinker_ext.protocol.server_protocol import ServerProtocol
from tinker_ext.runtime.concurrency.futures import APIFuture, done_future
from tinker_ext.runtime.core import ClientCore
from tinker_ext.runtime.results.poller import QueueStateObserver, SessionObserver
from tinker_ext.runtime.session import SessionEnd, SessionStatus
from tinker_ext.transport import operations
from tinker_ext.usage import Usage

if TYPE_CHECKING:
    from tinker_ext.clients.custom_loss import LossHandle, PerDatumLossFn
    from tinker_ext.clients.rest.client import AdminClient, RestClient
    from tinker_ext.clients.training import TrainingClient

# The default LoRA rank (0.4.1).
DEFAULT_RANK = 32
# Seconds that close() lets pending requests finish.
CLOSE_TIMEOUT = 10.0


class ServiceClient(OfficialMembers):
    """A connection to a Tinker server; creates training, sampling and REST clients.

    A method that blocks until a client is created does not block a running event loop: there it
    returns at once, and the caller awaits the result, as in release 0.38.0.

    Connects on first use. Close it, or use it in a `with` block: that stops its heartbeats and its
    embedded backend, if it has one. Garbage collection does the same, once the clients created
    from it are gone and pending requests are done. Safe to use from several threads.

    Args:
        user_metadata: stored with the session.
        project_id: the project that the session belongs to (0.38.0).
        queue_state_observer: notified of the reason why the server queues requests.
        session_observer: notified when the server stops receiving the session's heartbeats.
        default_headers_overrides: release 0.38.0's name of the setting `default_headers`.
        config: any setting of `ClientConfig.resolve`, such as `api_key`, `base_url` ("embedded"
            for a backend on this machine), `timeout` in seconds, `tags`, `proxy`. An argument wins
            over the environment, the environment over the default.

    Raises:
        ConfigurationError: a setting is unknown or invalid; or there is neither a key nor
            `base_url="embedded"`.

    Example:
        >>> with ServiceClient(base_url="embedded") as service:
        ...     training = service.create_lora_training_client("embedded/tiny", rank=8)
    """

    def __init__(
        self,
        user_metadata: dict[str, str] | None = None,
        project_id: str | None = None,
        *,
        queue_state_observer: QueueStateObserver | None = None,
        session_observer: SessionObserver | None = None,
        default_headers_overrides: Mapping[str, str] | None = None,
        **config: Unpack[Settings],
    ) -> None:
        named = {"user_metadata": user_metadata, "project_id": project_id}
        settings: dict[str, Any] = {**config, **named}
        settings = hide_values(_with_headers(settings, default_headers_overrides))
        # A traceback with variables would show their values.
        del user_metadata, project_id, default_headers_overrides, config, named
        self._config = ClientConfig.resolve(**settings)
        self._core = new_core(
            self._config,
            queue_state_observer=queue_state_observer,
            session_observer=session_observer,
        )

    @classmethod
    def from_core(cls, core: ClientCore) -> Self:
        """A client for an existing core, such as one of `tinker_ext.testing` without a network."""
        service = cls.__new__(cls)
        service._config = core.config
        service._core = core
        return service

    @classmethod
    def over(cls, core: ClientCore) -> Self:
        """Deprecated name of `from_core`."""
        warnings.warn(
            "ServiceClient.over is deprecated; use from_core", DeprecationWarning, stacklevel=2
        )
        return cls.from_core(core)

    @property
    def config(self) -> ClientConfig:
        """The resolved settings, and the source of each."""
        return self._config

    @property
    def server_protocol(self) -> ServerProtocol:
        """The version of the API that the server uses, as far as known; prints as a sentence."""
        return self._core.protocol

    @property
    def dialect(self) -> ServerProtocol:
        """Deprecated name of `server_protocol`."""
        warnings.warn(
            "ServiceClient.dialect is deprecated; use server_protocol",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.server_protocol

    def create_lora_training_client(
        self,
        base_model: str,
        rank: int = DEFAULT_RANK,
        seed: int | None = None,
        train_mlp: bool = True,
        train_attn: bool = True,
        train_unembed: bool = True,
        user_metadata: dict[str, str] | None = None,
        optimizer: types.OptimizerConfig | None = None,
    ) -> TrainingClient:
        """Create a LoRA adapter of `rank` on `base_model`; blocks until the server has created it.

        The `train_*` arguments choose the layers of the adapter; at least one must be true. `seed`
        fixes its initial weights. An `optimizer` other than Adam requires release 0.38.0.

        Raises:
            InvalidInputError: rank, seed or layers are invalid.
            NotFoundError, BadRequestError, RequestFailedError: the server has no such model, or
                no capacity for it.
        """
        from tinker_ext.clients.training import TrainingClient

        lora = types.LoraConfig(rank, seed, train_unembed, train_mlp, train_attn)
        return resolve_client(
            self._create_model(base_model, lora, user_metadata, optimizer), TrainingClient
        )

    create_lora_training_client_async = async_result(create_lora_training_client)

    def create_training_client_from_state(
        self,
        path: str,
        base_model: str | dict[str, str] | None = None,
        user_metadata: dict[str, str] | None = None,
        weights_access_token: str | None = None,
        optimizer: types.OptimizerConfig | None = None,
    ) -> TrainingClient:
        """Create a training client that resumes from a checkpoint of `save_state`.

        The base model and LoRA rank are those of the saved run. Its metadata is kept if the server
        returns it (release 0.4.1), updated with `user_metadata` (accepted as the second argument,
        too). The optimizer state is restored if the server saved it, unless a different `optimizer`
        is given. In the official SDK since 0.24.1 this method leaves the optimizer state out, and
        `create_training_client_from_state_with_optimizer` restores it. `weights_access_token` is
        for a checkpoint of another account.
        """
        from tinker_ext.clients.training import TrainingClient

        resumed = self._from_state(
            path, base_model, user_metadata, access_token=weights_access_token, optimizer=optimizer
        )
        return resolve_client(resumed, TrainingClient)

    create_training_client_from_state_async = async_result(create_training_client_from_state)

    def create_training_client_from_state_with_optimizer(
        self,
        path: str,
        base_model: str | None = None,
        user_metadata: dict[str, str] | None = None,
        weights_access_token: str | None = None,
    ) -> TrainingClient:
        """As `create_training_client_from_state`; requires the server to restore the optimizer."""
        from tinker_ext.clients.training import TrainingClient

        resumed = self._from_state(
            path, base_model, user_metadata, access_token=weights_access_token, with_optimizer=True
        )
        return resolve_client(resumed, TrainingClient)

    create_training_client_from_state_with_optimizer_async = async_result(
        create_training_client_from_state_with_optimizer
    )

    def copy_weights(
        self, path: str, *, ttl_seconds: int | None = None, weights_access_token: str | None = None
    ) -> APIFuture[str]:
        """Copy a checkpoint into the configured project; see `RestClient.copy_weights`."""
        return self.create_rest_client().copy_weights(
            path, ttl_seconds=ttl_seconds, weights_access_token=weights_access_token
        )

    def create_sampling_client(
        self,
        model_path: str | None = None,
        base_model: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> SamplingClient:
        """Create a client that samples from saved weights (`tinker://...`) or from a base model.

        `record_stability_info` makes the server record the data that the loss stable_reinforce
        needs (release 0.38.0). `retry_config` limits and retries this client's samples; by default
        the settings of `ServiceClient` do.

        Raises:
            InvalidInputError: neither is given, or `model_path` is not a path.
            NotFoundError: the server has no such checkpoint or model.
        """
        opened = open_sampling_client(
            self._core,
            model_path=model_path,
            base_model=base_model,
            record_stability_info=record_stability_info,
            retry_config=retry_config,
        )
        return resolve_client(opened, SamplingClient)

    create_sampling_client_async = async_result(create_sampling_client)

    def create_custom_loss(
        self, fn: PerDatumLossFn, input_ranks: Mapping[str, types.CustomLossInputRank]
    ) -> APIFuture[LossHandle]:
        """Create a loss for `TrainingClient.forward_backward_custom`, as in release 0.38.0.

        `fn` is the loss of one datum: it takes ``logprobs``, then the keys of ``loss_fn_inputs``
        that it reads, all torch tensors, and returns a scalar tensor and a dict of scalar tensors
        named ``custom/<name>:sum`` or ``custom/<name>:mean``. `input_ranks` gives the number of
        dimensions of each parameter: 0, 1 (one value per target) or 2.

        The function is traced at once (`torch.fx`). If the server runs losses itself, it receives
        the graph, and a batch is one request; otherwise the loss runs here, with two requests. It
        must not branch on tensor values or use anything but its parameters, torch and math.

        Raises:
            InvalidInputError: `fn` can't be traced, or calls a function that no server allows.
            ConfigurationError: torch is not installed.

        Example:
            >>> def weighted(logprobs, weights):
            ...     loss = -(logprobs * weights).sum()
            ...     return loss, {"custom/weighted:sum": loss}
            >>> loss = service.create_custom_loss(weighted, {"logprobs": 1, "weights": 1})
            >>> training.forward_backward_custom(data, loss.result())
        """
        from tinker_ext.clients.creation import register_loss
        from tinker_ext.clients.loss_tracing import trace

        traced = trace(fn, input_ranks)
        with tracing.operation("create_custom_loss"):
            return self._core.start(register_loss(self._core, traced), lambda handle: handle)

    def create_rest_client(self) -> RestClient:
        """Create a client for training runs, checkpoints and sessions; it needs no session."""
        from tinker_ext.clients.rest.client import RestClient

        return RestClient(self._core)

    def create_admin_client(self) -> AdminClient:
        """Create a client for the audit log, billing and storage; it needs no session."""
        from tinker_ext.clients.rest.client import AdminClient

        return AdminClient(self._core)

    def get_console_url(self) -> str:
        """The page of the session in the console of the hosted service, or of all sessions.

        Other servers have no console; there it is the address of the session in the API.
        """
        session_id = self._core.session.known_id
        return page_url(self._core, "sessions" if session_id is None else f"sessions/{session_id}")

    def usage(self) -> Usage:
        """The tokens used by all clients of this service, in this process.

        Training counts when its result arrives, a sample when its result is retrieved. The
        `usage` methods of training and sampling clients return the part of one client.
        """
        return self._core.usage.read()

    def get_server_capabilities(self) -> types.GetServerCapabilitiesResponse:
        """The models that the server offers."""
        return self._capabilities().result()

    async def get_server_capabilities_async(self) -> types.GetServerCapabilitiesResponse:
        """As `get_server_capabilities`, awaited."""
        return await self._capabilities()

    def close(
        self,
        status: SessionStatus = "success",
        detail: str | None = None,
        *,
        timeout: float = CLOSE_TIMEOUT,
    ) -> APIFuture[None]:
        """Wait at most `timeout` seconds for pending requests, abandon the others and disconnect.

        A server of release 0.32.0 or later receives the session's `status` and `detail`. Abandoned
        futures raise ClientClosedError. Closing twice is harmless; a call while another one waits
        returns with it, after the shorter of their timeouts. The returned future is already done;
        it exists because release 0.38.0 returns one.
        """
        self._core.close(timeout, SessionEnd(status, detail))
        return done_future()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close_after(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._close_after, error)

    def _close_after(self, error: BaseException | None) -> None:
        """Close at the end of a `with` block; pending requests are abandoned if it raised."""
        self._core.close(CLOSE_TIMEOUT if error is None else 0.0, SessionEnd.from_error(error))

    def __reduce__(self) -> tuple[Any, ...]:
        return ServiceClient.from_core, (self._core,)

    def __repr__(self) -> str:
        if not hasattr(self, "_core"):  # In a traceback from __init__.
            return "<ServiceClient not initialized>"
        return f"<ServiceClient {self._config.base_url}{' closed' if self._core.closed else ''}>"

    def _capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        with tracing.operation("get_server_capabilities"):
            response = self._core.call(operations.get_server_capabilities())
            return self._core.start(response, types.GetServerCapabilitiesResponse.from_api)

    def _create_model(
        self,
        base_model: str,
        lora: types.LoraConfig,
        user_metadata: dict[str, str] | None,
        optimizer: types.OptimizerConfig | None,
    ) -> APIFuture[TrainingClient]:
        from tinker_ext.clients.creation import ModelSpec, create_model
        from tinker_ext.clients.training import TrainingClient

        spec = ModelSpec(
            base_model=base_model, lora=lora, user_metadata=user_metadata, optimizer=optimizer
        )
        with tracing.operation("create_model", tracing.model_attributes(base_model)):
            return self._core.start(
                create_model(self._core, spec),
                lambda model_id: TrainingClient(self._core, model_id),
            )

    def _from_state(
        self,
        path: str,
        base_model: str | dict[str, str] | None,
        user_metadata: dict[str, str] | None,
        **options: Any,
    ) -> APIFuture[TrainingClient]:
        """A client that resumes from a state; the options are those of `ResumeSpec`."""
        from tinker_ext.clients.creation import resume_from_state, resume_spec

        state = resume_spec(path, base_model, user_metadata, **options)
        with tracing.operation("create_training_client_from_state"):
            return self._core.start(resume_from_state(self._core, state), lambda client: client)


def _with_headers(config: dict[str, Any], overrides: Mapping[str, str] | None) -> dict[str, Any]:
    """The settings with `default_headers_overrides`, 0.38.0's name of `default_headers`.

    If both set a header, `default_headers_overrides` wins.
    """
    if overrides is None:
        return config
    headers = config.get("default_headers") or {}
    for mapping in (headers, overrides):
        if not isinstance(mapping, Mapping):  # ClientConfig rejects it.
            return {**config, "default_headers": mapping}
    return {**config, "default_headers": {**headers, **overrides}}
