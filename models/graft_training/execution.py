"""HumanEval-Infilling (Bavarian et al. 2022): is an answer right, by running the problem's own tests.

Answers of a model are run: in a process of their own, without network where the kernel allows it, in an empty folder,
with limits on time, memory and file size.
"""

from __future__ import annotations

import functools
import gzip
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SECONDS = 5.0
MEMORY_BYTES = 1 << 30
FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Problem:
    """One item of the benchmark."""

    task: str
    entry_point: str
    prompt: str
    suffix: str
    solution: str
    test: str


def read_problems(path: Path) -> list[Problem]:
    """The items of a .jsonl or .jsonl.gz file. Raises OSError, ValueError or KeyError for a file that is not one."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    items = [json.loads(line) for line in text.splitlines() if line.strip()]
    fields = ("task_id", "entry_point", "prompt", "suffix", "canonical_solution", "test")
    return [Problem(*(str(item[name]) for name in fields)) for item in items]


def program(problem: Problem, answer: str) -> str:
    """The text whose clean exit means that `answer` is right."""
    return f"{problem.prompt}{answer}{problem.suffix}{problem.test}\ncheck({problem.entry_point})\n"


@functools.cache
def isolation() -> tuple[str, ...]:
    """The command that takes the network away; empty where the kernel or the system has none."""
    tool = shutil.which("unshare")
    if tool is None:
        return ()
    command = (tool, "-r", "-n", "--")
    done = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if done.returncode == 0 else ()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) + 1, int(SECONDS) + 1))


def passes(text: str) -> bool:
    """Does a program end without an error within `SECONDS`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*isolation(), sys.executable, "-I", "-c", text]
        try:
            done = subprocess.run(
                command, cwd=folder, timeout=SECONDS, capture_output=True, stdin=subprocess.DEVNULL, check=False,
                env={"PATH": "/usr/bin:/bin"}, preexec_fn=_limit)  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def judge(problems: Sequence[Problem], answers: Sequence[str], jobs: int = 2) -> list[bool]:
    """Which answers pass, in order."""
    texts = [program(p, a) for p, a in zip(problems, answers, strict=True)]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(passes, texts))
