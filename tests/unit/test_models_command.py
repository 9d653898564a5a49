"""`graft models`: list, recommend, pull, verify, use."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_server.cli import main
from graft_server.commands.models import with_model_path
from graft_server.errors import UserError
from graft_testing import faulty_http
from graft_testing.tiny_gguf import write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GRAFT_CONFIG", str(tmp_path / "config.toml"))
    models = tmp_path / "data/models"
    models.mkdir(parents=True)
    write(models / "tiny.gguf")
    (models / "half.gguf").write_bytes((models / "tiny.gguf").read_bytes()[:5000])
    return tmp_path


def test_list_says_what_is_there_and_what_is_broken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = {Path(m["path"]).name: m for m in json.loads(capsys.readouterr().out)["models"]}
    assert rows["tiny.gguf"]["architecture"] == "qwen2" and not rows["tiny.gguf"]["error"]
    assert "is cut off" in rows["half.gguf"]["error"]


def test_verify_refuses_what_cannot_fill(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "tiny"]) == 1
    assert "too weak" in capsys.readouterr().out
    assert main(["models", "verify", "half"]) == 2
    assert "is cut off" in capsys.readouterr().err
    assert main(["models", "verify", "nothing"]) == 2
    assert "there are: " in capsys.readouterr().err
    assert main(["models", "use", "qwen2.5-coder-0.5b"]) == 2
    assert "graft models pull qwen2.5-coder-0.5b" in capsys.readouterr().err


def test_use_writes_the_setting_and_keeps_the_rest(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = home / "config.toml"
    config.write_text("# mine\n[model]\nthreads = 3 # why\n[log]\nlevel = 'debug'\n")
    assert main(["models", "use", "tiny"]) == 0
    text = config.read_text()
    assert tomllib.loads(text) == {
        "model": {"path": str(home / "data/models/tiny.gguf"), "threads": 3},
        "log": {"level": "debug"},
    }
    assert "# mine" in text and "# why" in text
    assert main(["models", "use", "embedded"]) == 0
    assert tomllib.loads(config.read_text())["model"]["path"] == ""
    assert main(["models", "use", "half"]) == 2
    capsys.readouterr()


tables = st.sampled_from(["", "[model]\n", "[model]\nthreads = 1\n", "[model]\npath = 'x'\n", "[x]\ny = 1\n"])
tails = st.sampled_from(["", "\n[log]\nlevel = 'info'\n"])


@given(tables, tails, st.text(max_size=20))
def test_the_settings_file_stays_toml(first: str, second: str, path: str) -> None:
    before = tomllib.loads(first + second)
    after = tomllib.loads(with_model_path(first + second, path))
    assert after["model"]["path"] == path
    del after["model"]["path"]
    before.get("model", {}).pop("path", None)
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}


def test_a_broken_settings_file_is_not_touched() -> None:
    with pytest.raises(UserError, match="not valid TOML"):
        with_model_path("[model\n", "x")


def pulled(*arguments: str) -> int:
    return main(["models", "pull", *arguments])


def test_pull_shows_the_terms_asks_and_says_what_was_verified(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (home / "data/models/tiny.gguf").read_bytes()
    with faulty_http.serving(content) as server:
        assert pulled(server.address + "/new.gguf") == 2
        said = capsys.readouterr().err
        assert "licence  not known" in said and "cannot be verified" in said and "say --yes" in said
        assert not server.seen
        assert pulled(server.address + "/new.gguf", "--yes", "--use") == 0
        out = capsys.readouterr().out
        assert "not verified" in out and hashlib.sha256(content).hexdigest() in out
        assert tomllib.loads((home / "config.toml").read_text())["model"]["path"].endswith("new.gguf")
        digest = hashlib.sha256(content).hexdigest()
        assert pulled(server.address + "/b.gguf", "--yes", "--sha256", digest, "--json") == 0
        assert json.loads(capsys.readouterr().out)["verified"] is True
    assert main(["models", "list", "--json"]) == 0
    rows = {Path(m["path"]).name: m for m in json.loads(capsys.readouterr().out)["models"]}
    assert rows["b.gguf"]["verified"] and not rows["new.gguf"]["verified"] and rows["new.gguf"]["in_use"]


def test_a_known_model_comes_through_a_mirror_and_must_be_the_known_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (home / "data/models/tiny.gguf").read_bytes()
    with faulty_http.serving(content) as server:
        assert pulled("qwen2.5-coder-0.5b", "--yes", "--mirror", server.address + "/hub") == 2
        assert "expected d0f8cd6c" in capsys.readouterr().err
        assert server.seen[0].target.startswith("/hub/ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF/resolve/main/")
    assert not (home / "data/models/qwen2.5-coder-0.5b-q8_0.gguf").exists()


def test_a_restricting_licence_must_be_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(home / "data/models/tiny.gguf")
    arguments = ["qwen2.5-coder-3b", "--from", source]
    assert pulled(*arguments, "--yes") == 2
    said = capsys.readouterr().err
    assert "NOT for commercial use" in said and "--accept-licence 'Qwen Research License'" in said
    assert pulled(*arguments, "--accept-licence", "MIT") == 2
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    assert pulled(*arguments) == 2
    assert "nothing was fetched" in capsys.readouterr().err
    assert pulled(*arguments, "--accept-licence", "qwen research license") == 0
    assert (home / "data/models/qwen2.5-coder-3b-q8_0.gguf").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "no known model, address or file"),
        (["starcoder2-3b", "--yes"], "no address of starcoder2-3b is known"),
        (["https://h/x", "--sha256", "12"], "64 hexadecimal digits"),
        (["https://h/%2e%2e", "--yes", "--sha256", "0" * 64], "no file name"),
        (["https://no-such-host.invalid/x", "--yes"], "no-such-host.invalid is not found; without a network"),
        (["https://h/x", "--yes", "--mirror", "h"], "a mirror is an address"),
        (["qwen2.5-coder-0.5b", "--sha256", "0" * 64], "not the catalogue's digest"),
    ],
)
def test_bad_input_is_one_line(home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert pulled(*arguments) == 2
    assert says in capsys.readouterr().err


def test_ctrl_c_says_how_far_it_came(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        (home / "data/models/x.gguf.part").write_bytes(b"GGUF" + bytes(2_000_000))
        raise KeyboardInterrupt

    monkeypatch.setattr("graft_server.fetching.pull", interrupted)
    assert pulled("https://models.example/x.gguf", "--yes") == 130
    assert "stopped with 2.0 MB fetched; the same command goes on" in capsys.readouterr().err


def test_only_pull_opens_connections(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refused(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    for arguments in (
        ["list"],
        ["list", "--known", "--json"],
        ["recommend", "--no-calibrate", "--json"],
        ["verify", "tiny"],
        ["use", "tiny"],
        ["pull", "qwen2.5-coder-0.5b"],
    ):
        main(["models", *arguments])
    capsys.readouterr()


def test_verify_notices_a_changed_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pulled(str(home / "data/models/tiny.gguf"), "--name", "copy", "--yes") == 0
    copy = home / "data/models/copy.gguf"
    copy.write_bytes(copy.read_bytes()[:-4] + b"abcd")
    assert main(["models", "verify", "copy"]) == 2
    assert "has changed since it was pulled" in capsys.readouterr().err


def test_recommend_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "recommend", "--no-calibrate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {m["id"] for m in found["models"]} >= {"qwen2.5-coder-0.5b"} and found["machine"]["cores"] >= 1
    assert main(["models", "recommend", "--no-calibrate"]) == 0
    assert "GB of memory" in capsys.readouterr().out
