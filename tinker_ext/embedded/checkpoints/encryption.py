"""Encryption of external weights with age (https://age-encryption.org/v1), through `pyrage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIX = ".age"

# The limit of release 0.38.0 (lib/public_interfaces/training_client.py).
MAX_RECIPIENTS = 10


class EncryptionUnavailableError(Exception):
    """The package that encrypts is not installed."""


@frozen
class Encryption:
    """Encrypts to age recipients: ``age1...`` keys or SSH public keys."""

    _recipients: tuple[Any, ...]

    @classmethod
    def to(cls, recipients: Sequence[str]) -> Encryption:
        """The encryption to these recipients.

        Raises:
            EncryptionUnavailableError: pyrage is not installed.
            ValueError: a recipient is invalid, or there are too many.
        """
        if len(recipients) > MAX_RECIPIENTS:
            raise ValueError(f"expected at most {MAX_RECIPIENTS} recipients, got {len(recipients)}")
        return cls(tuple(_parse(recipient, index) for index, recipient in enumerate(recipients)))

    def __call__(self, content: bytes) -> bytes:
        """The encrypted content."""
        import pyrage

        encrypted: bytes = pyrage.encrypt(content, list(self._recipients))
        return encrypted


def _parse(text: str, index: int) -> Any:
    try:
        import pyrage
    except ImportError:
        raise EncryptionUnavailableError(
            "encryption needs a package on the server: pip install pyrage"
        ) from None
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise ValueError(
            f"[{index}] is neither an age recipient (age1...) nor an SSH public key: {error}"
        ) from None
