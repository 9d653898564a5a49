"""For all tests: nothing of the user's own folders is read or written."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Cache, data, logs and settings lie in a temporary folder, also for processes that tests start."""
    folder = tmp_path_factory.mktemp("graft")
    wanted = {
        "GRAFT_CACHE_DIR": folder / "cache",
        "GRAFT_DATA_DIR": folder / "data",
        "GRAFT_LOG_DIR": folder / "log",
        "GRAFT_CONFIG": folder / "config.toml",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: str(path) for name, path in wanted.items()})
    yield folder
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
