"""What the tests against peers share."""

import os
from pathlib import Path

import pytest

from graft_testing import parts


@pytest.fixture(scope="session")
def llama() -> Path:
    """Folder of llama.cpp's programs.  If it is missing, tests are skipped outside CI and fail in it."""
    server = parts.program("llama", "llama-server")
    if server is None:
        message = "llama-server is not there: run tests/peers/setup_llama.py"
        if os.environ.get("CI"):
            raise FileNotFoundError(message)
        pytest.skip(message)
    return server.parent


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """The model that comes with Graft."""
    (path,) = (Path(__file__).parents[2] / "models/graft_models/weights").glob("*.gguf")
    return path
