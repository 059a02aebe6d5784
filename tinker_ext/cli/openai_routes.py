"""The OpenAI-compatible endpoint, as `serve` and `openai` set it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.openai_api import EndpointError, OpenAIEndpoint
from tinker_ext.redaction.secret import Secret

if TYPE_CHECKING:
    from tinker_ext.clients.service import ServiceClient
    from tinker_ext.embedded.access import Access


def make_endpoint(
    settings: dict[str, Any],
    access: Access,
    key: Secret | None = None,
    tokenizer_id: str | None = None,
) -> OpenAIEndpoint:
    """The endpoint in front of the server in `settings`, the arguments of `ServiceClient`.

    `access` rejects requests of web pages. Callers must send `key`; without one, the key of each
    caller is sent to the server. `tokenizer_id` replaces the tokenizers of the models.
    """

    def open_service(caller_key: Secret | None) -> ServiceClient:
        import tinker_ext

        credentials = {} if caller_key is None else {"api_key": caller_key}
        return tinker_ext.ServiceClient(**{**settings, **credentials})

    def check(request: Request) -> None:
        try:
            access.check(request)
        except RejectedRequestError as error:
            raise EndpointError(error.status, str(error.detail)) from None

    return OpenAIEndpoint(open_service, check=check, key=key, tokenizer_id=tokenizer_id)
