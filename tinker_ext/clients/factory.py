"""Creates clients that share one connection.

What trains is imported for the first training client: programs that only sample start sooner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext import tracing, types
from tinker_ext.clients.async_names import async_result
from tinker_ext.clients.awaitable_client import resolve_client
from tinker_ext.clients.sampling import SamplingClient, open_sampling_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinker_ext.clients.admin import AdminClient
    from tinker_ext.clients.custom_loss.handle import LossHandle, PerDatumLossFn
    from tinker_ext.clients.rest.client import RestClient
    from tinker_ext.clients.retry_config import RetryConfig
    from tinker_ext.clients.training import TrainingClient
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore

# The default LoRA rank (0.4.1).
DEFAULT_RANK = 32


class ClientFactory:
    """The methods of `ServiceClient` that create other clients.

    A method that blocks until a client is created does not block a running event loop: there it
    returns at once, and the caller awaits the result, as in release 0.38.0.
    """

    _core: ClientCore

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
        return resolve_client(
            self._sampling_client(model_path, base_model, record_stability_info, retry_config),
            SamplingClient,
        )

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
        from tinker_ext.clients.custom_loss.tracing import trace

        traced = trace(fn, input_ranks)
        with tracing.operation("create_custom_loss"):
            return self._core.start(register_loss(self._core, traced), lambda handle: handle)

    def create_rest_client(self) -> RestClient:
        """Create a client for training runs, checkpoints and sessions; it needs no session."""
        from tinker_ext.clients.rest.client import RestClient

        return RestClient(self._core)

    def create_admin_client(self) -> AdminClient:
        """Create a client for the audit log, billing and storage; it needs no session."""
        from tinker_ext.clients.admin import AdminClient

        return AdminClient(self._core)

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
        from tinker_ext.clients.creation import resume_spec
        from tinker_ext.clients.resume import resume_from_state

        state = resume_spec(path, base_model, user_metadata, **options)
        with tracing.operation("create_training_client_from_state"):
            return self._core.start(resume_from_state(self._core, state), lambda client: client)

    def _sampling_client(
        self,
        model_path: str | None,
        base_model: str | None,
        record_stability_info: bool,
        retry_config: RetryConfig | None,
    ) -> APIFuture[SamplingClient]:
        return open_sampling_client(
            self._core,
            model_path=model_path,
            base_model=base_model,
            record_stability_info=record_stability_info,
            retry_config=retry_config,
        )
