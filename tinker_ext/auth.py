"""Checks that the configured server can be used (functions of release 0.38.0)."""

from __future__ import annotations

from tinker_ext.config import ClientConfig
from tinker_ext.errors import ConfigurationError, TinkerError

__all__ = ["get_tinker_token", "raise_if_tinker_not_accessible", "tinker_has_credentials"]

#: Seconds of retrying: too short for a retry, so that an error is reported at once.
NO_RETRIES = 0.001


def get_tinker_token() -> str | None:
    """The key from `TINKER_API_KEY` or the stored login; None if there is none.

    Runs no credential command and sends no request.
    """
    try:
        key = ClientConfig.resolve(require_key=False).api_key
    except ConfigurationError:
        return None
    return None if key is None else key.reveal()


def tinker_has_credentials() -> bool:
    """Whether a client can be created without arguments: there is a key or a command that prints
    one (it is not run), or the server is the embedded backend, which requires no key.
    """
    try:
        ClientConfig.resolve()
    except ConfigurationError:
        return False
    return True


def raise_if_tinker_not_accessible() -> None:
    """Send one request to the server and return if it succeeds.

    Raises:
        TinkerError: ConfigurationError without a key, AuthenticationError if the key is rejected,
            BillingError if the account can't pay, APIConnectionError if the server does not
            respond.
    """
    from tinker_ext.clients.service import ServiceClient

    try:
        with ServiceClient(retry_window=NO_RETRIES, billing_window=NO_RETRIES) as service:
            service.get_server_capabilities()
    except TinkerError:
        raise
    except OSError as error:  # of the key file or the credential command
        raise TinkerError(str(error)) from error
