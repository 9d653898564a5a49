"""Where Graft keeps things: cache, data, log and settings of the user, by platformdirs, mode 0700."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_APP = "graft"


def _folder(env: str, default: Path) -> Path:
    override = os.environ.get(env)
    return Path(override) if override else default


def cache_dir() -> Path:
    """Index and KV snapshots; may be deleted at any time.  `GRAFT_CACHE_DIR` overrides."""
    return _folder("GRAFT_CACHE_DIR", platformdirs.user_cache_path(_APP, appauthor=False))


def data_dir() -> Path:
    """Models and statistics.  `GRAFT_DATA_DIR` overrides."""
    return _folder("GRAFT_DATA_DIR", platformdirs.user_data_path(_APP, appauthor=False))


def log_dir() -> Path:
    """Rotating log files.  `GRAFT_LOG_DIR` overrides."""
    return _folder("GRAFT_LOG_DIR", platformdirs.user_log_path(_APP, appauthor=False))


def config_file() -> Path:
    """The user's settings.  `GRAFT_CONFIG` overrides."""
    return _folder("GRAFT_CONFIG", platformdirs.user_config_path(_APP, appauthor=False) / "config.toml")


def private(path: Path) -> Path | None:
    """`path` as an existing folder that only the user can read; None if it cannot be made (a read-only home)."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK) else None


def index_dir() -> Path:
    """SQLite indexes, one file per workspace and schema version."""
    return cache_dir() / "index"


def kv_dir() -> Path:
    """KV snapshots; they hold source text: files 0600."""
    return cache_dir() / "kv"


def models_dir() -> Path:
    """Models that were pulled."""
    return data_dir() / "models"
