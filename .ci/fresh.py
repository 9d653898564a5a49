"""Install from a folder of wheels as on a bare machine, and use it: no network, no compiler, an empty home.

    python3 .ci/fresh.py [--dist dist] [--python python3.12]

Everything after the environment is made runs under `unshare -rn` (no network) with a PATH that has no compiler.
Checked: the installation takes under a minute of processor time; the portable llama.cpp names its CPU library; a line
is completed; `graft doctor --json` tells each state from the others (no llama.cpp, an illegal instruction, a broken
file, a missing one, a server that is down, a readable key file, a damaged index, nothing writable); a model is pulled
from a file.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_SECONDS = 60
CODE = "import os\n\n\ndef join(folder, name):\n    return os.path.jo\n"
PLANTED = "def total(values):\n    return sum(valeus)\n"


class Fresh:
    """A virtual environment in `folder`, and commands in it without network and compiler."""

    def __init__(self, folder, dist, python, extras):
        self.folder, self.dist, self.extras = folder, dist, extras
        folder.mkdir(parents=True)
        self.venv = folder / "venv"
        subprocess.run([python, "-m", "venv", str(self.venv)], check=True)
        self.home = folder / "home"
        self.home.mkdir()
        self.work = folder / "work"
        self.work.mkdir()
        self.environment = {
            "PATH": str(self.venv / "bin"),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            **{f"GRAFT_{n}_DIR": str(self.home / n.lower()) for n in ("CACHE", "DATA", "LOG")},
            "GRAFT_CONFIG": str(self.home / "config.toml"),
        }

    def run(self, *command, **environment):
        """(exit status, output, errors)."""
        done = subprocess.run(
            ["/usr/bin/unshare", "-rn", *map(str, command)],
            cwd=self.work,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout, done.stderr

    def install(self):
        """pip from the folder alone; (processor seconds, seconds)."""
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        name = f"graft-ls[{self.extras}]" if self.extras else "graft-ls"
        pip = [self.venv / "bin/python", "-m", "pip", "install", "--no-index", "--disable-pip-version-check"]
        status, out, errors = self.run(*pip, "--find-links", self.dist, name)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if status:
            raise SystemExit(f"pip failed:\n{out}\n{errors}")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - begun

    def graft(self, *arguments, **environment):
        """A graft command."""
        return self.run(self.venv / "bin/graft", *arguments, **environment)

    def settle(self, text):
        """The user's settings."""
        (self.home / "config.toml").write_text(text, "utf-8")

    def doctor(self, *arguments, **environment):
        """(exit status, set of codes, the report)."""
        status, out, errors = self.graft("doctor", "--json", *arguments, **environment)
        try:
            report = json.loads(out)
        except ValueError:
            raise SystemExit(f"graft doctor printed no JSON:\n{out}\n{errors}") from None
        return status, {c["code"] for c in report["checks"] if c["code"]}, report


problems = []


def expect(name, true, said=""):
    """Note what does not hold."""
    print(f"{'ok    ' if true else 'FAILED'} {name}" + (f": {said}" if said else ""), flush=True)
    if not true:
        problems.append(name)


def main():
    """Check everything; returns 1 if something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    dist = args.dist.resolve()
    if not list(dist.glob("graft_ls-*.whl")):
        raise SystemExit(f"no wheels in {dist}: make dist")
    with tempfile.TemporaryDirectory(prefix="graft-fresh-") as scratch:
        whole(Fresh(Path(scratch, "whole"), dist, args.python, "llama"))
        bare(Fresh(Path(scratch, "bare"), dist, args.python, ""))
    return 1 if problems else 0


def whole(fresh):
    """With the portable llama.cpp."""
    processor, seconds = fresh.install()
    expect("installed in a minute", processor < MOST_SECONDS, f"{processor:.0f} s of processor time, {seconds:.0f} s")
    status, codes, report = fresh.doctor()
    llama = next(c["detail"] for c in report["checks"] if c["name"] == "llama.cpp")
    expect("all is well", status == 0 and not codes - {"index-absent", "git-absent", "sandbox-absent"}, f"{codes}")
    expect("portable llama.cpp", "portable build, CPU library" in llama, llama)
    (fresh.work / "a.py").write_text(CODE, "utf-8")
    status, out, errors = fresh.graft("complete", "a.py:5:22", "--json")
    answer = json.loads(out) if status == 0 else {}
    expect("completes a line", "in(folder" in json.dumps(answer), (out or errors).strip()[:160].replace("\n", " "))
    serves(fresh, "serves")
    model = next(fresh.venv.glob("lib/python*/site-packages/graft_models/weights/*.gguf"))
    status, out, errors = fresh.graft("models", "pull", model, "--name", "mine", "--yes", "--use")
    expect("pulls from a file without a network", status == 0 and "not verified" in out, errors.strip()[-120:])
    pulled = fresh.home / "data/models/mine.gguf"
    expect("uses it", fresh.doctor()[0] == 0 and str(pulled) in (fresh.home / "config.toml").read_text())
    pulled.write_bytes(pulled.read_bytes()[:100_000])
    state(fresh, "a broken file", "model-unusable")
    pulled.unlink()
    state(fresh, "a missing file", "model-missing")
    fresh.settle("[model]\nmemoryMegabytes = 50\n")
    state(fresh, "a ceiling that is too low", "model-too-big")
    fresh.settle('[model]\ndevice = "gpu"\n')
    state(fresh, "no GPU", "model-note", broken=False)
    fresh.settle("[model]\nenable = false\n")
    state(fresh, "switched off", "model-off", broken=False)
    fresh.settle('[model]\nremote = "http://127.0.0.1:9"\n')
    state(fresh, "a server that is down", "remote-down")
    (fresh.home / "remote.key").write_text("secret")
    (fresh.home / "remote.key").chmod(0o644)
    state(fresh, "keys that others can read", "remote-key")
    (fresh.home / "remote.key").unlink()
    fresh.settle("")
    expect("indexes", fresh.graft("index")[0] == 0 and "index-absent" not in fresh.doctor("--no-model")[1])
    for database in (fresh.home / "cache/index").glob("*.sqlite"):
        database.write_bytes(b"no database" * 1000)
    state(fresh, "a damaged index", "index-damaged", "--no-model", broken=False)
    (fresh.folder / "file").write_text("")
    blocked = {"GRAFT_CACHE_DIR": str(fresh.folder / "file")}
    state(fresh, "a cache that cannot be written", "index-read-only", "--no-model", broken=False, **blocked)
    fake = fresh.folder / "fake/llama_cpp"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "llama_cpp.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    state(fresh, "an illegal instruction", "llama-illegal-instruction", PYTHONPATH=str(fake.parent))


def bare(fresh):
    """Without llama.cpp: the graph alone."""
    processor, seconds = fresh.install()
    expect("installed without llama.cpp", processor < MOST_SECONDS, f"{processor:.0f} s, {seconds:.0f} s")
    state(fresh, "no llama.cpp", "llama-absent", broken=False)
    state(fresh, "no llama.cpp", "graph-only", broken=False)
    (fresh.work / "planted.py").write_text(PLANTED, "utf-8")
    status, out, _ = fresh.graft("check", "planted.py")
    expect("checks without a model", status == 1 and "valeus" in out, out.strip()[:100])
    serves(fresh, "serves without a model")
    status, out, errors = fresh.graft("models", "recommend", "--json")
    expect("recommends without llama.cpp", status == 0 and json.loads(out)["llama_cpp"]["state"] == "absent", errors)


def serves(fresh, name):
    """The language server starts over its pipes, opens a file, completes and ends as asked."""
    uri = (fresh.work / "b.py").as_uri()
    text = "def area(width, height):\n    return width * height\n\n\nar\n"
    (fresh.work / "b.py").write_text(text, "utf-8")
    place = {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 2}}
    opened = {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}}
    messages = [
        {
            "id": 1,
            "method": "initialize",
            "params": {"processId": None, "rootUri": fresh.work.as_uri(), "capabilities": {}},
        },
        {"method": "initialized", "params": {}},
        {"method": "textDocument/didOpen", "params": opened},
        # The graph reads the folder meanwhile: asked again until it answers.
        *({"id": n, "method": "textDocument/completion", "params": place} for n in range(2, 100)),
        {"id": 100, "method": "shutdown"},
        {"method": "exit"},
    ]
    command = ["/usr/bin/unshare", "-rn", str(fresh.venv / "bin/graft"), "serve", "--stdio"]
    with subprocess.Popen(
        command,
        cwd=fresh.work,
        env=fresh.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        answers = {}
        try:
            labels = []
            for message in messages:
                if labels and message.get("id", 100) < 100:
                    continue
                if message.get("id", 1) > 2:
                    time.sleep(0.1)
                body = json.dumps({"jsonrpc": "2.0", **message}).encode()
                server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                server.stdin.flush()
                while "id" in message and message["id"] not in answers:
                    length = 0
                    while line := server.stdout.readline().strip():
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    answer = json.loads(server.stdout.read(length))
                    if "method" not in answer:
                        answers[answer["id"]] = answer
                    elif "id" in answer:
                        reply = json.dumps({"jsonrpc": "2.0", "id": answer["id"], "result": None}).encode()
                        server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(reply), reply))
                        server.stdin.flush()
                found = answers.get(message.get("id"), {}).get("result") or {}
                labels = labels or [item["label"] for item in found.get("items", [])]
            status = server.wait(30)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            server.kill()
            expect(name, False, f"{error}: {server.stderr.read()[-300:]!r}")
            return
    expect(name, status == 0 and "area" in labels, f"exit {status}, completes {labels[:3]}")


def state(fresh, name, code, *arguments, broken=True, **environment):
    """One state of the machine: its code, and whether the exit status says that something is broken."""
    status, codes, report = fresh.doctor(*arguments, **environment)
    detail = next((c["detail"] for c in report["checks"] if c["code"] == code), f"codes {sorted(codes)}")
    expect(f"doctor: {name} ({code})", code in codes and status == int(broken), detail[:140])


if __name__ == "__main__":
    sys.exit(main())
