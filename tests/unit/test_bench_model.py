"""`graft bench`: what is missing is said in one line; nothing is lost when the reader of the figures goes."""

import argparse
import json
from pathlib import Path

import pytest

from graft_server.benches import model
from graft_server.commands import bench
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


def test_the_files_are_written_though_nobody_reads_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", gone)
    made = argparse.Namespace(json=tmp_path / "a.json", html=tmp_path / "a.html", bench="model")
    made.bench_run = lambda args: {"lines_percent": 5.0}
    with pytest.raises(BrokenPipeError):
        bench.run(made)
    assert json.loads(made.json.read_text()) == {"lines_percent": 5.0} and "lines_percent" in made.html.read_text()
