"""The tests of a benchmark program run in forks, without pytest and without a sandbox: hundreds of times a second.

For comparing arms by test runs; what is found is what the sandbox would find, only times say nothing.  Run as a script
it is the process that forks: a JSON object per line comes in ({"text", "tests", "names", "cpu"}), one with the outcomes
goes out.  Only for programs that come with a benchmark: nothing is protected here but time and memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

CPU_SECONDS = 0.2
"""Processor time for the failing tests; twice that for all.  The sandbox gives four times what the old code needs."""
MEMORY = 2 << 30


def outcomes(text: str, tests: str, names: Sequence[str], cpu: float, stop_first: bool) -> str:
    """One letter per test that ended, `p` or `f`, in a fork; less of them if it ran out of time or died."""
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(here)
            signal.setitimer(signal.ITIMER_PROF, cpu)  # its signal ends the process
            signal.alarm(5)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
            space: dict[str, Any] = {"__name__": "program"}
            exec(compile(text, "<program>", "exec"), space)
            exec(compile(tests, "<tests>", "exec"), space)
            for name in names:
                try:
                    space[name]()
                    os.write(there, b"p")
                except BaseException:
                    os.write(there, b"f")
                    if stop_first:
                        break
            code = 0
        finally:
            os._exit(code)
    os.close(there)
    data = b""
    while chunk := os.read(here, 4096):
        data += chunk
    os.close(here)
    os.waitpid(pid, 0)
    return data.decode()


def serve() -> None:
    """Answer lines until there are none."""
    for line in sys.stdin:
        job = json.loads(line)
        found = outcomes(job["text"], job["tests"], job["names"], job["cpu"], job["stop_first"])
        print(json.dumps(found), flush=True)


class Direct:
    """The process that forks, for one program: `run` gives the outcomes of the named tests."""

    def __init__(self, tests: str) -> None:
        self.tests = tests
        self.process = subprocess.Popen(
            [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Direct:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self.process.communicate(timeout=5)

    def run(self, text: str, names: Sequence[str], cpu: float, *, stop_first: bool) -> list[bool]:
        """Per test that ended whether it passed."""
        assert self.process.stdin is not None and self.process.stdout is not None
        job = {"text": text, "tests": self.tests, "names": list(names), "cpu": cpu, "stop_first": stop_first}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return [letter == "p" for letter in json.loads(self.process.stdout.readline())]


if __name__ == "__main__":
    serve()
