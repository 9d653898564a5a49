"""`graft doctor`: what is installed, which device, how fast, and what to do about what is missing.

JSON: `{"ok", "checks": [{"name", "state", "detail", "advice"}], "figures": {...}}`; state is ok, warning or error.
Exit status 0 unless a check is an error (1).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `advice` says what to do, empty if nothing."""

    name: str
    state: Literal["ok", "warning", "error"]
    detail: str
    advice: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--json, --no-model."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-model", action="store_true", help="do not load the model")


def run(args: argparse.Namespace) -> int:
    """Look at everything; 1 if something is broken."""
    findings = [*python_parts(), *tools(), *folders(), *settings_said()]
    figures: dict[str, float] = {}
    if not args.no_model:
        model, figures = asyncio.run(model_parts())
        findings += model
    broken = any(f.state == "error" for f in findings)
    if args.json:
        print(json.dumps({"ok": not broken, "checks": [asdict(f) for f in findings], "figures": figures}, indent=1))
        return int(broken)
    marks = {"ok": "ok     ", "warning": "WARNING", "error": "ERROR  "}
    for finding in findings:
        print(f"{marks[finding.state]} {finding.name}: {finding.detail}")
        if finding.advice:
            print(f"        -> {finding.advice}")
    for name, value in figures.items():
        print(f"        {name}: {value:.1f}")
    return int(broken)


def python_parts() -> Iterator[Finding]:
    """The interpreter, the parser, llama.cpp's binding."""
    import importlib.metadata as metadata

    from graft_server import __version__

    yield Finding("graft", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    from graft_indexer.syntax import parse

    started = time.perf_counter()
    parse(b"def f(x):\n    return x\n")
    took = (time.perf_counter() - started) * 1000
    version = metadata.version("tree-sitter")
    yield Finding(
        "parser", "ok", f"tree-sitter {version}, Python grammar {metadata.version('tree-sitter-python')}, {took:.1f} ms"
    )
    try:
        yield Finding("llama.cpp", "ok", f"llama-cpp-python {metadata.version('llama-cpp-python')}")
    except metadata.PackageNotFoundError:
        yield Finding(
            "llama.cpp",
            "warning",
            "not installed: suggestions come from the symbol graph alone",
            "pip install 'graft-ls[llama]' (compiles llama.cpp: needs g++ and some minutes)",
        )


def tools() -> Iterator[Finding]:
    """Programs of the system that Graft uses where they are."""
    git = shutil.which("git")
    if git is None:
        yield Finding(
            "git", "warning", "not found: files are listed by walking folders, which is slower", "install git"
        )
    else:
        version = subprocess.run([git, "--version"], capture_output=True, text=True, timeout=10, check=False)
        yield Finding("git", "ok", version.stdout.strip() or git)
    if sys.platform == "linux":
        unshare = shutil.which("unshare")
        allowed = unshare is not None and (
            subprocess.run([unshare, "-rn", "true"], capture_output=True, timeout=10, check=False).returncode == 0
        )
        if allowed:
            yield Finding("sandbox", "ok", "user namespaces are permitted")
        else:
            yield Finding(
                "sandbox", "warning", "user namespaces are not permitted: `graft repair` works on a copy instead"
            )
    else:
        yield Finding("sandbox", "warning", f"no sandbox on {sys.platform}: `graft repair` works on a copy")


def folders() -> Iterator[Finding]:
    """Where things are kept, and whether they can be."""
    from graft_server import paths

    for name, folder in (("index", paths.index_dir()), ("models", paths.models_dir()), ("logs", paths.log_dir())):
        if paths.private(folder) is None:
            yield Finding(
                name, "warning", f"{folder} cannot be written: kept in memory only", "check the folder's permissions"
            )
        else:
            size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
            yield Finding(name, "ok", f"{folder} ({size / 1e6:.1f} MB)")


def settings_said() -> Iterator[Finding]:
    """What is wrong with the user's settings, seen from the current folder."""
    from graft_server import paths
    from graft_server.settings import load

    _, messages = load(Path.cwd(), paths.config_file())
    if not messages:
        yield Finding("settings", "ok", str(paths.config_file()) if paths.config_file().is_file() else "defaults")
    for message in messages:
        yield Finding("settings", "warning", message)


async def model_parts() -> tuple[list[Finding], dict[str, float]]:
    """Load the model, complete one hole, and measure it.  Figures: tokens/s of prompt and generation, milliseconds."""
    from graft_models.engine import Done, Request
    from graft_models.prompt import LAYOUT_VERSION, Hole
    from graft_server import paths
    from graft_server.engines import choose
    from graft_server.settings import load

    settings, _ = load(Path.cwd(), paths.config_file())
    engine, status = choose(settings)
    if engine is None:
        return [Finding("model", "warning", status.message)], {}
    started = time.perf_counter()
    try:
        status = await engine.start()
        loading = (time.perf_counter() - started) * 1000
        info = status.model
        if status.state != "ready" or info is None:
            advice = "unset graft.model.path to use the model that comes with Graft" if settings.model_path else ""
            return [Finding("model", "error", status.message or f"the engine is {status.state}", advice)], {}
        size = f"{info.parameters / 1e6:.1f} million parameters" if info.parameters else "unknown size"
        what = f"{info.name or Path(info.path).name}, {size}, {info.quantization}, {info.size_bytes / 1e6:.1f} MB"
        findings = [
            Finding(
                "model", "ok", f"{what}, licence {info.licence or 'not said'}, on {info.device}, format {info.format}"
            )
        ]
        if status.message:
            findings.append(Finding("model", "warning", status.message))
        if info.prompt_version not in (None, LAYOUT_VERSION):
            findings.append(
                Finding(
                    "prompt",
                    "warning",
                    f"the model was trained on prompt layout {info.prompt_version}, "
                    f"this Graft writes {LAYOUT_VERSION}: suggestions will be poor",
                    "update the model or Graft",
                )
            )
        lines = "".join(f"    total_{n} = add(total_{n}, value_{n})\n" for n in range(24))
        hole = Hole(
            "doctor.py", f"def add(a, b):\n    return a + b\n\n\ndef run():\n{lines}", "    return total_0\n", "    "
        )
        done: Done | None = None
        async for event in engine.complete(Request(1, hole, max_tokens=16, document="doctor")):
            if isinstance(event, Done):
                done = event
        if done is None or done.error:
            findings.append(Finding("answer", "error", done.error if done else "no answer"))
            return findings, {}
        usage = done.usage
        findings.append(Finding("answer", "ok", repr("".join(done.texts[:1]).strip()[:60])))
        figures = {
            "load_ms": loading,
            "prompt_tokens_per_second": 1000 * usage.evaluated / max(usage.prompt_ms, 0.001),
            "generated_tokens_per_second": 1000 * usage.generated / max(usage.generate_ms, 0.001),
        }
        return findings, figures
    finally:
        await engine.close()
