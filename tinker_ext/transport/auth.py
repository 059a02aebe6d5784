"""Which headers prove who is asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from tinker_ext.config import may_be_secret

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig
    from tinker_ext.secret import Secret

# Header names as releases 0.4.1 to 0.38.0 send them.
API_KEY_HEADER = "X-API-Key"
CF_ID_HEADER = "CF-Access-Client-Id"
CF_SECRET_HEADER = "CF-Access-Client-Secret"


@frozen
class ApiKeyAuth:
    """Sends the API key and, where set, the Cloudflare Access pair, with every request."""

    api_key: Secret | None = None
    cf_access_client_id: str | None = None
    cf_access_client_secret: Secret | None = None
    #: Values of other headers that may be credentials.
    others: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_config(cls, config: ClientConfig) -> ApiKeyAuth:
        return cls(
            config.api_key,
            cf_access_client_id=config.cf_access_client_id,
            cf_access_client_secret=config.cf_access_client_secret,
            others=tuple(
                value for name, value in config.default_headers.items() if may_be_secret(name)
            ),
        )

    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, even where a server says it back to us."""
        known = (self.api_key, self.cf_access_client_secret)
        revealed = [secret.reveal() for secret in known if secret is not None]
        return tuple(value for value in (*revealed, *self.others) if value)

    def headers(self) -> dict[str, str]:
        """The secret headers; only the transport sees them."""
        headers = {}
        if self.api_key is not None:
            headers[API_KEY_HEADER] = self.api_key.reveal()
        if self.cf_access_client_id is not None and self.cf_access_client_secret is not None:
            headers[CF_ID_HEADER] = self.cf_access_client_id
            headers[CF_SECRET_HEADER] = self.cf_access_client_secret.reveal()
        return headers
