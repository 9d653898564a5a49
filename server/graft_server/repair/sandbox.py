"""The sandbox that test commands run in, seen from outside: start it, send jobs, end it.

Linux with user namespaces: `unshare` gives a user, mount, pid, network and IPC namespace; `inside.py` is process 1 of
it and mounts the workspace copy-on-write over its own path, so editable installs test the patch and the tree on the
disk cannot be written.  Ending the `unshare` process ends every process in it (`--kill-child`, and a pid namespace
dies with its first process).  Elsewhere: a copy of the workspace (reflinked where the file system can; never hard
links, through which a test could write the original), without protection of anything else.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Mode = Literal["overlay", "copy"]

HERE = Path(__file__).parent
SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE|(^|_)AUTH|COOKIE|ACCESS_KEY|_KEY$|_DSN$|_PAT$|"
    r"^(AWS|AZURE|GCP|GOOGLE|GH|GITHUB|GITLAB|CI_JOB|SSH|GPG|DOCKER|KUBE|VAULT|NPM|PYPI|TWINE|HF|OPENAI|ANTHROPIC)_",
    re.IGNORECASE,
)
URL_WITH_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
SKIP_PARTS = ("/site-packages/", "/dist-packages/", "/.venv/", "/venv/", "/.tox/", "/.nox/", "/node_modules/")
"""Parts of paths below a workspace that are not its own code."""


class SandboxError(Exception):
    """The sandbox could not be built or broke; the message is one line."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run.  Seconds of wall time; bytes of output, of one file, of memory per process; processes."""

    wall: float = 60.0
    output_bytes: int = 64 << 20
    file_bytes: int = 512 << 20
    memory_bytes: int = 4 << 30
    processes: int = 256

    def as_json(self) -> dict[str, float]:
        """For `inside.py`."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run of a command.

    `killed` says which limit ended it (time, output, processes, failed), empty if it ended by itself.  `output` is
    standard output and error together, the middle left out if long.  Times in seconds.
    """

    rc: int
    killed: str
    output: str
    output_bytes: int
    wall: float
    cpu: float
    traces: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TestResult:
    """One candidate's tests through the warm runner: (id, passed, failed or skipped) in the order they ran."""

    __test__ = False

    rc: int
    killed: str
    outcomes: tuple[tuple[str, str], ...]
    wall: float
    cpu: float = 0.0
    """Processor seconds of the fork, 0 if it was stopped."""
    probes: tuple[Any, ...] = ()

    @property
    def passed(self) -> bool:
        """The run ended by itself and nothing failed."""
        return self.rc == 0 and not self.killed


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without names and values that look like secrets, and without Graft's own variables."""
    return {
        name: value
        for name, value in environment.items()
        if not SECRET.search(name) and not URL_WITH_PASSWORD.search(value) and not name.startswith("GRAFT_")
    }


def namespaces_refused() -> str:
    """Why namespaces cannot be used here, in a few words; empty if they can."""
    if sys.platform != "linux":
        return f"{sys.platform} has no namespaces"
    tool = shutil.which("unshare")
    if tool is None:
        return "the program `unshare` (util-linux) is not installed"
    try:
        trial = subprocess.run([*_unshare(tool), "true"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unshare does not answer ({error})"
    if trial.returncode:
        lines = trial.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"unshare ended with status {trial.returncode}"
    return ""


def _unshare(tool: str) -> list[str]:
    return [tool, "--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]


def writable_folders(root: Path) -> list[str]:
    """Folders outside the workspace that tests may write (into a layer that is thrown away): home and temporary ones.

    A folder inside another of the list, or inside the workspace, is covered by that one.
    """
    wanted = [Path(p).resolve() for p in (str(Path.home()), "/tmp", "/var/tmp", tempfile.gettempdir())]
    real = sorted({p for p in wanted if p.is_dir() and p != Path("/") and not p.is_relative_to(root)})
    return [str(p) for p in real if not any(p != q and p.is_relative_to(q) for q in real)]


class Sandbox:
    """One sandbox; takes one job at a time.  Use `async with`, or call `close` when done: it leaves no process."""

    def __init__(self, root: Path, mode: Mode, *, python: str = sys.executable) -> None:
        self.original = root.resolve()
        self.mode: Mode = mode
        self.python = python
        self.folder = Path(tempfile.mkdtemp(prefix="graft-repair-")).resolve()
        self.root = self.original
        self.process: asyncio.subprocess.Process | None = None
        self.hook = self.folder / "hook"
        self.scripts = self.folder / "scripts"
        self.trace_dir = self.folder / "trace"
        self.sealed = False

    async def __aenter__(self) -> Sandbox:
        try:
            await self.start()
        except BaseException:
            # Cancelled or failed while it was being built: nobody else would end what has started.
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Build it.  Raises SandboxError with the reason."""
        if self.folder.is_relative_to(self.original):
            raise SandboxError(f"{self.original} holds the temporary folder; choose a smaller workspace")
        self.hook.mkdir()
        shutil.copyfile(HERE / "tracer.py", self.hook / "sitecustomize.py")
        self.scripts.mkdir()
        for name in ("warm.py", "probe.py"):
            shutil.copyfile(HERE / name, self.scripts / name)
        private = self.folder / "private"
        private.mkdir()
        if self.mode == "copy":
            self.root = self.folder / "copy" / self.original.name
            await asyncio.to_thread(copy_tree, self.original, self.root)
        config = {
            "mode": self.mode,
            "root": str(self.root),
            "original": str(self.original),
            "private": str(private),
            "writable": writable_folders(self.original),
            "disk_bytes": 2 << 30,
            "uid": os.getuid() if hasattr(os, "getuid") else 0,
            "gid": os.getgid() if hasattr(os, "getgid") else 0,
        }
        command = [self.python, "-I", str(HERE / "inside.py")]
        if self.mode == "overlay":
            command = [*_unshare(shutil.which("unshare") or "unshare"), *command]
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the terminal is for us; we end the sandbox
            limit=256 << 20,
        )
        answer = await self._exchange(config)
        if not answer.get("ready"):
            raise SandboxError(str(answer.get("error", "it did not start")))
        self.sealed = bool(answer.get("sealed"))

    async def _exchange(self, value: object) -> dict[str, Any]:
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            raise SandboxError("the sandbox is closed")
        try:
            process.stdin.write(json.dumps(value).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except (OSError, ValueError) as error:
            raise SandboxError(f"the sandbox broke: {error}") from error
        if not line:
            raise SandboxError("the sandbox ended unexpectedly")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def inside(self, path: Path) -> Path:
        """Where a path of the workspace lies for what runs in the sandbox."""
        if self.root == self.original or not path.is_relative_to(self.original):
            return path
        return self.root / path.relative_to(self.original)

    def environment(self) -> dict[str, str]:
        """The environment of the tests: without secrets; in copy mode with the copy's source roots first."""
        env = clean_environment(os.environ)
        env.setdefault("PYTHONHASHSEED", "0")
        if self.mode == "copy":
            roots = [str(self.root / "src")] if (self.root / "src").is_dir() else []
            env["PYTHONPATH"] = os.pathsep.join([*roots, str(self.root), *filter(None, [env.get("PYTHONPATH", "")])])
            env["PWD"] = str(self.root)
        return env

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        files: Mapping[str, bytes] | None = None,
        limits: Limits | None = None,
        trace_seconds: float | None = None,
    ) -> RunResult:
        """Run a command with `files` (relative paths) patched in; `trace_seconds` switches the tracer on.

        Raises SandboxError if the sandbox itself broke.
        """
        env = self.environment()
        job: dict[str, Any] = {"kind": "run", "argv": list(argv), "cwd": str(self.inside(cwd)), "env": env}
        job["files"] = {path: base64.b64encode(data).decode() for path, data in (files or {}).items()}
        job["limits"] = (limits or Limits()).as_json()
        if trace_seconds is not None:
            job["trace_dir"] = str(self.trace_dir)
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(self.hook), env.get("PYTHONPATH", "")]))
            env["PYTEST_PLUGINS"] = ",".join(filter(None, ["_graft_tracer", env.get("PYTEST_PLUGINS", "")]))
            env["GRAFT_TRACE"] = json.dumps(
                {
                    "dir": str(self.trace_dir),
                    "root": str(self.root),
                    "forbidden": str(self.original) if self.mode == "copy" else "",
                    "test_seconds": trace_seconds,
                    "skip": SKIP_PARTS,
                }
            )
        answer = await self._exchange(job)
        return RunResult(
            rc=int(answer["rc"]),
            killed=str(answer["killed"]),
            output=str(answer.get("output", "")),
            output_bytes=int(answer.get("output_bytes", 0)),
            wall=float(answer.get("wall", 0.0)),
            cpu=float(answer.get("cpu", 0.0)),
            traces=list(answer.get("traces", [])),
        )

    async def abort(self) -> None:
        """Give up the command that runs now; its result says that it was killed.  Without one, nothing happens."""
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.write(b'{"kind": "abort"}\n')
                await self.process.stdin.drain()

    async def warm(self, python: str, config: Mapping[str, Any], *, cwd: Path, limits: Limits | None = None) -> str:
        """Start the warm runner in the tests' own interpreter; returns why it does not work, or an empty string."""
        # Copies of the workspace differ from sandbox to sandbox, so paths into the traced one are turned into ours.
        seen, traced = str(config["seen"]), dict(config["env"])
        env = {name: value.replace(seen, str(self.root)) for name, value in traced.items()}
        config = {key: value for key, value in config.items() if key not in ("env", "seen")}
        env["GRAFT_WARM"] = json.dumps(
            {**config, "root": str(self.root), "cwd": str(self.inside(cwd)), "pycache": str(self.folder / "pycache")}
        )
        job = {
            "kind": "warm",
            "argv": [python, str(self.scripts / "warm.py")],
            "cwd": str(self.inside(cwd)),
            "env": env,
            "limits": (limits or Limits()).as_json(),
        }
        answer = await self._exchange(job)
        return "" if answer.get("ready") else str(answer.get("error", "no reason given"))

    async def test(
        self,
        files: Mapping[str, bytes],
        *,
        ids: Sequence[str] | None,
        wall: float,
        cpu: float | None,
        stop_first: bool = True,
        keep_bytecode: bool = False,
        probe: Mapping[str, Any] | None = None,
    ) -> TestResult:
        """One candidate through the warm runner: the tests `ids` in that order, or all; limits in seconds."""
        job: dict[str, Any] = {"kind": "test", "ids": list(ids) if ids is not None else None, "cpu": cpu}
        job["files"] = {path: base64.b64encode(data).decode() for path, data in files.items()}
        job["limits"] = {"wall": wall}
        job["stop_first"] = stop_first
        job["keep_bytecode"] = keep_bytecode
        job["probe"] = probe
        answer = await self._exchange(job)
        outcomes = tuple((str(t["test"]), str(t["outcome"])) for t in answer.get("tests", ()))
        return TestResult(
            rc=int(answer["rc"]),
            killed=str(answer["killed"]),
            outcomes=outcomes,
            wall=float(answer["wall"]),
            cpu=float(answer.get("cpu", 0.0)),
            probes=tuple(answer.get("probes", ())),
        )

    async def close(self) -> None:
        """End every process of the sandbox and delete its folder."""
        process, self.process = self.process, None
        if process is not None:
            if self.mode == "copy" and process.stdin is not None:
                # Without a pid namespace only the first process itself can find those that hid from their group.
                process.stdin.close()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(process.wait(), 6)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a workspace: reflinks where the file system has them (`cp --reflink=auto`), else plain copies."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "linux" and shutil.which("cp"):
        done = subprocess.run(
            ["cp", "-a", "--reflink=auto", "--", str(source), str(target)], capture_output=True, check=False
        )
        if done.returncode == 0:
            return
        shutil.rmtree(target, ignore_errors=True)
    try:
        shutil.copytree(source, target, symlinks=True, ignore_dangling_symlinks=True)
    except (OSError, shutil.Error) as error:
        raise SandboxError(f"{source} cannot be copied: {str(error)[:200]}") from error
