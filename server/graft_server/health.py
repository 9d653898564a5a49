"""What `graft doctor` looks at: one finding per part, each with a stable code that scripts can rely on."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graft_models.engine import Done, Engine, ModelInfo, Status
from graft_models.hardware import Hardware, probe
from graft_models.machine import memory
from graft_server import paths
from graft_server.settings import Settings

PORTABLE = (
    "pip install --no-index --find-links DIST 'graft-ls[llama]' with a release's portable wheel (docs/install.md), "
    "or pip install 'graft-ls[llama]' where g++ is at hand"
)
LARGEST_CHECKED = 200_000_000
"""Bytes; larger indexes are only opened, not read through."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `advice` says what to do, empty if nothing; `code` names the state, empty if all is well.

    `error` means that something which was installed or configured does not work; `warning` that Graft does without.
    """

    name: str
    state: Literal["ok", "warning", "error"]
    detail: str
    advice: str = ""
    code: str = ""


def python_parts() -> Iterator[Finding]:
    """The interpreter and the parser."""
    import importlib.metadata as metadata

    from graft_indexer.syntax import parse
    from graft_server import __version__

    yield Finding("graft", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    started = time.perf_counter()
    parse(b"def f(x):\n    return x\n")
    took = (time.perf_counter() - started) * 1000
    grammar = metadata.version("tree-sitter-python")
    version = metadata.version("tree-sitter")
    yield Finding("parser", "ok", f"tree-sitter {version}, Python grammar {grammar}, {took:.1f} ms")


def native_parts(hardware: Hardware | None = None) -> Iterator[Finding]:
    """llama.cpp, the accelerators it finds, and memory.  `hardware` stands in for asking llama.cpp, in tests."""
    import importlib.metadata as metadata

    found = hardware if hardware is not None else probe()
    try:
        version = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        version = "?"
    if found.state == "ok":
        build = f"portable build, CPU library {found.variant}" if found.variant else "built for one processor"
        yield Finding("llama.cpp", "ok", f"llama-cpp-python {version}, {build}")
    elif found.state == "absent":
        graph = "not installed: suggestions come from the symbol graph alone"
        yield Finding("llama.cpp", "warning", graph, PORTABLE, "llama-absent")
    elif found.state == "illegal-instruction":
        advice = f"pip uninstall llama-cpp-python, then {PORTABLE}"
        yield Finding("llama.cpp", "error", found.message, advice, "llama-illegal-instruction")
    else:
        yield Finding("llama.cpp", "error", found.message, PORTABLE, f"llama-{found.state}")
    for device in found.devices:
        free = f", {device.free / 1e9:.1f} of {device.total / 1e9:.1f} GB free" if device.total else ""
        yield Finding("gpu", "ok", f"{device.description or device.name}{free}")
    if found.state == "ok" and not found.devices:
        why = "no device found" if found.offload else "this llama.cpp is built for the CPU only"
        yield Finding("gpu", "ok", f"none used: {why}")
    total, available = memory()
    if total:
        said = f"{available / 1e9:.1f} of {total / 1e9:.1f} GB available"
        if available < 1_000_000_000:
            yield Finding("memory", "warning", said, "close something, or use a smaller model", "memory-short")
        else:
            yield Finding("memory", "ok", said)


def tools() -> Iterator[Finding]:
    """Programs of the system that Graft uses where they are."""
    git = shutil.which("git")
    if git is None:
        walking = "not found: files are listed by walking folders, which is slower"
        yield Finding("git", "warning", walking, "install git", "git-absent")
    else:
        version = subprocess.run([git, "--version"], capture_output=True, text=True, timeout=10, check=False)
        yield Finding("git", "ok", version.stdout.strip() or git)
    copy = "`graft repair` works on a copy instead"
    if sys.platform != "linux":
        yield Finding("sandbox", "warning", f"no sandbox on {sys.platform}: {copy}", code="sandbox-absent")
        return
    unshare = shutil.which("unshare")
    allowed = unshare is not None and (
        subprocess.run([unshare, "-rn", "true"], capture_output=True, timeout=10, check=False).returncode == 0
    )
    if allowed:
        yield Finding("sandbox", "ok", "user namespaces are permitted")
    else:
        yield Finding("sandbox", "warning", f"user namespaces are not permitted: {copy}", code="sandbox-absent")


def folders() -> Iterator[Finding]:
    """Where things are kept, and whether they can be."""
    for name, folder in (("index", paths.index_dir()), ("models", paths.models_dir()), ("logs", paths.log_dir())):
        if paths.private(folder) is None:
            advice = "check the folder's permissions"
            yield Finding(
                name, "warning", f"{folder} cannot be written: kept in memory only", advice, f"{name}-read-only"
            )
        else:
            size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
            yield Finding(name, "ok", f"{folder} ({size / 1e6:.1f} MB)")


def workspace_index(root: Path) -> Finding:
    """The index of the folder that the command was started in."""
    from graft_indexer.store import database_path

    path = database_path(paths.index_dir(), root)
    if not path.is_file():
        advice = "an editor builds it when it opens the folder; `graft index` does so now"
        return Finding("workspace", "ok", f"{root} is not indexed yet", advice, "index-absent")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as database:
            check = "quick_check(1)" if path.stat().st_size < LARGEST_CHECKED else "schema_version"
            said = database.execute(f"PRAGMA {check}").fetchone()
        if check == "quick_check(1)" and said != ("ok",):
            raise sqlite3.DatabaseError(str(said[0]) if said else "no answer")
    except sqlite3.OperationalError as error:
        return Finding("workspace", "warning", f"{path}: {error}", "another Graft may be writing it", "index-busy")
    except sqlite3.DatabaseError as error:
        advice = "nothing: it is built anew when it is next opened"
        return Finding("workspace", "warning", f"{path} is damaged: {error}", advice, "index-damaged")
    return Finding("workspace", "ok", f"{root} is indexed ({path.stat().st_size / 1e6:.1f} MB)")


def settings_said() -> Iterator[Finding]:
    """What is wrong with the user's settings, seen from the current folder."""
    from graft_server.settings import load

    _, messages = load(Path.cwd(), paths.config_file())
    if not messages:
        yield Finding("settings", "ok", str(paths.config_file()) if paths.config_file().is_file() else "defaults")
    for message in messages:
        yield Finding("settings", "warning", message, code="settings-ignored")


async def model_parts(settings: Settings) -> tuple[list[Finding], dict[str, float]]:
    """Load the model, complete one hole, and measure it.  Figures: tokens/s of prompt and generation, milliseconds."""
    from graft_server.engines import choose

    engine, status = choose(settings)
    if engine is None:
        return [_without_engine(settings, status)], {}
    started = time.perf_counter()
    try:
        status = await engine.start()
        loading = (time.perf_counter() - started) * 1000
        if status.state != "ready" or status.model is None:
            return [_failed(settings, status)], {}
        findings = _model_findings(settings, status, status.model)
        done = await _one_answer(engine)
        if done is None or done.error:
            error = done.error if done else "no answer"
            return [*findings, Finding("answer", "error", error, code="model-silent")], {}
        findings.append(Finding("answer", "ok", repr("".join(done.texts[:1]).strip()[:60])))
        usage = done.usage
        figures = {"load_ms": loading}
        if usage.evaluated and usage.prompt_ms:
            figures["prompt_tokens_per_second"] = 1000 * usage.evaluated / usage.prompt_ms
        if usage.generated and usage.generate_ms:
            figures["generated_tokens_per_second"] = 1000 * usage.generated / usage.generate_ms
        return findings, figures
    finally:
        await engine.close()


def _without_engine(settings: Settings, status: Status) -> Finding:
    if not settings.model_enable:
        return Finding("model", "ok", status.message, "graft.model.enable = true switches it on", "model-off")
    if "not found" in status.message:
        advice = "`graft models list` shows those on this machine, `graft models use` takes one"
        return Finding("model", "error", status.message, advice, "model-missing")
    if "not installed" in status.message:
        return Finding("model", "warning", status.message, PORTABLE, "graph-only")
    return Finding("model", "warning", status.message, "`graft models pull` fetches one", "graph-only")


def _failed(settings: Settings, status: Status) -> Finding:
    message = status.message or f"the engine is {status.state}"
    if settings.model_remote:
        code = "remote-key" if "chmod 600" in message or "GRAFT_REMOTE_KEY" in message else "remote-down"
        advice = "start the server, or correct graft.model.remote (docs/remote.md); the graph answers meanwhile"
        return Finding("model", "error", message, advice, code)
    if "memory" in message:
        advice = "`graft models recommend` shows what fits; graft.model.memoryMegabytes is the ceiling"
        return Finding("model", "error", message, advice, "model-too-big")
    advice = "`graft models use embedded` takes the one that comes with Graft" if settings.model_path else PORTABLE
    return Finding("model", "error", message, advice, "model-unusable")


def _model_findings(settings: Settings, status: Status, info: ModelInfo) -> list[Finding]:
    from graft_models.prompt import LAYOUT_VERSION

    if settings.model_remote:
        detail = f"{info.name} at {info.path} ({info.device}), {info.context_length} tokens, format {info.format}"
        return [Finding("model", "ok", f"{detail}; {status.message}")]
    size = f"{info.parameters / 1e6:.1f} million parameters" if info.parameters else "unknown size"
    what = f"{info.name or Path(info.path).name}, {size}, {info.quantization}, {info.size_bytes / 1e6:.1f} MB"
    licence = info.licence or "not said"
    out = [Finding("model", "ok", f"{what}, licence {licence}, on {info.device}, format {info.format}")]
    if status.message:
        out.append(Finding("model", "warning", status.message, code="model-note"))
    if info.prompt_version not in (None, LAYOUT_VERSION):
        mismatch = (
            f"the model was trained on prompt layout {info.prompt_version}, this Graft writes {LAYOUT_VERSION}: "
            "suggestions will be poor"
        )
        out.append(Finding("prompt", "warning", mismatch, "update the model or Graft", "prompt-mismatch"))
    return out


async def _one_answer(engine: Engine) -> Done | None:
    """Fill a hole in a file that exists nowhere."""
    from graft_models.engine import Request
    from graft_models.prompt import Hole

    lines = "".join(f"    total_{n} = add(total_{n}, value_{n})\n" for n in range(24))
    before = f"def add(a, b):\n    return a + b\n\n\ndef run():\n{lines}"
    done: Done | None = None
    hole = Hole("doctor.py", before, "    return total_0\n", "    ")
    async for event in engine.complete(Request(1, hole, max_tokens=16, document="doctor")):
        if isinstance(event, Done):
            done = event
    return done
