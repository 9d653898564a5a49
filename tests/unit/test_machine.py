"""Memory as a container sees it, and devices as llama.cpp reports them."""

from __future__ import annotations

import os

from graft_models.llama.devices import cpu_variant
from graft_models.machine import memory, physical_cores, resident_bytes, this_machine

MEMINFO = "MemTotal: 16000 kB\nMemFree: 1 kB\nMemAvailable:  8000 kB\n"


def reader(files: dict[str, str]):  # type: ignore[no-untyped-def]
    def read(path: str) -> str:
        if path not in files:
            raise OSError(path)
        return files[path]

    return read


def test_without_a_container() -> None:
    assert memory(reader({"/proc/meminfo": MEMINFO})) == (16_384_000, 8_192_000)


def test_a_control_group_and_its_parents_limit_it() -> None:
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/b/memory.max": "max\n",
        "/sys/fs/cgroup/a/b/memory.current": "1\n",
        "/sys/fs/cgroup/a/memory.max": "5000000\n",
        "/sys/fs/cgroup/a/memory.current": "4000000\n",
        "/sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 1500000\n",
    }
    assert memory(reader(files)) == (5_000_000, 2_500_000)


def test_version_one_groups() -> None:
    base = "/sys/fs/cgroup/memory"
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/self/cgroup": "7:cpu:/x\n5:memory:/x\nnonsense\n",
        f"{base}/x/memory.limit_in_bytes": "3000000",
        f"{base}/x/memory.usage_in_bytes": "1000000",
        f"{base}/memory.limit_in_bytes": str(2**63 - 4096),
        f"{base}/memory.usage_in_bytes": "1",
    }
    assert memory(reader(files)) == (3_000_000, 2_000_000)


def test_damaged_and_missing_files_are_survived() -> None:
    for text in ("", "MemTotal: x kB\nMemAvailable: y kB\n"):
        total, available = memory(reader({"/proc/meminfo": text}))
        assert total == available
    assert memory(reader({}))[0] >= 0


def test_this_machine_has_something() -> None:
    machine = this_machine()
    assert machine.cores == physical_cores() >= 1
    assert 0 < machine.memory_available <= machine.memory_total
    assert resident_bytes(os.getpid()) > 1_000_000
    assert resident_bytes(2**22 + 1) == 0


def test_the_variant_is_read_from_the_mapped_library() -> None:
    line = "7f r-xp 0 08:01 1 /v/site-packages/llama_cpp/lib/libggml-cpu-{}.so\n"
    assert cpu_variant(line.format("zen4")) == "zen4"
    assert cpu_variant(line.format("armv8.2_1")) == "armv8.2_1"
    assert cpu_variant("/usr/lib/libggml-cpu.so.0") == ""
