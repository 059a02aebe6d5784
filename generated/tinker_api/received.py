# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""What an operation needs of a response to parse it."""

from typing import Any, Protocol


class ReceivedResponse(Protocol):
    """A response whose body has been read, such as `httpx.Response`."""

    @property
    def status_code(self) -> int: ...

    @property
    def content(self) -> bytes: ...

    def json(self) -> Any:
        """The body as decoded JSON; raises ValueError if it is not JSON."""
