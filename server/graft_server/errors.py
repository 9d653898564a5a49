"""Errors that are the user's to mend, and those that cannot happen."""

from __future__ import annotations

import logging
import os

log = logging.getLogger("graft")


class UserError(Exception):
    """Bad input.  The message is one line: what is wrong and what to do."""


def cannot_happen(message: str) -> None:
    """Report a broken invariant: fatal in tests (`GRAFT_STRICT=1`), logged and survived in use.

    The habit is that of gopls' `internal/util/bug` package.
    """
    if os.environ.get("GRAFT_STRICT") == "1":
        raise AssertionError(message)
    log.error("internal: %s", message, stack_info=True)
