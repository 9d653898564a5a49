"""The sandbox: what runs in it can change, reach and leave nothing."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graft_server.repair.sandbox import (
    Limits,
    Sandbox,
    SandboxError,
    clean_environment,
    namespaces_refused,
    writable_folders,
)

HOME = Path.home()
REFUSED = namespaces_refused()
MODES = ["copy"] if REFUSED else ["overlay", "copy"]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "work space"
    (root / "sub").mkdir(parents=True)
    (root / "a.py").write_text("VALUE = 1\n")
    (root / "sub" / "b.txt").write_text("keep\n")
    (root / "link").symlink_to("a.py")
    return root


@pytest.fixture(params=MODES)
async def box(request: pytest.FixtureRequest, workspace: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(workspace, request.param) as sandbox:
        yield sandbox


def snapshot(root: Path) -> dict[str, bytes | str]:
    """Every file's bytes, every link's target."""
    return {
        str(p.relative_to(root)): str(p.readlink()) if p.is_symlink() else p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


def script(text: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text)]


async def test_writes_and_deletions_never_reach_the_tree(box: Sandbox, workspace: Path) -> None:
    before = snapshot(workspace)
    code = """
        import os, shutil
        open('a.py', 'a').write('x')
        open('new', 'w').write('x')
        shutil.rmtree('sub')
        os.unlink('link')
        print(sorted(os.listdir('.')))
    """
    for _ in range(2):  # and the next job sees nothing of it
        result = await box.run(script(code), cwd=workspace)
        assert result.rc == 0, result.output
        assert "['a.py', 'new']" in result.output
    assert snapshot(workspace) == before


async def test_a_patch_is_seen_and_gone_after(box: Sandbox, workspace: Path) -> None:
    patched = await box.run(script("import a; print(a.VALUE)"), cwd=workspace, files={"a.py": b"VALUE = 2\n"})
    assert patched.output == "2\n"
    again = await box.run(script("import a; print(a.VALUE)"), cwd=workspace)
    assert again.output == "1\n"


async def test_limits(box: Sandbox, workspace: Path) -> None:
    began = time.monotonic()
    slow = await box.run(script("import time; time.sleep(60)"), cwd=workspace, limits=Limits(wall=0.5))
    assert (slow.killed, slow.rc) == ("time", -9)
    assert time.monotonic() - began < 10
    loud = await box.run(script("while True: print('x' * 9999)"), cwd=workspace, limits=Limits(output_bytes=1 << 20))
    assert loud.killed == "output"
    assert len(loud.output) < 1 << 20
    greedy = await box.run(script("x = bytearray(900 << 20)"), cwd=workspace, limits=Limits(memory_bytes=500 << 20))
    assert "MemoryError" in greedy.output
    after = await box.run(script("print('well')"), cwd=workspace)
    assert after.output == "well\n"


async def test_processes_that_hide_are_ended(box: Sandbox, workspace: Path) -> None:
    mark = workspace / "alive"
    code = f"""
        import os, subprocess
        subprocess.Popen(["setsid", "sh", "-c", "sleep 2; touch '{mark}'"])
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                import time
                time.sleep(2)
                open({str(mark)!r}, "w")
            os._exit(0)
    """
    result = await box.run(script(code), cwd=workspace)
    assert result.rc == 0, result.output
    await box.close()
    await asyncio.sleep(2.5)
    assert not mark.exists()


async def test_a_fork_bomb_ends(box: Sandbox, workspace: Path) -> None:
    # Bounded: at most 400 processes, each asleep.
    code = """
        import os, time
        for _ in range(400):
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        time.sleep(30)
    """
    result = await box.run(script(code), cwd=workspace, limits=Limits(wall=20, processes=64))
    assert result.killed == "processes"
    after = await box.run(script("print('well')"), cwd=workspace)
    assert after.output == "well\n"


async def test_secrets_stay_outside(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "hidden-1")
    monkeypatch.setenv("DATABASE", "postgres://me:hidden-2@host/x")
    monkeypatch.setenv("HARMLESS", "shown")
    async with Sandbox(workspace, MODES[0]) as sandbox:  # type: ignore[arg-type]
        result = await sandbox.run(script("import os; print(dict(os.environ))"), cwd=workspace)
    assert "hidden" not in result.output
    assert "shown" in result.output


def test_clean_environment() -> None:
    kept = clean_environment(
        {
            "PATH": "/bin",
            "GITHUB_TOKEN": "x",
            "AWS_REGION": "x",
            "SSH_AUTH_SOCK": "x",
            "DB": "a://u:p@h",
            "KEYBOARD": "y",
        }
    )
    assert kept == {"PATH": "/bin", "KEYBOARD": "y"}


async def test_overlay_has_no_network_and_nothing_else_to_write(workspace: Path) -> None:
    if REFUSED:
        with pytest.raises(SandboxError):
            await Sandbox(workspace, "overlay").start()
        return
    code = """
        import os, socket
        try:
            socket.create_connection(("192.0.2.1", 80), timeout=2)
        except OSError as error:
            print(type(error).__name__, error.errno)
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname()).close()
        try:
            open("/graft-test-file", "w")
        except OSError as error:
            print("read-only", error.errno)
        home = os.path.expanduser("~/.graft-test-file")
        open(home, "w").close()
        print(os.getuid() == UID)
    """.replace("UID", str(os.getuid()))
    async with Sandbox(workspace, "overlay") as sandbox:
        result = await sandbox.run(script(code), cwd=workspace)
    assert "101" in result.output, result.output
    assert "read-only" in result.output
    assert "True" in result.output
    assert not any(path.exists() for path in (HOME / ".graft-test-file", Path("/graft-test-file")))


async def test_the_mounts_cannot_be_taken_away(workspace: Path) -> None:
    if REFUSED:
        assert REFUSED
        return
    code = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.umount2(os.getcwd().encode(), 2), libc.mount(b"none", b"/", b"", 32, b""))
    """
    async with Sandbox(workspace, "overlay") as sandbox:
        result = await sandbox.run(script(code), cwd=workspace)
    assert result.output == "-1 -1\n"


async def test_closing_leaves_no_process_and_no_folder(workspace: Path) -> None:
    for mode in MODES:
        sandbox = Sandbox(workspace, mode)  # type: ignore[arg-type]
        await sandbox.start()
        process = sandbox.process
        assert process is not None
        await sandbox.close()
        assert process.returncode is not None
        assert not sandbox.folder.exists()


async def test_copies_are_no_hard_links(workspace: Path) -> None:
    async with Sandbox(workspace, "copy") as sandbox:
        assert (sandbox.root / "a.py").stat().st_ino != (workspace / "a.py").stat().st_ino
        result = await sandbox.run(script("open('a.py', 'r+').write('zzz')"), cwd=workspace)
        assert result.rc == 0
    assert (workspace / "a.py").read_text() == "VALUE = 1\n"


def test_writable_folders_are_disjoint(tmp_path: Path) -> None:
    folders = [Path(p) for p in writable_folders(tmp_path)]
    assert all(not a.is_relative_to(b) for a in folders for b in folders if a != b)


async def test_a_workspace_that_holds_the_temporary_folder_is_refused() -> None:
    sandbox = Sandbox(Path("/"), "copy")
    with pytest.raises(SandboxError):
        await sandbox.start()
    await sandbox.close()
