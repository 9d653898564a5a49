"""What the server does for each message; one module per group of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graft_server.app import GraftServer


def register(server: GraftServer) -> None:
    """Register every handler with the server."""
    from graft_server.handlers import actions, commands, completion, diagnostics, lifecycle, repair

    for module in (lifecycle, completion, diagnostics, actions, commands, repair):
        module.register(server)
