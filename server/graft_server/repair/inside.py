"""Process 1 of a sandbox: mounts the workspace copy-on-write, runs jobs in it, ends whatever they leave behind.

Runs as a script in Graft's own interpreter (`python -I inside.py`), started by `sandbox.py`, below `unshare` where
namespaces are permitted.  Only the standard library, nothing of Graft.  Frames are JSON, one per line: the first line
on standard input is the configuration, each further line a job; each job gets one line back on standard output.
The end of standard input ends the sandbox.
"""

# Paths here are arguments of system calls as often as names of files.
# ruff: noqa: PTH103, PTH115

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft_server.repair import boxes
else:
    # Isolated mode keeps this script's folder off the path, and nothing of Graft need be installed here.
    _spec = importlib.util.spec_from_file_location("boxes", Path(__file__).with_name("boxes.py"))
    boxes = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(boxes)

POLL_SECONDS = 0.05
KEEP_OUTPUT = 200_000
"""Bytes of a run's output that are kept: half from its beginning, half from its end."""


class Server:
    """Takes jobs one at a time."""

    def __init__(self, config: dict[str, Any], fd_in: int, fd_out: int) -> None:
        self.config = config
        self.fd_in = fd_in
        self.fd_out = fd_out
        self.buffer = b""
        self.box: boxes.Overlay | boxes.Copy = (
            boxes.Overlay(config) if config["mode"] == "overlay" else boxes.Copy(config)
        )
        self.warm: subprocess.Popen[bytes] | None = None
        self.warm_in = self.warm_out = -1
        self.warm_buffer = b""

    # -- frames ----------------------------------------------------------------------------------------------------
    def reply(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode() + b"\n"
        while data:
            data = data[os.write(self.fd_out, data) :]

    def job(self) -> dict[str, Any] | None:
        while b"\n" not in self.buffer:
            data = os.read(self.fd_in, 1 << 16)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        value: dict[str, Any] = json.loads(line)
        return value

    def abandoned(self) -> bool:
        """Whether the running job is to be given up: input now is either an abort or the end."""
        ready, _, _ = select.select([self.fd_in], [], [], 0)
        if not ready:
            return False
        data = os.read(self.fd_in, 1 << 16)
        self.buffer += data
        return True

    # -- processes -------------------------------------------------------------------------------------------------
    def others(self) -> list[int]:
        keep = self.warm.pid if self.warm is not None else 0
        return [pid for pid in self.box.children() if pid != keep]

    def end_all(self, *, keep_warm: bool = True) -> None:
        """End every process that a job left, however it hid."""
        if not keep_warm and isinstance(self.box, boxes.Overlay):
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)  # all of the namespace at once: a fork bomb cannot outrun it
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            alive = self.others() if keep_warm else self.box.children()
            alive = [pid for pid in alive if not is_zombie(pid)]
            for pid in alive:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            if not alive:
                break
            time.sleep(0.002)
        if not keep_warm and self.warm is not None:
            self.warm.wait()
            self.forget_warm()

    def reap(self) -> None:
        """Collect orphans; the warm process and the running job are waited for by their own code."""
        keep = self.warm.pid if self.warm is not None else 0
        for pid in self.box.children():
            if pid != keep and is_zombie(pid):
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)

    def forget_warm(self) -> None:
        for fd in (self.warm_in, self.warm_out):
            if fd >= 0:
                os.close(fd)
        self.warm, self.warm_in, self.warm_out, self.warm_buffer = None, -1, -1, b""

    def enter(self, limits: dict[str, Any]) -> None:
        """In the child, before exec: give up the sandbox's own privileges and set limits."""
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file_bytes"],) * 2)
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_DATA, (limits["memory_bytes"],) * 2)
        if isinstance(self.box, boxes.Overlay) and boxes.leave_user_namespace():
            # A user namespace of its own, mapped back to the person's own number: without rights over our mounts.
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/gid_map").write_text(f"{self.config['gid']} 0 1")
            Path("/proc/self/uid_map").write_text(f"{self.config['uid']} 0 1")

    # -- jobs ------------------------------------------------------------------------------------------------------
    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a command as given; everything it prints is read, a part is kept."""
        limits = job["limits"]
        self.box.fresh(decode(job["files"]))
        trace = job.get("trace_dir")
        if trace:
            shutil.rmtree(trace, ignore_errors=True)
            os.makedirs(trace)
        env = dict(job["env"])
        if trace and isinstance(self.box, boxes.Overlay):
            env["GRAFT_TRACE_NS"] = os.readlink("/proc/self/ns/mnt")
        began = time.monotonic()
        cpu = children_cpu()
        out_read, out_write = os.pipe()
        try:
            process = subprocess.Popen(
                job["argv"],
                cwd=job["cwd"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out_write,
                stderr=out_write,
                preexec_fn=lambda: self.enter(limits),
            )
        except (OSError, subprocess.SubprocessError) as error:
            os.close(out_read)
            os.close(out_write)
            return {"rc": 127, "killed": "", "output": f"{error}", "output_bytes": 0, "wall": 0.0, "cpu": 0.0}
        os.close(out_write)
        head, tail, total, killed = b"", b"", 0, ""
        open_output = True
        while True:
            ready, _, _ = select.select([out_read] if open_output else [], [], [], POLL_SECONDS)
            if ready:
                data = os.read(out_read, 1 << 16)
                open_output = bool(data)
                total += len(data)
                room = KEEP_OUTPUT // 2 - len(head)
                head += data[: max(0, room)]
                tail = (tail + data[max(0, room) :])[-KEEP_OUTPUT // 2 :]
            if process.poll() is not None:
                break
            if time.monotonic() - began > limits["wall"]:
                killed = "time"
            elif total > limits["output_bytes"]:
                killed = "output"
            elif len(self.box.children()) > limits["processes"]:
                killed = "processes"
            elif self.abandoned():
                killed = "abandoned"
            if killed:
                break
        wall = time.monotonic() - began
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # all there is to do where no /proc tells of the others
        self.end_all(keep_warm=killed != "processes")
        rc = process.poll()
        while open_output and len(tail) < KEEP_OUTPUT:
            ready, _, _ = select.select([out_read], [], [], 0)
            data = os.read(out_read, 1 << 16) if ready else b""
            if not data:
                break
            total += len(data)
            tail = (tail + data)[-KEEP_OUTPUT // 2 :]
        os.close(out_read)
        return {
            "rc": -9 if rc is None or killed else rc,
            "killed": killed,
            "output": (head + tail).decode("utf-8", "replace"),
            "output_bytes": total,
            "wall": wall,
            "cpu": children_cpu() - cpu,
            "traces": collect(trace) if trace else [],
        }

    def start_warm(self, job: dict[str, Any]) -> dict[str, Any]:
        """Start the test runner that will fork once per candidate; replies when it stands ready, or why it does not."""
        self.end_all(keep_warm=False)
        self.box.fresh({})
        to_child, self.warm_in = os.pipe()
        self.warm_out, from_child = os.pipe()
        try:
            self.warm = subprocess.Popen(
                [*job["argv"], str(to_child), str(from_child)],
                cwd=job["cwd"],
                env=job["env"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(to_child, from_child),
                preexec_fn=lambda: self.enter(job["limits"]),
            )
        except (OSError, subprocess.SubprocessError) as error:
            return {"ready": False, "error": str(error)}
        finally:
            os.close(to_child)
            os.close(from_child)
        first = self.warm_frame(time.monotonic() + job["limits"]["wall"])
        if first is None or not first.get("ready"):
            self.end_all(keep_warm=False)
            return {"ready": False, "error": (first or {}).get("error", "it ended, or did not answer in time")}
        return first

    def warm_frame(self, deadline: float) -> dict[str, Any] | None:
        """One line from the warm process; None if it ended, and at the deadline."""
        while b"\n" not in self.warm_buffer:
            left = deadline - time.monotonic()
            if left <= 0 or self.warm is None:
                return None
            ready, _, _ = select.select([self.warm_out], [], [], min(left, POLL_SECONDS))
            if ready:
                data = os.read(self.warm_out, 1 << 16)
                if not data:
                    return None
                self.warm_buffer += data
            elif len(self.box.children()) > 256:
                return {"done": 1, "killed": "processes"}
            elif self.abandoned():
                os._exit(1)
        line, _, self.warm_buffer = self.warm_buffer.partition(b"\n")
        value: dict[str, Any] = json.loads(line)
        return value

    def test(self, job: dict[str, Any]) -> dict[str, Any]:
        """One candidate through the warm process: the tests named, the first failure ends it."""
        if self.warm is None:
            return {"rc": 127, "killed": "warm", "tests": [], "wall": 0.0}
        self.box.fresh(decode(job["files"]))
        began = time.monotonic()
        order = {k: job[k] for k in ("ids", "cpu", "stop_first", "probe") if k in job}
        try:
            os.write(self.warm_in, json.dumps(order).encode() + b"\n")
        except OSError:
            self.end_all(keep_warm=False)
            return {"rc": 127, "killed": "warm", "tests": [], "wall": 0.0}
        tests: list[Any] = []
        probes: list[Any] = []
        killed, rc, over, cpu = "", 1, False, 0.0
        deadline = began + job["limits"]["wall"]
        while True:
            frame = self.warm_frame(deadline)
            if frame is None:
                over = self.warm.poll() is None
                killed = "time" if over else "warm"
                break
            if "test" in frame:
                tests.append(frame)
            elif "cpu" in frame:
                cpu = frame["cpu"]
            elif "probe" in frame:
                probes.append(frame["probe"])
            elif "done" in frame:
                rc, killed = frame["done"], frame.get("killed", "")
                break
        if over and not Path("/proc/self").exists():
            with contextlib.suppress(OSError):
                os.killpg(self.warm.pid, signal.SIGKILL)
        if over:
            self.end_all()
            # The runner sees its child end and says so; that line belongs to this job.
            while (late := self.warm_frame(time.monotonic() + 2)) is not None and "done" not in late:
                pass
            if late is None:
                self.end_all(keep_warm=False)
        elif killed in ("warm", "processes"):
            self.end_all(keep_warm=False)
        elif self.others():
            self.end_all()
        return {
            "rc": rc,
            "killed": killed,
            "tests": tests,
            "probes": probes,
            "cpu": cpu,
            "wall": time.monotonic() - began,
        }


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and waits to be collected (or is gone)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True


def children_cpu() -> float:
    """CPU seconds of all children that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def decode(files: dict[str, str]) -> dict[str, bytes]:
    """File contents travel as base64."""
    return {path: base64.b64decode(data) for path, data in files.items()}


def collect(folder: str) -> list[Any]:
    """What the tracers of all processes wrote."""
    out: list[Any] = []
    for path in sorted(Path(folder).glob("*.json")):
        with contextlib.suppress(OSError, ValueError):
            if path.stat().st_size < 64 << 20:
                out.append(json.loads(path.read_text("utf-8", "replace")))
    return out


def main() -> int:
    """Serve until standard input ends."""
    fd_in, fd_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    first = b""
    while not first.endswith(b"\n"):
        byte = os.read(fd_in, 1)
        if not byte:
            return 1
        first += byte
    try:
        server = Server(json.loads(first), fd_in, fd_out)
        server.box.fresh({})
    except (OSError, AssertionError) as error:
        os.write(fd_out, json.dumps({"ready": False, "error": str(error)}).encode() + b"\n")
        return 1
    server.reply({"ready": True, "sealed": server.box.sealed})
    actions = {"run": server.run, "warm": server.start_warm, "test": server.test}
    while (job := server.job()) is not None:
        if job["kind"] == "abort":
            continue
        try:
            answer = actions[job["kind"]](job)
        except OSError as error:
            answer = {"rc": 127, "killed": "failed", "output": str(error), "ready": False, "error": str(error)}
        server.reply(answer)
    server.end_all(keep_warm=False)
    server.box.drop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
