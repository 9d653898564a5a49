"""`graft bench model` says in one line what is missing."""

import argparse
from pathlib import Path

import pytest

from graft_server.benches import model
from graft_server.errors import UserError


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    model.add_arguments(parser)
    return parser.parse_args(arguments)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.gguf; name one with --model"):
        model.run(parsed("--packages", str(tmp_path), "--model", str(tmp_path / "nothing.gguf")))


def test_a_package_that_is_no_folder_is_named(tmp_path: Path) -> None:
    gguf = tmp_path / "a.gguf"
    gguf.write_bytes(b"")
    with pytest.raises(UserError, match="is no folder"):
        model.run(parsed("--packages", str(tmp_path / "absent"), "--model", str(gguf)))
