"""Which lines each test executes: one file, copied as `sitecustomize.py` to the front of PYTHONPATH.

Runs in whatever interpreter runs the user's tests (3.8 or later), which may have nothing of Graft installed.  It uses
`sys.monitoring` from 3.12 (each line reports once per test) and `sys.settrace` below.  It is switched on by the
environment variable GRAFT_TRACE (JSON: dir, root, forbidden, test_seconds, skip) and writes one JSON file per process
into that folder when the process ends.  pytest loads the same module as a plugin (PYTEST_PLUGINS=_graft_tracer).

A test that uses more than `test_seconds` of processor time is made to fail, so that one endless loop does not hide
the other tests; each one that does leaves the next a quarter of that.
PYTEST_DONT_REWRITE (it is imported before pytest is).
"""

# Plain os functions, so that pathlib is not imported before the tests are.
# ruff: noqa: PTH100, PTH104, PTH109, PTH113, PTH115, PTH118, PTH120, PTH123

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import sys
import threading
from typing import Any

MONITOR = getattr(sys, "monitoring", None)
TOOL = 4
LEAST_SECONDS = 0.4


class TestTimeout(BaseException):
    """Raised in a test that runs too long; not an Exception, so that the code under test does not catch it."""


class Recorder:
    """Lines of the test that runs now, and what is known of those that ended."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.root = os.path.realpath(config["root"])
        self.forbidden = os.path.realpath(config["forbidden"]) if config.get("forbidden") else ""
        self.wanted: dict[str, bool] = {}
        self.lines: dict[str, set[int]] = {}
        self.outside: dict[str, set[int]] = self.lines
        """Lines that run between tests (imports, fixtures of the session)."""
        self.tests: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.escaped: set[str] = set()
        self.seconds = float(config.get("test_seconds") or 0)
        self.at_timeout: list[list[Any]] = []
        self.timed_out = False
        self.started = threading.get_ident()

    def wants(self, filename: str) -> bool:
        """Whether lines of this file are recorded: files of the workspace that are not installed packages."""
        known = self.wanted.get(filename)
        if known is None:
            if filename.startswith("<") or filename == __file__:
                self.wanted[filename] = False
                return False
            path = os.path.realpath(filename)
            inside = path.startswith(self.root + os.sep)
            library = any(part in path for part in self.config.get("skip", ()))
            known = self.wanted[filename] = inside and not library
            if self.forbidden and path.startswith(self.forbidden + os.sep) and not library:
                self.escaped.add(path)
        return known

    def add(self, filename: str, line: int) -> None:
        lines = self.lines.get(filename)
        if lines is None:
            lines = self.lines[filename] = set()
        lines.add(line)

    # -- tests -----------------------------------------------------------------------------------------------------
    def begin(self) -> None:
        self.lines = {}
        self.at_timeout = []
        self.timed_out = False
        if MONITOR is not None:
            MONITOR.restart_events()
        else:
            sys.settrace(global_trace)  # an exception that a trace function lets through switches tracing off
        if self.seconds and threading.get_ident() == self.started:
            signal.signal(signal.SIGPROF, self.expire)
            signal.setitimer(signal.ITIMER_PROF, self.seconds)
            signal.signal(signal.SIGALRM, self.expire)
            signal.setitimer(signal.ITIMER_REAL, self.seconds * 3)

    def pause(self) -> None:
        """The test's own time is over (its report is being made)."""
        if self.seconds and threading.get_ident() == self.started:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)

    def expire(self, number: int, frame: Any) -> None:
        self.pause()
        self.seconds = max(LEAST_SECONDS, self.seconds / 4)
        while frame is not None:
            if self.wants(frame.f_code.co_filename):
                self.at_timeout.append([frame.f_code.co_filename, frame.f_lineno])
            frame = frame.f_back
        self.timed_out = True
        raise TestTimeout("this test ran too long")

    def end(self, name: str, outcome: str, seconds: float, error: dict[str, Any] | None) -> None:
        self.pause()
        if self.timed_out:
            error = {"type": "TestTimeout", "message": "ran too long", "stack": self.at_timeout[::-1]}
            outcome = "timeout"
        self.tests.append(
            {
                "id": name,
                "outcome": outcome,
                "seconds": seconds,
                "lines": {f: sorted(v) for f, v in self.lines.items()},
                "error": error,
            }
        )
        self.lines = self.outside
        self.at_timeout = []

    def write(self) -> None:
        """One file for this process; nothing if it never ran a line of the workspace nor a test."""
        stop()
        if not (self.outside or self.tests or self.escaped or self.errors or RUNNER[0]):
            return
        modules = []
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if not isinstance(path, str) or name == "__main__" or name.startswith(("sitecustomize", "_graft")):
                continue
            real = os.path.realpath(path)
            library = any(part in real for part in self.config.get("skip", ()))
            if library or not real.startswith((self.root + os.sep, (self.forbidden or self.root) + os.sep)):
                modules.append(name)
        expected = os.environ.get("GRAFT_TRACE_NS")
        escaped = sorted(self.escaped)
        with contextlib.suppress(OSError):
            if expected and os.readlink("/proc/self/ns/mnt") != expected:
                escaped.append("another mount namespace")
        value = {
            "pid": os.getpid(),
            "executable": sys.executable,
            "version": list(sys.version_info[:3]),
            "argv": list(sys.argv),
            "orig_argv": list(getattr(sys, "orig_argv", [])),
            "cwd": START_FOLDER,
            "tests": self.tests,
            "lines": {f: sorted(v) for f, v in self.outside.items()},
            "errors": self.errors,
            "modules": modules[:2000],
            "escaped": escaped,
            "rootdir": ROOTDIR[0],
            "runner": RUNNER[0],
            "env": START_ENVIRONMENT,
        }
        path = os.path.join(self.config["dir"], f"{os.getpid()}.json")
        with open(path + ".new", "w", encoding="utf-8", errors="replace") as file:
            json.dump(value, file)
        os.rename(path + ".new", path)


RECORDER: Recorder | None = None
START_FOLDER = ""
START_ENVIRONMENT: dict[str, str] = {}
ROOTDIR = [""]
RUNNER = [""]


def global_trace(frame: Any, event: str, arg: Any) -> Any:
    """settrace's callback for calls: trace lines only in the workspace's files."""
    recorder = RECORDER
    if recorder is None:
        return None
    code = frame.f_code
    if not recorder.wants(code.co_filename):
        if code.co_name == "run" and code.co_filename.endswith(("unittest/case.py", "unittest\\case.py")):
            return unittest_run(frame)
        return None
    recorder.add(code.co_filename, code.co_firstlineno)
    return local_trace


def local_trace(frame: Any, event: str, arg: Any) -> Any:
    """settrace's callback for lines."""
    if event == "line" and RECORDER is not None:
        RECORDER.add(frame.f_code.co_filename, frame.f_lineno)
    return local_trace


def unittest_run(frame: Any) -> Any:
    """`TestCase.run` begins (settrace): note how many failures there were, compare when it returns."""
    if RUNNER[0] == "pytest" or RECORDER is None:
        return None
    before = unittest_begin(frame)
    if before is None:
        return None

    def watch(frame: Any, event: str, arg: Any) -> Any:
        if event == "return":
            unittest_end(frame, before)
        return watch

    return watch


def unittest_begin(frame: Any) -> int | None:
    """The number of failures before the test; None if this is not such a call."""
    result = frame.f_locals.get("result")
    if RECORDER is None or not hasattr(frame.f_locals.get("self"), "id"):
        return None
    RUNNER[0] = "unittest"
    RECORDER.begin()
    return len(getattr(result, "failures", ())) + len(getattr(result, "errors", ()))


def unittest_end(frame: Any, before: int) -> None:
    """Record the test that ends."""
    result = frame.f_locals.get("result")
    bad = list(getattr(result, "failures", ())) + list(getattr(result, "errors", ()))
    error = None
    if len(bad) > before:
        import re

        text = str(bad[-1][1])
        stack = [[f, int(n)] for f, n in re.findall(r'File "([^"]+)", line (\d+)', text)]
        error = {"type": text.strip().rpartition("\n")[2].split(":")[0], "message": text[-300:], "stack": stack}
    if RECORDER is not None:
        RECORDER.end(frame.f_locals["self"].id(), "failed" if error else "passed", 0.0, error)


def start() -> None:
    """Begin to record."""
    if MONITOR is None:
        threading.settrace(global_trace)
        sys.settrace(global_trace)
        return
    events = MONITOR.events
    with contextlib.suppress(ValueError):
        MONITOR.use_tool_id(TOOL, "graft")
    open_runs: dict[Any, Any] = {}

    def on_start(code: Any, offset: int) -> Any:
        recorder = RECORDER
        if recorder is not None and recorder.wants(code.co_filename):
            recorder.add(code.co_filename, code.co_firstlineno)
        elif code.co_name == "run" and code.co_filename.endswith(("unittest/case.py", "unittest\\case.py")):
            frame = sys._getframe(1)
            before = unittest_begin(frame) if RUNNER[0] != "pytest" else None
            if before is not None:
                open_runs[id(frame)] = before
                MONITOR.set_local_events(TOOL, code, events.PY_RETURN)
            return None
        return MONITOR.DISABLE

    def on_line(code: Any, line: int) -> Any:
        recorder = RECORDER
        if recorder is not None and recorder.wants(code.co_filename):
            recorder.add(code.co_filename, line)
        return MONITOR.DISABLE

    def on_return(code: Any, offset: int, value: Any) -> Any:
        frame = sys._getframe(1)
        before = open_runs.pop(id(frame), None)
        if before is not None:
            unittest_end(frame, before)
        return None

    MONITOR.register_callback(TOOL, events.PY_START, on_start)
    MONITOR.register_callback(TOOL, events.LINE, on_line)
    MONITOR.register_callback(TOOL, events.PY_RETURN, on_return)
    MONITOR.set_events(TOOL, events.PY_START | events.LINE)


def stop() -> None:
    """End recording."""
    if MONITOR is None:
        sys.settrace(None)
        threading.settrace(None)
    else:
        with contextlib.suppress(ValueError):
            MONITOR.set_events(TOOL, 0)
            MONITOR.free_tool_id(TOOL)


# -- pytest plugin -------------------------------------------------------------------------------------------------
def pytest_configure(config: Any) -> None:
    """Localisation needs every test's outcome, so the first failure does not end this run."""
    if RECORDER is not None:
        RUNNER[0] = "pytest"
        config.option.maxfail = 0
        ROOTDIR[0] = str(getattr(config, "rootpath", None) or config.rootdir)


def pytest_runtest_logstart(nodeid: str, location: Any) -> None:
    """A test begins."""
    if RECORDER is not None:
        RECORDER.begin()
        FAILED.clear()


FAILED: dict[str, Any] = {}


def own_stack(trace: Any) -> list[list[Any]]:
    """(file, line) of the frames in the workspace's own files, outermost first; the middle of a deep one left out."""
    stack = []
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if RECORDER is not None and RECORDER.wants(name):
            stack.append([name, trace.tb_lineno])
        trace = trace.tb_next
    return stack if len(stack) <= 60 else stack[:30] + stack[-30:]


def pytest_runtest_makereport(item: Any, call: Any) -> None:
    """Keep where the exception came from while it is at hand."""
    if RECORDER is None:
        return
    if call.when == "call":
        RECORDER.pause()
    FAILED["seconds"] = FAILED.get("seconds", 0.0) + float(call.duration if hasattr(call, "duration") else 0.0)
    if call.excinfo is not None:
        stack = own_stack(call.excinfo._excinfo[2])
        FAILED["error"] = {
            "type": call.excinfo.typename if hasattr(call.excinfo, "typename") else call.excinfo.type.__name__,
            "message": str(call.excinfo.value)[:300],
            "stack": stack,
        }


def pytest_runtest_logreport(report: Any) -> None:
    """The worst outcome of a test's phases is its outcome."""
    if report.outcome == "failed":
        FAILED["outcome"] = "failed"
    elif report.outcome == "skipped":
        FAILED.setdefault("outcome", "skipped")


def pytest_runtest_logfinish(nodeid: str, location: Any) -> None:
    """A test ended."""
    if RECORDER is not None:
        outcome = FAILED.get("outcome", "passed")
        error = FAILED.get("error") if outcome == "failed" else None
        RECORDER.end(nodeid, outcome, FAILED.get("seconds", 0.0), error)


def pytest_collectreport(report: Any) -> None:
    """A module that cannot be imported fails as a whole."""
    if RECORDER is not None and report.outcome == "failed":
        text = str(report.longrepr)
        import re

        stack = [[f, int(n)] for f, n in re.findall(r'(?:File ")?([^\s"]+\.py)(?:", line |:)(\d+)', text)]
        RECORDER.errors.append({"type": "CollectError", "message": text[-500:], "stack": stack, "id": report.nodeid})


# -- start ---------------------------------------------------------------------------------------------------------
def uncaught(kind: Any, value: Any, trace: Any) -> None:
    """Note where an uncaught exception came from, then let it be printed as ever."""
    stack = own_stack(trace)
    if RECORDER is not None:
        RECORDER.errors.append({"type": kind.__name__, "message": str(value)[:300], "stack": stack, "id": ""})
    sys.__excepthook__(kind, value, trace)


def chain() -> None:
    """Run the `sitecustomize` that this file hides, if there is one further down the path."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in sys.path:
        if folder and os.path.abspath(folder) != here:
            path = os.path.join(folder, "sitecustomize.py")
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    exec(compile(file.read(), path, "exec"), {"__name__": "sitecustomize", "__file__": path})
                break


def setup() -> None:
    """Called on import as `sitecustomize`."""
    global RECORDER, START_FOLDER
    sys.modules.setdefault("_graft_tracer", sys.modules[__name__])
    chain()
    text = os.environ.get("GRAFT_TRACE")
    if not text:
        return
    START_FOLDER = os.getcwd()
    START_ENVIRONMENT.update(os.environ)
    RECORDER = Recorder(json.loads(text))
    sys.excepthook = uncaught
    atexit.register(RECORDER.write)
    start()


if __name__ == "sitecustomize":
    setup()
