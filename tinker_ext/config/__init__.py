"""The settings of a client, and the only code that reads the environment."""

from tinker_ext.config.client_config import (
    DEFAULT_BASE_URL,
    ClientConfig,
    from_environment,
    unshown,
)

__all__ = ["DEFAULT_BASE_URL", "ClientConfig", "from_environment", "unshown"]
