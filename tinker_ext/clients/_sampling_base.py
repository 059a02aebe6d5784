"""What a client that samples knows of its weights, and how it is handed to other processes."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tinker_ext.clients.awaitable_client import AwaitableClient
from tinker_ext.config import ClientConfig, unshown
from tinker_ext.errors import APIStatusError, InvalidInputError
from tinker_ext.protocol.error_shapes import MISSING_STATUSES
from tinker_ext.runtime.core import unpickled_core
from tinker_ext.runtime.submission.sampler_sequence import SamplerSequence
from tinker_ext.types import ParsedCheckpointTinkerPath

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore


class SamplingClientBase(AwaitableClient):
    """The part of `SamplingClient` that does not sample."""

    def __init__(
        self,
        core: ClientCore,
        sampling_session_id: str,
        *,
        model_path: str | None = None,
        base_model: str | None = None,
        record_stability_info: bool = False,
        elsewhere: bool = False,
    ) -> None:
        self._core = core
        self._member = SamplerSequence(core, sampling_session_id, elsewhere=elsewhere)
        self._base_model = base_model
        self._record_stability_info = record_stability_info
        self.sampling_session_id = sampling_session_id
        self.model_path = model_path

    def get_base_model(self) -> str:
        """The name of the base model; the server is asked once, where it is not known yet."""
        return self._base().result() if self._base_model is None else self._base_model

    async def get_base_model_async(self) -> str:
        return await self._base()

    def get_tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the base model, loaded by transformers.

        Raises:
            TinkerError: it can't be loaded from where it is; the message tells what was tried.
        """
        from tinker_ext.tokenizers import get_tokenizer

        return get_tokenizer(self.get_base_model())

    async def get_tokenizer_async(self) -> PreTrainedTokenizerBase:
        """As `get_tokenizer`, loaded on a thread."""
        from tinker_ext.tokenizers import get_tokenizer

        return await asyncio.to_thread(get_tokenizer, await self._base())

    def get_sampler_handle(self) -> str:
        """Text from which `from_sampler_handle` makes a client on the same weights.

        For other processes, as pickling is; it holds no key, and is good for as long as the
        session that made this client lives.
        """
        config, key_file = self._core.portable()
        if config.is_embedded:
            raise InvalidInputError(
                "the embedded backend has not started yet; sample something first", where="handle"
            )
        content = {
            "base_url": config.base_url,
            "key_file": None if key_file is None else str(key_file),
            "sampling_session_id": self.sampling_session_id,
            "model_path": self.model_path,
            "base_model": self._base_model,
            "record_stability_info": self._record_stability_info,
        }
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

    @classmethod
    def from_sampler_handle(cls, handle: str, *, api_key: str | None = None) -> Self:
        """A client on the weights of a handle, with the key of this process or the one given.

        The key is sent to the server that the handle names, so take handles from your own only.

        Raises:
            InvalidInputError: it is no handle.
        """
        explicit = unshown({"api_key": api_key})
        del api_key  # A traceback with variables would show it.
        try:
            content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(handle))
            base_url = content["base_url"]
            key_file = None if content["key_file"] is None else Path(content["key_file"])
            session_id = content["sampling_session_id"]
        except (ValueError, KeyError, TypeError):
            raise InvalidInputError("that is no sampler's handle", where="handle") from None
        config = ClientConfig.resolve(require_key=False, base_url=base_url, **explicit)
        return cls(
            unpickled_core(config, key_file),
            session_id,
            model_path=content.get("model_path"),
            base_model=content.get("base_model"),
            record_stability_info=bool(content.get("record_stability_info")),
            elsewhere=True,
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        known = (self.model_path, self._base_model, self._record_stability_info)
        return _restored, (type(self), self._core, self.sampling_session_id, *known)

    def _base(self) -> APIFuture[str]:
        return self._core.start(self._find_base(), str)

    async def _find_base(self) -> str:
        if self._base_model is None:
            self._base_model = await self._ask_base()
        return self._base_model

    async def _ask_base(self) -> str:
        """Of the sampler, or of the run that its weights are of: older servers know that only."""
        core = self._core
        try:
            found = await core.call(
                "get_sampler", lambda gateway: gateway.get_sampler(self.sampling_session_id)
            )
        except APIStatusError as error:
            if error.status_code not in MISSING_STATUSES or self.model_path is None:
                raise
            run_id = ParsedCheckpointTinkerPath.from_tinker_path(self.model_path).training_run_id
            run = await core.call(
                "get_training_run", lambda gateway: gateway.get_training_run(run_id)
            )
            return run.base_model
        return found.base_model


def _restored(
    kind: type[SamplingClientBase],
    core: ClientCore,
    session_id: str,
    model_path: str | None,
    base_model: str | None,
    record_stability_info: bool,
) -> SamplingClientBase:
    return kind(
        core,
        session_id,
        model_path=model_path,
        base_model=base_model,
        record_stability_info=record_stability_info,
        elsewhere=True,
    )
