"""What a sandbox's process 1 shows of the workspace: an overlay over its own path, or a copy that is put right again.

Loaded by `inside.py` from its own folder; only the standard library, nothing of Graft.

The layout of an overlay: everything is read-only except fresh overlays over the home and temporary folders, and one
overlay over the workspace's own path that is thrown away after every job.  Their upper layers lie in a tmpfs that no
other process can see, so nothing has to be cleaned up on the disk.
"""

# Paths here are arguments of system calls as often as names of files.
# ruff: noqa: PTH101, PTH103, PTH108, PTH116, PTH118, PTH120, PTH208

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import stat
import struct
import sys
from pathlib import Path
from typing import Any

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REC, MS_BIND, MS_PRIVATE = 1, 2, 4, 16384, 4096, 1 << 18
MNT_DETACH = 2
CLONE_NEWUSER = 0x10000000
SYS_MOUNT_SETATTR = 442
AT_RECURSIVE = 0x8000
PR_SET_CHILD_SUBREAPER = 36

LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def check(result: int, what: str) -> None:
    """Raise OSError with the C library's errno if `result` is negative."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    assert LIBC is not None
    check(
        LIBC.mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), os.fsencode(data)),
        f"mount {kind or 'bind'} on {target}",
    )


def read_only_everywhere() -> bool:
    """Make every mount of this namespace read-only; False where the kernel (before 5.12) cannot."""

    class Attributes(ctypes.Structure):
        _fields_ = (
            ("set", ctypes.c_uint64),
            ("clear", ctypes.c_uint64),
            ("propagation", ctypes.c_uint64),
            ("userns", ctypes.c_uint64),
        )

    assert LIBC is not None
    attributes = Attributes(MS_RDONLY, 0, 0, 0)
    size = ctypes.sizeof(attributes)
    return bool(LIBC.syscall(SYS_MOUNT_SETATTR, -100, b"/", AT_RECURSIVE, ctypes.byref(attributes), size) == 0)


def loopback_up() -> None:
    """Tests may talk to servers of their own on localhost."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        fcntl.ioctl(link, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))


def leave_user_namespace() -> bool:
    """Enter a user namespace of this process's own, without rights over the mounts above; False where it is refused."""
    return LIBC is not None and LIBC.unshare(CLONE_NEWUSER) == 0


class Overlay:
    """The workspace's own path, copy-on-write.  The process's working folder is the private tmpfs."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.root: str = config["root"]
        self.number = 0
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        mount("tmpfs", config["private"], "tmpfs", MS_NOSUID | MS_NODEV, f"size={config['disk_bytes']},mode=0700")
        os.chdir(config["private"])
        Path("orig").mkdir()
        mount(self.root, "orig", "", MS_BIND)
        self.sealed = read_only_everywhere()
        # The seal covers our own tmpfs too; it is reached through the working folder and made writable again.
        mount("tmpfs", config["private"], "tmpfs", MS_NOSUID | MS_NODEV, f"size={config['disk_bytes']},mode=0700")
        bound = os.open("orig", os.O_PATH)
        os.chdir(config["private"])
        Path("orig").mkdir()
        mount(f"/proc/self/fd/{bound}", "orig", "", MS_BIND)
        os.close(bound)
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
        for index, folder in enumerate(config["writable"]):
            self._overlay(folder, f"w{index}", folder)
        with contextlib.suppress(OSError):
            mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=256m,mode=1777")
        loopback_up()
        self.mounted = False

    def _overlay(self, lower: str, name: str, target: str) -> None:
        for part in ("upper", "work"):
            Path(f"{name}/{part}").mkdir(parents=True)
        mode = stat.S_IMODE(os.stat(target).st_mode)
        os.chmod(f"{name}/upper", mode)
        options = f"lowerdir={lower},upperdir={name}/upper,workdir={name}/work"
        try:
            mount("overlay", target, "overlay", 0, options + ",userxattr")
        except OSError:
            mount("overlay", target, "overlay", 0, options)

    def fresh(self, files: dict[str, bytes]) -> None:
        """A new view of the workspace with `files` (by path relative to its root) in place of what is on disk."""
        self.drop()
        self.number += 1
        self._overlay("orig", f"job{self.number}", self.root)
        self.mounted = True
        for relative, data in files.items():
            write(os.path.join(self.root, relative), data, self.number)

    def drop(self) -> None:
        """Forget everything that the last job wrote into the workspace."""
        if self.mounted:
            assert LIBC is not None
            LIBC.umount2(os.fsencode(self.root), MNT_DETACH)
            self.mounted = False
            shutil.rmtree(f"job{self.number}", ignore_errors=True)

    def children(self) -> list[int]:
        """Every other process of the namespace."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


class Copy:
    """A plain copy of the workspace, put right again after every job; for systems without namespaces."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.root: str = config["root"]
        self.original: str = config["original"]
        self.sealed = False
        self.number = 0
        self.changed: list[str] = []
        if LIBC is not None:
            LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.manifest = self._scan()

    def _scan(self) -> dict[str, tuple[int, int, int]]:
        out: dict[str, tuple[int, int, int]] = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    status = os.lstat(path)
                    out[path] = (status.st_size, status.st_mtime_ns, status.st_ino)
        return out

    def fresh(self, files: dict[str, bytes]) -> None:
        """As `Overlay.fresh`."""
        self.drop()
        self.number += 1
        for relative, data in files.items():
            path = os.path.join(self.root, relative)
            self.changed.append(path)
            write(path, data, self.number)

    def drop(self) -> None:
        """Copy again every file that differs from when the sandbox began, and delete what is new."""
        now = self._scan()
        for path in sorted(now.keys() - self.manifest.keys()):
            with contextlib.suppress(OSError):
                os.unlink(path)
        for path, was in self.manifest.items():
            if now.get(path) != was:
                source = os.path.join(self.original, os.path.relpath(path, self.root))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with contextlib.suppress(OSError):
                    os.unlink(path)
                with contextlib.suppress(OSError):
                    shutil.copy2(source, path, follow_symlinks=False)
        if self.changed or now != self.manifest:
            self.manifest = self._scan()
        self.changed = []

    def children(self) -> list[int]:
        """Every descendant: those that left their session are adopted by this process (a subreaper)."""
        parents: dict[int, list[int]] = {}
        try:
            names = os.listdir("/proc")
        except OSError:
            return []
        for name in names:
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                    parents.setdefault(int(fields[1]), []).append(int(name))
        out: list[int] = []
        todo = [os.getpid()]
        while todo:
            found = parents.get(todo.pop(), [])
            out += found
            todo += found
        return out


def write(path: str, data: bytes, number: int) -> None:
    """Write a patched file.  Its time stamp differs for every job: Python trusts compiled files by time and size."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_bytes(data)
    moment = 1_000_000_000 + number
    os.utime(path, (moment, moment))
