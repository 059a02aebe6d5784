"""Which headers prove who is asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig
    from tinker_ext.redaction.secret import Secret
    from tinker_ext.transport.call import Credential

# Header names as releases 0.4.1 to 0.38.0 send them.
API_KEY_HEADER = "X-API-Key"
CF_ID_HEADER = "CF-Access-Client-Id"
CF_SECRET_HEADER = "CF-Access-Client-Secret"
# Characters of a default header's value that is taken out of successful responses. Ours: a shorter
# one may be a name that results have, too; in errors and logs it is redacted.
_SHORTEST_HEADER = 12


class KeySource(Protocol):
    """Where the value of X-API-Key comes from; it may change as time goes by."""

    async def key(self) -> Secret | None:
        """The user's own key, never what a server gave for it; None where there is none."""
        ...

    async def current(self) -> Secret | None:
        """What to send now: the key, or a token that the server gave for it."""
        ...

    async def replacement_for(self, refused: Secret | None) -> Secret | None:
        """Another value, once the server has called `refused` invalid; None if there is none."""
        ...

    async def printed_anew(self, refused: Secret | None) -> Secret | None:
        """What a command prints instead of a key that was refused; None for any other key."""
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """All values that were sent not long ago."""
        ...


@frozen
class FixedKey:
    """One key for as long as the client lives."""

    api_key: Secret | None = None

    async def key(self) -> Secret | None:
        return self.api_key

    async def current(self) -> Secret | None:
        return self.api_key

    async def replacement_for(self, refused: Secret | None) -> Secret | None:
        return None

    async def printed_anew(self, refused: Secret | None) -> Secret | None:
        return None

    def secrets(self) -> tuple[Secret, ...]:
        return () if self.api_key is None else (self.api_key,)


@frozen
class ApiKeyAuth:
    """Sends the key, or a token for it, and the Cloudflare Access pair, with every request."""

    keys: KeySource = FixedKey()
    cf_access_client_id: str | None = None
    cf_access_client_secret: Secret | None = None
    #: Values of other headers that may be credentials.
    others: tuple[Secret, ...] = ()

    @classmethod
    def from_config(cls, config: ClientConfig, keys: KeySource | None = None) -> ApiKeyAuth:
        """The configuration's headers; its key, where `keys` gives no other."""
        return cls(
            keys or FixedKey(config.api_key),
            cf_access_client_id=config.cf_access_client_id,
            cf_access_client_secret=config.cf_access_client_secret,
            others=tuple(
                secret
                for secret in config.header_secrets
                if len(secret.reveal()) >= _SHORTEST_HEADER
            ),
        )

    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown, even where a server says it back to us."""
        access = self.cf_access_client_secret
        return (*self.keys.secrets(), *(() if access is None else (access,)), *self.others)

    async def key(self, credential: Credential) -> Secret | None:
        """The value of X-API-Key for a call."""
        return await (self.keys.key() if credential == "key" else self.keys.current())

    async def replacement(
        self, key: Secret | None, credential: Credential, *, invalid: bool
    ) -> Secret | None:
        """Another value than one the server refused; `invalid` if it called it an invalid token."""
        if invalid and credential == "current":
            return await self.keys.replacement_for(key)
        return await self.keys.printed_anew(key)

    def headers(self, key: Secret | None) -> dict[str, str]:
        """The secret headers with that key; only the transport sees them."""
        headers = {}
        if key is not None:
            headers[API_KEY_HEADER] = key.reveal()
        if self.cf_access_client_id is not None and self.cf_access_client_secret is not None:
            headers[CF_ID_HEADER] = self.cf_access_client_id
            headers[CF_SECRET_HEADER] = self.cf_access_client_secret.reveal()
        return headers
