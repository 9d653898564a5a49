"""Logging: standard error and a rotating file; no source text above debug level."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys

from graft_server import paths

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


def setup(level: str = "info", *, file: bool = True) -> None:
    """Send log records of level `level` and above to stderr and to `graft.log` (1 MB, three old ones kept).

    A log folder that cannot be written is no error: stderr remains.  pygls and asyncio log whole messages, source text
    included, at info level: they are held at warning unless `level` is debug.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(logging.Formatter(_FORMAT))
    root.addHandler(stderr)
    folder = paths.private(paths.log_dir()) if file else None
    if folder is not None:
        try:
            rotating = logging.handlers.RotatingFileHandler(
                folder / "graft.log", maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True
            )
        except OSError as error:
            root.warning("no log file: %s", error)
        else:
            rotating.setFormatter(logging.Formatter(f"%(process)d {_FORMAT}"))
            root.addHandler(rotating)
    set_level(level)


def set_level(level: str) -> None:
    """Change the level later, when the client's settings are known."""
    number = _LEVELS.get(level, logging.INFO)
    logging.getLogger().setLevel(number)
    protocol = number == logging.DEBUG and os.environ.get("GRAFT_LOG_PROTOCOL") == "1"
    noisy = logging.DEBUG if protocol else logging.WARNING
    for name in ("pygls", "asyncio"):
        logging.getLogger(name).setLevel(noisy)
