"""The way in: one connection to a server, and the clients made from it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.admin import AdminClient
from tinker_ext.clients.embedded import EmbeddedBackend
from tinker_ext.clients.reading import read
from tinker_ext.clients.rest import RestClient
from tinker_ext.clients.sampling import SamplingClient
from tinker_ext.clients.sampling_session import check_source, open_sampling_session
from tinker_ext.clients.training import TrainingClient
from tinker_ext.config import ClientConfig
from tinker_ext.errors import InvalidInputError
from tinker_ext.runtime.core import ClientCore
from tinker_ext.runtime.submitting import submit

if TYPE_CHECKING:
    from types import TracebackType

    from tinker_ext.rules.dialect import Dialect
    from tinker_ext.runtime.futures import APIFuture
    from tinker_ext.runtime.queue_log import QueueStateObserver, SessionObserver

# LoRA rank where none is asked for; release 0.4.1.
DEFAULT_RANK = 32
# Seconds that close() lets pending requests finish.
CLOSE_TIMEOUT = 10.0


class ServiceClient:
    """A connection to a Tinker server; makes training, sampling and REST clients.

    Connects on first use. Close it, or use it in a `with` block: that stops its heartbeats and an
    embedded backend of its own. So does dropping it, once the clients made from it are dropped and
    the work under way is done. Safe to use from several threads.

    Args:
        user_metadata: stored with the session.
        queue_state_observer: told why the server lets requests wait.
        session_observer: told when the server no longer hears the session's heartbeats.
        config: every setting of `ClientConfig.resolve`, such as `api_key`, `base_url` ("embedded"
            for a backend on this machine), `timeout` in seconds, `tags`, `proxy`. An argument wins
            over the environment, the environment over the default.

    Raises:
        ConfigurationError: a setting is unknown or can't be; or there is neither a key nor
            `base_url="embedded"`.

    Example:
        >>> with ServiceClient(base_url="embedded") as service:
        ...     training = service.create_lora_training_client("embedded/tiny", rank=8)
    """

    def __init__(
        self,
        user_metadata: dict[str, str] | None = None,
        *,
        queue_state_observer: QueueStateObserver | None = None,
        session_observer: SessionObserver | None = None,
        **config: Any,
    ) -> None:
        if user_metadata is not None:
            config["user_metadata"] = user_metadata
        self._config = ClientConfig.resolve(**config)
        backend = EmbeddedBackend(self._config)
        core = ClientCore(
            self._config,
            backend.base_url,
            backend.stop,
            queue_state_observer=queue_state_observer,
            session_observer=session_observer,
        )
        self._start(core)

    @classmethod
    def over(cls, core: ClientCore) -> Self:
        """A client on a core made elsewhere; `tinker_ext.testing` makes one without a network."""
        service = cls.__new__(cls)
        service._config = core.config
        service._start(core)
        return service

    def _start(self, core: ClientCore) -> None:
        self._core = core

    @property
    def config(self) -> ClientConfig:
        """The settings in force, and where each came from."""
        return self._config

    @property
    def dialect(self) -> Dialect:
        """What has been learnt of the server's dialect so far; it prints as a sentence."""
        return self._core.dialect

    def get_server_capabilities(self) -> types.GetServerCapabilitiesResponse:
        """Which models the server offers."""
        return self._capabilities().result()

    async def get_server_capabilities_async(self) -> types.GetServerCapabilitiesResponse:
        return await self._capabilities()

    def create_lora_training_client(
        self,
        base_model: str,
        rank: int = DEFAULT_RANK,
        seed: int | None = None,
        train_mlp: bool = True,
        train_attn: bool = True,
        train_unembed: bool = True,
        user_metadata: dict[str, str] | None = None,
    ) -> TrainingClient:
        """Create a LoRA adapter of `rank` on `base_model`; blocks until the server has it.

        The adapter covers the layers asked for; at least one kind must be. `seed` fixes its
        random start.

        Raises:
            InvalidInputError: rank, seed or layers can't be.
            NotFoundError, BadRequestError, RequestFailedError: the server has no such model, or
                no room for it.
        """
        lora = types.LoraConfig(
            rank=rank,
            seed=seed,
            train_mlp=train_mlp,
            train_attn=train_attn,
            train_unembed=train_unembed,
        )
        return self._create_model(base_model, lora, user_metadata).result()

    async def create_lora_training_client_async(
        self,
        base_model: str,
        rank: int = DEFAULT_RANK,
        seed: int | None = None,
        train_mlp: bool = True,
        train_attn: bool = True,
        train_unembed: bool = True,
        user_metadata: dict[str, str] | None = None,
    ) -> TrainingClient:
        """As `create_lora_training_client`, without blocking the event loop."""
        lora = types.LoraConfig(
            rank=rank,
            seed=seed,
            train_mlp=train_mlp,
            train_attn=train_attn,
            train_unembed=train_unembed,
        )
        return await self._create_model(base_model, lora, user_metadata)

    def create_training_client_from_state(
        self, path: str, user_metadata: dict[str, str] | None = None
    ) -> TrainingClient:
        """A new training client that goes on from a checkpoint of `save_state`.

        The base model and LoRA rank are the saved run's; its metadata is kept, overlaid by
        `user_metadata`. Optimizer state comes back where the server saved it.
        """
        return self._from_state(path, user_metadata).result()

    async def create_training_client_from_state_async(
        self, path: str, user_metadata: dict[str, str] | None = None
    ) -> TrainingClient:
        return await self._from_state(path, user_metadata)

    def create_sampling_client(
        self, model_path: str | None = None, base_model: str | None = None
    ) -> SamplingClient:
        """A client that samples from saved weights (`tinker://...`) or from a base model.

        Raises:
            InvalidInputError: neither is given, or `model_path` is no `tinker://` path.
            NotFoundError: the server has no such checkpoint or model.
        """
        return self._sampling_client(model_path, base_model).result()

    async def create_sampling_client_async(
        self, model_path: str | None = None, base_model: str | None = None
    ) -> SamplingClient:
        return await self._sampling_client(model_path, base_model)

    def create_rest_client(self) -> RestClient:
        """A client for training runs, checkpoints and sessions; it needs no session."""
        return RestClient(self._core)

    def create_admin_client(self) -> AdminClient:
        """A client for the audit log, the bill and the storage; it needs no session."""
        return AdminClient(self._core)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Wait at most `timeout` seconds for pending requests, give up the rest, disconnect.

        Futures given up raise ClientClosedError. Closing twice is harmless.
        """
        self._core.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(CLOSE_TIMEOUT if error is None else 0.0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close, CLOSE_TIMEOUT if error is None else 0.0)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ServiceClient.over, (self._core,)

    def __repr__(self) -> str:
        return f"<ServiceClient {self._config.base_url}{' closed' if self._core.closed else ''}>"

    def _capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        with tracing.operation("get_server_capabilities"):
            sent = self._core.call(
                "get_server_capabilities", lambda gateway: gateway.get_server_capabilities()
            )
            return self._core.start(sent, types.GetServerCapabilitiesResponse.from_api)

    def _create_model(
        self, base_model: str, lora: types.LoraConfig, user_metadata: dict[str, str] | None
    ) -> APIFuture[TrainingClient]:
        if not base_model:
            raise InvalidInputError("a base model is needed", where="base_model")
        with tracing.operation("create_model", tracing.of_weights(base_model)):
            return self._core.start(
                self._model(base_model, lora, user_metadata),
                lambda model_id: TrainingClient(self._core, model_id),
            )

    async def _model(
        self, base_model: str, lora: types.LoraConfig, user_metadata: dict[str, str] | None
    ) -> str:
        """Create a model; its id."""
        core = self._core
        session_id = await core.session.id()
        body = models.CreateModelRequest(
            session_id=session_id,
            model_seq_id=core.session.next_model_seq_id(),
            base_model=base_model,
            lora_config=lora.to_api(),
        )
        if user_metadata:
            body.user_metadata = models.UserMetadata.from_dict(user_metadata)
        result = await submit(core, "create_model", lambda gateway: gateway.create_model(body))
        return read("create_model", result, models.CreateModelResponse, lambda made: made.model_id)

    def _from_state(
        self, path: str, user_metadata: dict[str, str] | None
    ) -> APIFuture[TrainingClient]:
        parsed = types.ParsedCheckpointTinkerPath.from_tinker_path(path)
        with tracing.operation("create_training_client_from_state"):
            return self._core.start(
                self._restored(path, parsed.training_run_id, user_metadata), lambda client: client
            )

    async def _restored(
        self, path: str, run_id: str, user_metadata: dict[str, str] | None
    ) -> TrainingClient:
        run = types.TrainingRun.from_api(
            await self._core.call(
                "get_training_run", lambda gateway: gateway.get_training_run(run_id)
            )
        )
        metadata = {**(run.user_metadata or {}), **(user_metadata or {})}
        lora = types.LoraConfig(rank=DEFAULT_RANK if run.lora_rank is None else run.lora_rank)
        model_id = await self._model(run.base_model, lora, metadata)
        client = TrainingClient(self._core, model_id)
        await client.load_state(path)
        return client

    def _sampling_client(
        self, model_path: str | None, base_model: str | None
    ) -> APIFuture[SamplingClient]:
        check_source(model_path, base_model)
        weights = tracing.of_weights(model_path or base_model)
        with tracing.operation("create_sampling_session", weights):
            return self._core.start(
                open_sampling_session(self._core, model_path=model_path, base_model=base_model),
                lambda session_id: SamplingClient(
                    self._core, session_id, model_path=model_path, base_model=base_model
                ),
            )
