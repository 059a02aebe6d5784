"""Servers that announce flags of release 0.38.0, or of an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.testing import FakeServer, Reply

if TYPE_CHECKING:
    from tinker_ext.testing import Replies

#: What tells release 0.38.0 from those before it.
OF_0_38: dict[str, Any] = {"custom_loss_server_side": False}


def announce(
    server: Replies, *, latest: bool = True, dynamic: dict[str, Any] | None = None, **flags: Any
) -> None:
    """Have a server answer `client/config` with these flags."""
    config = {**(OF_0_38 if latest else {}), **flags}
    server.respond_always("get_client_config", Reply(200, config))
    server.respond_always("get_client_dynamic_config", Reply(200, dynamic or {}))


def flagged(**flags: Any) -> FakeServer:
    """A server in memory that tells of ended samples together, with other flags on top."""
    server = FakeServer()
    announce(server, **{"sample_use_retrieve_futures": True, **flags})
    return server
