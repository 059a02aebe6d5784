# Do not edit. Made by `make generate` from openapi/tinker.yaml.

"""A client library for accessing Tinker API"""

from .client import AuthenticatedClient, Client

__all__ = (
    "AuthenticatedClient",
    "Client",
)
