"""The embedded model in llama.cpp's own programs: a file that others can read, and a peer that really runs."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def server(llama: Path, embedded_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A llama-server with the embedded model; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("llama") / "server.log"
    command = [llama / "llama-server", "-m", embedded_model, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "-t", "2", "-c", "1024"], stdout=out, stderr=out)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_healthy(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-3000:]
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8", "replace")[-3000:])


def post(address: str, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        address + path, json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_bench_reads_the_embedded_model(llama: Path, embedded_model: Path) -> None:
    done = subprocess.run(
        [llama / "llama-bench", "-m", embedded_model, "-p", "32", "-n", "8", "-r", "1", "-t", "2", "-o", "json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(done.stdout)
    assert {(r["n_prompt"], r["n_gen"]) for r in results} == {(32, 0), (0, 8)}
    assert all(r["avg_ts"] > 0 for r in results)


def test_infill(server: str) -> None:
    answer = post(
        server,
        "/infill",
        {"input_prefix": "def add(a, b):\n    return ", "input_suffix": "\n", "n_predict": 8, "temperature": 0},
    )
    assert answer["tokens_predicted"] > 0
    assert answer["tokens_evaluated"] > 0


def test_its_tokenizer_gives_the_text_back(server: str) -> None:
    text = "for item in items:\n    total += item.price  # é 😀\n"
    tokens = post(server, "/tokenize", {"content": text, "add_special": False})["tokens"]
    assert post(server, "/detokenize", {"tokens": tokens})["content"].strip() == text.strip()
