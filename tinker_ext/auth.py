"""Whether a program may use the server it is set up for (release 0.38.0 has these names)."""

from __future__ import annotations

from tinker_ext.config import ClientConfig
from tinker_ext.errors import ConfigurationError, TinkerError

__all__ = ["get_tinker_token", "raise_if_tinker_not_accessible", "tinker_has_credentials"]

#: Seconds for retries: too few for any, so that what is wrong is said at once.
NO_RETRIES = 0.001


def get_tinker_token() -> str | None:
    """The key in force, from `TINKER_API_KEY` or the stored login; None where there is none.

    No command is run for it, and nobody is asked.
    """
    try:
        key = ClientConfig.resolve(require_key=False).api_key
    except ConfigurationError:
        return None
    return None if key is None else key.reveal()


def tinker_has_credentials() -> bool:
    """Whether a client could be made without an argument: there is a key, a command that prints
    one (it is not run), or the server is the embedded backend, which wants none.
    """
    try:
        ClientConfig.resolve()
    except ConfigurationError:
        return False
    return True


def raise_if_tinker_not_accessible() -> None:
    """Ask the server once which models it offers, and return if it answers.

    Raises:
        TinkerError: ConfigurationError without a key, AuthenticationError where it is refused,
            BillingError where the account can't pay, APIConnectionError where nobody answers.
    """
    from tinker_ext.clients.service import ServiceClient

    try:
        with ServiceClient(retry_window=NO_RETRIES, billing_window=NO_RETRIES) as service:
            service.get_server_capabilities()
    except TinkerError:
        raise
    except OSError as error:  # of a file that has a key, or of the command that prints one
        raise TinkerError(str(error)) from error
