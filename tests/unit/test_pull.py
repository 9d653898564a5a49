"""Fetching models: from servers that cut, lie, redirect and stall, through proxies, from files, onto full disks."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import random
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graft_models import pull as pull_module
from graft_models.catalog import read_record
from graft_models.pull import Progress, Pulled, PullError, Wanted, mirrored, pull
from graft_testing import faulty_http as web
from graft_testing.tiny_gguf import write


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("model") / "tiny.gguf").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fetch(source: str, folder: Path, env: Mapping[str, str] | None = None, **known: Any) -> Pulled:
    """Pull without waiting between attempts; GRAFT_PULL_TOKEN and proxies only as `env` says."""
    waits: list[float] = known.pop("waits", [])
    report = known.pop("report", lambda progress: None)
    wanted = Wanted("m.gguf", source, **known)
    return pull(wanted, folder, report=report, environment=env or {}, sleep=waits.append, timeout=5)


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_a_whole_file_is_verified_recorded_and_not_fetched_twice(model: bytes, folder: Path) -> None:
    with web.serving(model) as server:
        seen: list[Progress] = []
        done = fetch(server.address + "/x", folder, sha256=digest(model).upper(), size=len(model), report=seen.append)
        assert done.verified and done.fetched == len(model) and done.path.read_bytes() == model
        again = fetch(server.address + "/x", folder, sha256=digest(model))
        assert again.fetched == 0 and again.verified and len(server.seen) == 1
    assert seen[-1].done == seen[-1].total == len(model)
    record = read_record(done.path)
    assert record is not None and record["verified"] and record["sha256"] == digest(model)
    assert left(folder) == ["m.gguf", "m.gguf.json"]


def test_without_a_digest_what_was_seen_is_recorded(model: bytes, folder: Path) -> None:
    with web.serving(model) as server:
        done = fetch(server.address, folder, licence="MIT")
    record = read_record(done.path)
    assert record is not None
    assert (record["verified"], record["sha256"], record["licence"]) == (False, digest(model), "MIT")


def test_cut_connections_are_resumed(model: bytes, folder: Path) -> None:
    third = len(model) // 3
    with web.serving(model, web.cut(third), web.nothing, web.cut(2 * third), web.whole) as server:
        waits: list[float] = []
        done = fetch(server.address, folder, sha256=digest(model), waits=waits)
        assert done.path.read_bytes() == model and done.fetched == len(model)
        asked = [s.headers.get("range", "") for s in server.seen]
        assert asked == ["", f"bytes={third}-", f"bytes={third}-", f"bytes={2 * third}-"]
        assert {s.headers.get("if-range") for s in server.seen[1:]} == {web.ETAG}
    assert len(waits) == 3


def test_a_later_command_goes_on_where_the_first_gave_up(model: bytes, folder: Path) -> None:
    half = len(model) // 2
    with web.serving(model, web.cut(half), web.nothing) as server, pytest.raises(PullError, match="gave up after 5"):
        fetch(server.address + "/f", folder, sha256=digest(model))
    assert (folder / "m.gguf.part").stat().st_size == half
    address = server.address
    with web.serving(model) as server:
        # Another address: what lies there belongs to the first one, and is not trusted.
        assert fetch(server.address + "/f", folder, sha256=digest(model)).fetched == len(model)
    assert address != server.address


def test_the_same_address_resumes_in_a_later_command(model: bytes, folder: Path) -> None:
    half = len(model) // 2
    with web.serving(model, web.cut(half), *[web.nothing] * 5, web.whole) as server:
        with pytest.raises(PullError):
            fetch(server.address, folder)
        done = fetch(server.address, folder)
        assert done.fetched == len(model) - half and done.path.read_bytes() == model


def test_a_server_that_cannot_resume_begins_anew(model: bytes, folder: Path) -> None:
    with web.serving(model, web.cut(1000), web.no_resume) as server:
        assert fetch(server.address, folder, sha256=digest(model)).path.read_bytes() == model


def test_without_anything_to_recognise_the_file_by_it_begins_anew(model: bytes, folder: Path) -> None:
    with web.serving(model, web.unnamed(1000), web.whole) as server:
        assert fetch(server.address, folder).path.read_bytes() == model
        assert "range" not in server.seen[1].headers
    with web.serving(model, web.unnamed(1000), web.whole) as server:
        # With a digest it may go on: the digest decides in the end.
        assert fetch(server.address, folder / "b", sha256=digest(model)).path.read_bytes() == model
        assert server.seen[1].headers["range"] == "bytes=1000-"


def test_another_part_than_asked_for_is_not_appended(model: bytes, folder: Path) -> None:
    with web.serving(model, web.cut(1000), web.other_part, web.whole) as server:
        assert fetch(server.address, folder, sha256=digest(model)).path.read_bytes() == model


def test_a_part_longer_than_the_file_begins_anew(model: bytes, folder: Path) -> None:
    with web.serving(model + b"x" * 500, web.cut(len(model) + 400), *[web.nothing] * 5) as server:
        with pytest.raises(PullError):
            fetch(server.address, folder)
        server.content, server.behaviours = model, [web.whole]
        assert fetch(server.address, folder, sha256=digest(model)).path.read_bytes() == model


def test_a_part_that_is_whole_is_not_fetched_again(model: bytes, folder: Path) -> None:
    # The process ended after the last byte and before the file was put in its place: a cut one byte after the end.
    with web.serving(model, web.cut(len(model) - 1), *[web.nothing] * 5) as server:
        with pytest.raises(PullError):
            fetch(server.address, folder, sha256=digest(model))
        part = folder / "m.gguf.part"
        part.write_bytes(model)
        server.behaviours = [web.whole]
        found = fetch(server.address, folder, sha256=digest(model))
    assert found.path.read_bytes() == model
    assert found.fetched == 0


def test_a_key_for_this_machine_is_not_shown_to_a_proxy(model: bytes, folder: Path) -> None:
    with web.serving(model) as server, web.serving(model) as proxy:
        environment = {"GRAFT_PULL_TOKEN": "secret", "http_proxy": proxy.address}
        fetch(server.address, folder, env=environment, sha256=digest(model))
        assert not any("authorization" in one.headers for one in [*server.seen, *proxy.seen])


def test_wrong_length_and_wrong_digest_install_nothing(model: bytes, folder: Path) -> None:
    with web.serving(model) as server:
        with pytest.raises(PullError, match="not the same file"):
            fetch(server.address, folder, size=len(model) + 1)
        with pytest.raises(PullError, match=f"SHA-256 is {digest(model)}, expected 0000.*nothing was installed"):
            fetch(server.address, folder, sha256="0" * 64)
        assert len(server.seen) == 2
    assert left(folder) == []


def test_a_server_that_says_no_length(model: bytes, folder: Path) -> None:
    def lengthless(h: web.Handler) -> None:
        h.send_response(200)
        h.end_headers()
        h.wfile.write(h.faulty.content)

    with web.serving(model, lengthless) as server:
        assert fetch(server.address, folder).size == len(model)
    with web.serving(model[:-100], lengthless) as server, pytest.raises(PullError, match="cut off"):
        fetch(server.address, folder / "b")
    assert left(folder / "b") == []


def test_a_login_page_is_no_model(model: bytes, folder: Path) -> None:
    with web.serving(model, web.page) as server, pytest.raises(PullError, match="no GGUF file but a web page"):
        fetch(server.address, folder)
    assert left(folder) == []


def test_redirects(model: bytes, folder: Path) -> None:
    with web.serving(model) as far, web.serving(model, web.redirect(far.address + "/y")) as near:
        token = {"GRAFT_PULL_TOKEN": "secret"}
        assert fetch(near.address, folder, token, sha256=digest(model)).path.read_bytes() == model
        assert near.seen[0].headers["authorization"] == "Bearer secret"
        assert "authorization" not in far.seen[0].headers
    with web.serving(model, web.redirect("/round")) as server, pytest.raises(PullError):
        fetch(server.address, folder / "b")
    assert len(server.seen) <= 6
    with web.serving(model, web.redirect("file:///etc/passwd")) as server, pytest.raises(PullError, match="file"):
        fetch(server.address, folder / "b")
    away = web.redirect("http://models.example/x")
    with web.serving(model, away) as server, pytest.raises(PullError, match="plain http and no SHA-256"):
        fetch(server.address, folder / "b")


def test_redirects_never_leave_tls(model: bytes, folder: Path) -> None:
    trusting = {"SSL_CERT_FILE": str(web.CERTIFICATES / "authority.pem")}
    down, says = web.redirect("http://127.0.0.1:1/x"), "from https to http: refused"
    with web.serving(model, down, tls=True) as server, pytest.raises(PullError, match=says):
        fetch(server.address, folder, trusting, sha256=digest(model))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_companys_authority_is_trusted_when_named(model: bytes, folder: Path, variable: str) -> None:
    with web.serving(model, tls=True) as server:
        with pytest.raises(PullError, match=r"certificate is not trusted.*SSL_CERT_FILE"):
            fetch(server.address, folder)
        trusting = {variable: str(web.CERTIFICATES / "authority.pem")}
        assert fetch(server.address, folder, trusting).size == len(model)


def test_certificates_that_cannot_be_read_are_one_line(model: bytes, folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pem", web.CERTIFICATES / "README.md"):
        with pytest.raises(PullError, match="no certificates could be read"):
            fetch("https://127.0.0.1:1/x", folder, {"SSL_CERT_FILE": str(path)})


def test_a_proxy_is_asked_when_the_environment_names_one(model: bytes, folder: Path) -> None:
    with web.serving(model) as proxy:
        env = {"http_proxy": proxy.address, "GRAFT_PULL_TOKEN": "secret"}
        done = fetch("http://models.example/a/m.gguf", folder, env, sha256=digest(model))
        assert done.path.read_bytes() == model
        assert [s.target for s in proxy.seen] == ["http://models.example/a/m.gguf"]
        # Over plain http a token would be anybody's.
        assert "authorization" not in proxy.seen[0].headers
    with web.serving(model, web.status(407)) as proxy, pytest.raises(PullError, match="proxy wants a name"):
        fetch("http://models.example/m.gguf", folder / "b", {"http_proxy": proxy.address}, sha256="0" * 64)
    with web.serving(model, web.nothing) as proxy, pytest.raises(PullError, match="gave up"):
        fetch("https://models.example/m.gguf", folder / "b", {"https_proxy": proxy.address})
    assert proxy.seen[0].method == "CONNECT" and proxy.seen[0].target == "models.example:443"


def test_statuses(model: bytes, folder: Path) -> None:
    busy = web.status(429, Retry_After="7")
    with web.serving(model, busy, web.status(503), web.whole) as server:
        waits: list[float] = []
        assert fetch(server.address, folder, waits=waits).size == len(model)
        assert waits[0] == 7 and len(waits) == 2
    for code, says in ((401, "GRAFT_PULL_TOKEN"), (404, "has moved"), (400, "answered 400")):
        with web.serving(model, web.status(code)) as server, pytest.raises(PullError, match=says):
            fetch(server.address, folder / "b")
        assert len(server.seen) == 1
    with web.serving(model, web.status(429, Retry_After="3600")) as server, pytest.raises(PullError, match="3600 s"):
        fetch(server.address, folder / "b")
    with web.serving(model, web.status(500)) as server, pytest.raises(PullError, match=r"500.*gave up"):
        fetch(server.address, folder / "b")
    assert len(server.seen) == 5


def test_nobody_there_and_no_http(model: bytes, folder: Path) -> None:
    with pytest.raises(PullError, match="gave up"):
        fetch("http://127.0.0.1:1/x", folder)
    with pytest.raises(PullError, match="plain http and no SHA-256 known"):
        fetch("http://models.example/x", folder)

    def garbage(h: web.Handler) -> None:
        h.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    with web.serving(model, garbage) as server, pytest.raises(PullError):
        fetch(server.address, folder)
    assert left(folder) == []


def test_ctrl_c_keeps_what_came(model: bytes, folder: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with web.serving(model) as server:
        with pytest.raises(KeyboardInterrupt):
            fetch(server.address, folder, report=stop)
        kept = (folder / "m.gguf.part").stat().st_size
        assert kept > 0 and not (folder / "m.gguf").exists()
        assert fetch(server.address, folder).path.read_bytes() == model


def test_a_disk_without_room_is_said_before_and_during(
    model: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    with web.serving(model) as server:
        with monkeypatch.context() as patch:
            patch.setattr(pull_module.shutil, "disk_usage", lambda path: Usage)
            with pytest.raises(PullError, match=r"MB are still to come, and 0 MB are free"):
                fetch(server.address, folder)
        with monkeypatch.context() as patch:

            def full(progress: Progress) -> None:
                if progress.done:
                    raise OSError(errno.ENOSPC, "No space left on device")

            with pytest.raises(PullError, match=r"disk is full.*is kept"):
                fetch(server.address, folder, report=full)
        assert fetch(server.address, folder).path.read_bytes() == model


def test_from_a_file(model: bytes, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "usb.gguf"
    source.write_bytes(model)
    assert fetch(str(source), folder, sha256=digest(model), size=len(model)).path.read_bytes() == model
    with pytest.raises(PullError, match="not all of it"):
        fetch(str(source), folder / "b", size=len(model) + 5)
    with pytest.raises(PullError, match="no such file"):
        fetch(str(tmp_path / "absent"), folder / "b")
    source.write_bytes(model[:-1])
    with pytest.raises(PullError, match="cut off"):
        fetch(str(source), folder / "b")
    assert left(folder / "b") == []


def test_another_file_in_its_place_is_not_overwritten(model: bytes, folder: Path) -> None:
    folder.mkdir()
    (folder / "m.gguf").write_bytes(b"mine")
    with pytest.raises(PullError, match="is another file"):
        fetch("http://127.0.0.1:1", folder, sha256=digest(model))
    assert (folder / "m.gguf").read_bytes() == b"mine"


def _hold(part: str, ready: Any, release: Any) -> None:
    with pull_module._locked(Path(part)):
        ready.set()
        release.wait(20)


def test_two_at_once(model: bytes, folder: Path) -> None:
    folder.mkdir()
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(folder / "m.gguf.part"), ready, release))
    holder.start()
    try:
        assert ready.wait(20)
        with pytest.raises(PullError, match=r"another graft is fetching m.gguf"):
            fetch("http://127.0.0.1:1", folder)
    finally:
        release.set()
        holder.join()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PullError, match="file"):
        fetch("http://127.0.0.1:1", tmp_path / "file" / "models")


def test_mirrors() -> None:
    source = "https://models.example/a/b.gguf?x=1"
    assert mirrored(source, "https://mirror.example/hf/") == "https://mirror.example/hf/a/b.gguf?x=1"
    with pytest.raises(PullError, match="a mirror is an address"):
        mirrored(source, "mirror.example")


def test_random_cuts_always_end_in_the_same_file(model: bytes, tmp_path: Path) -> None:
    for seed in range(6):
        random_ = random.Random(seed)
        cuts = sorted(random_.sample(range(1, len(model)), 4))
        kinds = [random_.choice([web.cut(c), web.cut(c), web.unnamed(c), web.status(503)]) for c in cuts]
        with web.serving(model, *kinds, web.whole) as server:
            done = fetch(server.address, tmp_path / str(seed), sha256=digest(model))
        assert done.path.read_bytes() == model


def test_the_record_is_private_and_whole(model: bytes, folder: Path) -> None:
    with web.serving(model) as server:
        done = fetch(server.address, folder)
    record = done.path.with_name("m.gguf.json")
    assert record.stat().st_mode & 0o777 == 0o600
    assert json.loads(record.read_text())["size"] == len(model)


def test_verification_is_never_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from graft_models.network import tls_context

    context = tls_context({})
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
