"""`graft doctor --json` in each state: what is said, its code, and the exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graft_models.hardware import Hardware
from graft_models.machine import Device
from graft_server import health
from graft_server.cli import main
from graft_testing import faulty_http, tiny_gguf

Report = dict[str, Any]
GB = 1_000_000_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CACHE", "DATA", "LOG"):
        monkeypatch.setenv(f"GRAFT_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("GRAFT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("GRAFT_REMOTE_KEY", raising=False)
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(health, "probe", lambda: Hardware("ok", features="CPU"))
    return tmp_path


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Report, dict[str, Report]]:
    """(exit status, the report, its checks by code; those without a code by name)."""
    status = main(["doctor", "--json", *arguments])
    report = json.loads(capsys.readouterr().out)
    assert all(set(c) == {"name", "state", "detail", "advice", "code"} for c in report["checks"])
    assert all("\n" not in c["detail"] + c["advice"] for c in report["checks"])
    assert status == (0 if report["ok"] else 1)
    assert report["ok"] == all(c["state"] != "error" for c in report["checks"])
    return status, report, {c["code"] or c["name"]: c for c in report["checks"]}


def settle(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text)


def test_all_is_well(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, report, checks = doctor(capsys)
    assert status == 0 and checks["model"]["state"] == "ok"
    assert {"load_ms", "prompt_tokens_per_second", "generated_tokens_per_second"} == set(report["figures"])
    assert checks["index-absent"]["state"] == "ok" and "graft index" in checks["index-absent"]["advice"]


def test_without_llama_cpp(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "probe", lambda: Hardware("absent", "llama-cpp-python is not installed"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, _, checks = doctor(capsys)
    assert status == 0 and checks["llama-absent"]["state"] == checks["graph-only"]["state"] == "warning"
    assert "portable wheel" in checks["llama-absent"]["advice"] and "graph" in checks["graph-only"]["detail"]


@pytest.mark.parametrize("state", ["illegal-instruction", "crashed", "unloadable", "silent"])
def test_a_llama_cpp_that_does_not_run(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(health, "probe", lambda: Hardware(state, "it does not run"))  # type: ignore[arg-type]
    status, _, checks = doctor(capsys, "--no-model")
    assert status == 1 and checks[f"llama-{state}"]["state"] == "error" and checks[f"llama-{state}"]["advice"]


def test_a_process_killed_by_an_illegal_instruction_is_told_from_others(home: Path, tmp_path: Path) -> None:
    """The real thing: a `llama_cpp` that dies of SIGILL when it is imported, in a process of its own."""
    fake = tmp_path / "fake/llama_cpp"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "llama_cpp.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    here = [str(Path(p).absolute()) for p in sys.path if p and Path(p).name in ("indexer", "models", "server")]
    done = subprocess.run(
        [sys.executable, "-m", "graft_server.cli", "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(fake.parent), *here])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    report = json.loads(done.stdout)
    codes = {c["code"] for c in report["checks"]}
    assert done.returncode == 1 and "llama-illegal-instruction" in codes and "model-unusable" in codes
    (model,) = (c for c in report["checks"] if c["code"] == "model-unusable")
    assert "illegal instruction" in model["detail"]


def test_gpus_and_portable_builds_are_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Device("CUDA0", "Some GPU", "gpu", 24 * GB, 20 * GB)
    monkeypatch.setattr(health, "probe", lambda: Hardware("ok", "", "zen4", "CPU", True, (card,)))
    _, _, checks = doctor(capsys, "--no-model")
    assert checks["gpu"]["detail"] == "Some GPU, 20.0 of 24.0 GB free"
    assert "portable build, CPU library zen4" in checks["llama.cpp"]["detail"]


def test_model_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = tiny_gguf.write(home / "tiny.gguf")
    settle(home, f'[model]\npath = "{tiny}"\n')
    assert doctor(capsys)[2]["model"]["state"] == "ok"
    tiny.write_bytes(tiny.read_bytes()[:3000])
    status, _, checks = doctor(capsys)
    assert status == 1 and "is cut off" in checks["model-unusable"]["detail"]
    assert "graft models use embedded" in checks["model-unusable"]["advice"]
    tiny.unlink()
    status, _, checks = doctor(capsys)
    assert status == 1 and "not found" in checks["model-missing"]["detail"]


def test_a_model_above_the_ceiling(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settle(home, "[model]\nmemoryMegabytes = 100\n")
    status, _, checks = doctor(capsys)
    assert status == 1 and "graft.model.memoryMegabytes allows 100 MB" in checks["model-too-big"]["detail"]


def test_a_fall_back_to_the_cpu_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settle(home, '[model]\ndevice = "gpu"\n')
    status, _, checks = doctor(capsys)
    assert status == 0 and "running on the CPU" in checks["model-note"]["detail"]


def test_switched_off(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settle(home, "[model]\nenable = false\n")
    status, _, checks = doctor(capsys)
    assert status == 0 and checks["model-off"]["state"] == "ok"


def test_remote_servers(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settle(home, '[model]\nremote = "http://127.0.0.1:1"\n')
    status, _, checks = doctor(capsys)
    assert status == 1 and "nothing listens there" in checks["remote-down"]["detail"]
    assert "docs/remote.md" in checks["remote-down"]["advice"]
    settle(home, '[model]\nremote = "http://gpu.example:8080"\n')
    assert "unencrypted" in doctor(capsys)[2]["remote-down"]["detail"]
    key = home / "remote.key"
    key.write_text("secret")
    key.chmod(0o644)
    settle(home, '[model]\nremote = "http://127.0.0.1:1"\n')
    assert "chmod 600" in doctor(capsys)[2]["remote-key"]["detail"]
    key.unlink()
    with faulty_http.serving(b"", faulty_http.status(401)) as server:
        settle(home, f'[model]\nremote = "{server.address}"\n')
        assert "status 401" in doctor(capsys)[2]["remote-key"]["detail"]


def test_the_index_of_this_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "project/a.py").write_text("x = 1\n")
    assert main(["index", "."]) == 0
    capsys.readouterr()
    _, _, checks = doctor(capsys, "--no-model")
    assert "is indexed" in checks["workspace"]["detail"]
    (database,) = (home / "cache/index").glob("*.sqlite")
    database.write_bytes(b"this is no database" * 500)
    status, _, checks = doctor(capsys, "--no-model")
    assert status == 0 and checks["index-damaged"]["state"] == "warning"
    assert "built anew" in checks["index-damaged"]["advice"]


def test_folders_that_cannot_be_written(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "blocked").write_text("")
    monkeypatch.setenv("GRAFT_CACHE_DIR", str(home / "blocked"))
    status, _, checks = doctor(capsys, "--no-model")
    assert status == 0 and "kept in memory only" in checks["index-read-only"]["detail"]


def test_settings_that_are_ignored(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settle(home, "[model\n")
    assert doctor(capsys, "--no-model")[2]["settings-ignored"]["state"] == "warning"


def test_tools_that_are_missing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(home))
    _, _, checks = doctor(capsys, "--no-model")
    assert {"git-absent", "sandbox-absent"} <= set(checks)


def test_little_memory(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "memory", lambda: (8 * GB, GB // 2))
    assert doctor(capsys, "--no-model")[2]["memory-short"]["state"] == "warning"


def test_for_people(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--no-model"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ok      graft: ") and "        -> an editor builds it" in out


def test_every_code_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/install.md").read_text("utf-8")
    source = Path(health.__file__).read_text("utf-8")
    import re

    codes = set(
        re.findall(r'"((?:llama|model|remote|index|git|sandbox|memory|settings|prompt|graph)-[a-z-]+)"', source)
    )
    codes -= {"llama-cpp-python", "tree-sitter-python"}
    assert codes and not {c for c in codes if f"`{c}`" not in page}
