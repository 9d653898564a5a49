"""The warm test runner: imports everything outside the workspace once, then forks once per candidate.

Runs as a script in the interpreter that runs the user's tests (3.8 or later, nothing installed but the test runner
itself), inside the sandbox, started by `inside.py` with two file descriptors: jobs come in, frames go out, one JSON
object per line.  Each job is run by a fork that imports the workspace's modules only after the patch is in place.

For pytest the fork happens where collection would begin: configuration and conftest files are loaded by then.  If
they imported a module of the workspace that candidates may change, the fork happens before pytest starts instead.
"""

# Plain os functions, so that pathlib is not imported before the tests are.
# ruff: noqa: PTH100, PTH109, PTH118, PTH120

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
import time
from typing import Any


def load_probe() -> Any:
    """`probe.py` from this script's folder, under a name that no module of the workspace has."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
    spec = importlib.util.spec_from_file_location("_graft_probe", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROBE = load_probe()


class State:
    """What a fork inherits."""

    def __init__(self, config: dict[str, Any], fd_in: int, fd_out: int) -> None:
        self.config = config
        self.fd_in = fd_in
        self.fd_out = fd_out
        self.buffer = b""
        self.child = False
        self.job: dict[str, Any] = {}
        self.early = False
        self.observer: Any = None

    def send(self, value: dict[str, Any]) -> None:
        """One frame; short ones are atomic on a pipe, and parent and child never write at once."""
        data = json.dumps(value).encode() + b"\n"
        while data:
            data = data[os.write(self.fd_out, data) :]

    def next_job(self) -> dict[str, Any]:
        """The next job; ends the process when there will be none."""
        while b"\n" not in self.buffer:
            data = os.read(self.fd_in, 1 << 16)
            if not data:
                os._exit(0)
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        job: dict[str, Any] = json.loads(line)
        return job

    def serve(self) -> None:
        """Fork per job; returns only in the children."""
        self.send({"ready": True, "early": self.early})
        while True:
            self.job = self.next_job()
            pid = os.fork()
            if pid == 0:
                self.child = True
                self.prepare()
                return
            _, status = os.waitpid(pid, 0)
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            killed = "time" if code == TIMED_OUT else ""
            self.send({"done": code, "killed": killed})

    def prepare(self) -> None:
        """In the child: the workspace was mounted anew since the parent looked at it."""
        os.chdir(self.config["cwd"])
        sys.path_importer_cache.clear()
        sys.dont_write_bytecode = not self.job.get("keep_bytecode", False)
        if self.job.get("probe"):
            self.observer = PROBE.Observer([os.path.join(self.config["root"], self.job["probe"]["file"])])
            sys.setprofile(self.observer)
        limit = self.job.get("cpu")
        if limit:
            signal.signal(signal.SIGPROF, lambda *_: os._exit(TIMED_OUT))
            signal.setitimer(signal.ITIMER_PROF, limit)


TIMED_OUT = 124


class Plugin:
    """Joins pytest: waits for jobs where collection would begin, then reports every test as it ends."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.began: dict[str, str] = {}

    def pytest_collection(self, session: Any) -> None:
        """Called first; returning None lets the ordinary collection follow, in the child."""
        state = self.state
        if not state.child:
            loaded = {os.path.realpath(f) for f in map(module_file, list(sys.modules.values())) if f}
            targets = {os.path.realpath(os.path.join(state.config["root"], t)) for t in state.config["targets"]}
            if loaded & targets:
                state.send({"imported": True})
                os._exit(0)
            state.serve()
        ids = state.job.get("ids")
        if ids:
            base = str(session.config.rootpath) if hasattr(session.config, "rootpath") else str(session.config.rootdir)
            session.config.args = [
                os.path.join(base, *i.split("::", 1)[0].split("/")) + i[len(i.split("::", 1)[0]) :] for i in ids
            ]
        session.config.option.maxfail = 1 if state.job.get("stop_first", True) else 0

    def pytest_collection_modifyitems(self, session: Any, config: Any, items: list[Any]) -> None:
        """The order asked for: failing tests first."""
        ids = self.state.job.get("ids")
        if ids:
            order = {name: index for index, name in enumerate(ids)}
            items[:] = sorted((i for i in items if i.nodeid in order), key=lambda i: order[i.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        """One frame per test when its last phase ends."""
        worst = self.began.get(report.nodeid, "passed")
        if report.outcome == "failed":
            worst = "failed"
        elif report.outcome == "skipped" and worst == "passed":
            worst = "skipped"
        self.began[report.nodeid] = worst
        if report.when == "teardown":
            self.state.send({"test": report.nodeid, "outcome": worst})
            if worst == "failed" and self.state.job.get("stop_first", True):
                # Nothing that pytest would still do matters: the sandbox is thrown away.
                finish(self.state, 1)

    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> None:
        """Leave before the reports for people are made."""
        finish(self.state, int(exitstatus))


def finish(state: State, rc: int) -> None:
    """End this process with the run's status; before that the generated calls, if they were asked for."""
    if state.child:
        state.send({"cpu": time.process_time()})
    if state.child and state.observer is not None:
        sys.setprofile(None)
        wanted = state.job["probe"]
        path = os.path.realpath(os.path.join(state.config["root"], wanted["file"]))
        for module in list(sys.modules.values()):
            if module is not None and module_file(module) and os.path.realpath(module_file(module)) == path:
                for name, calls in state.observer.calls.items():
                    function = getattr(module, name, None)
                    if callable(function):
                        found = PROBE.answers(function, calls, wanted["count"], wanted["seed"])
                        state.send({"probe": {"function": name, "answers": found, "observed": len(calls)}})
                break
    os._exit(rc & 0xFF)


def module_file(module: Any) -> str:
    """The file a module was loaded from, or nothing."""
    value = getattr(module, "__file__", None)
    return value if isinstance(value, str) else ""


def preload(names: list[str], root: str) -> None:
    """Import what the first run had imported from outside the workspace; what fails to import is left to the tests."""
    before = set(sys.path)
    for name in names:
        if name in sys.modules:
            continue
        with contextlib.suppress(BaseException):
            __import__(name)
    for path in set(sys.path) - before:
        sys.path.remove(path)


def run_pytest(state: State) -> int:
    """Run pytest; the plugin takes over at collection."""
    import pytest

    args = list(state.config["args"])
    args += ["-q", "--tb=no", "-p", "no:faulthandler"]
    if not any(a.startswith(("--lf", "--ff", "--last", "--failed", "--nf", "--new", "--sw", "--step")) for a in args):
        args += ["-p", "no:cacheprovider"]
    if state.early:
        state.serve()
    return int(pytest.main(args, plugins=[Plugin(state)]))


def run_unittest(state: State) -> int:
    """Run unittest's own main with the tests named."""
    import unittest

    state.serve()
    args = list(state.config["args"])
    if state.job.get("ids"):
        args = list(state.job["ids"])

    class Result(unittest.TextTestResult):
        def stopTest(self, test: Any) -> None:
            bad = any(t is test or getattr(t, "test_case", None) is test for t, _ in self.failures + self.errors)
            state.send({"test": test.id(), "outcome": "failed" if bad else "passed"})
            super().stopTest(test)

    kind: Any = Result
    runner = unittest.TextTestRunner(resultclass=kind, failfast=state.job.get("stop_first", True), verbosity=0)
    program = unittest.main(module=None, argv=["python -m unittest", *args], testRunner=runner, exit=False)
    return 0 if program.result.wasSuccessful() and program.result.testsRun else 1


def main() -> None:
    """Read the configuration from the environment, warm up, serve."""
    config = json.loads(os.environ.pop("GRAFT_WARM"))
    state = State(config, int(sys.argv[1]), int(sys.argv[2]))
    sys.argv = list(config["argv"])
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
    if config.get("dash_m", True):
        sys.path.insert(0, os.getcwd())
    preload(config["modules"], config["root"])
    state.early = bool(config.get("early"))
    # The workspace is mounted anew for every job, so compiled files of its modules are kept elsewhere.
    sys.pycache_prefix = config["pycache"]
    rc = 1
    try:
        rc = run_pytest(state) if config["runner"] == "pytest" else run_unittest(state)
    except SystemExit as error:
        rc = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        if not state.child:
            state.send({"ready": False, "error": repr(error)[:300]})
    finally:
        finish(state, rc)


if __name__ == "__main__":
    main()
