"""What a release is made of: versions, notes, checksums, signatures; and that the portable wheel is packed truly."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    """A script of .ci as a module."""
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / ".ci"))


release, portable = script("release"), script("portable")


def test_versions_agree() -> None:
    assert release.disagreements(release.version()) == []


def test_a_wrong_version_and_a_missing_section_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said = " ".join(release.disagreements("99.0.0", released=True))
    assert "package.json says" in said and "no section for 99.0.0" in said
    assert any("no version like" in p for p in release.disagreements("1.0"))
    monkeypatch.setattr(release, "version", lambda: "99.0.0")
    assert release.check() == 1 and release.notes() == 1


def test_sections_of_the_changelog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CHANGELOG.md").write_text("# C\n\n## Unreleased\n\n- new\n\n## 0.2.0 (2027-01-01)\n\n- old\n- older\n")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert release.section("Unreleased") == "- new"
    assert release.section("0.2.0") == "- old\n- older"
    assert release.section("0.2") is None or "old" not in str(release.section("0.20"))


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path]:
    """(dist with signed checksums, allowed signers), by a key made for this test."""
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / "a.whl").write_bytes(b"wheel")
    (dist / "b.vsix").write_bytes(b"extension")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"{release.IDENTITY} {key.with_suffix('.pub').read_text()}")
    assert release.sign(str(key), dist) == 0
    return dist, signers


needs_ssh = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None and not os.environ.get("CI"), reason="no ssh-keygen (in CI it must be there)"
)


@needs_ssh
def test_a_signed_folder_verifies(signed: tuple[Path, Path]) -> None:
    dist, signers = signed
    assert release.verify(str(signers), dist) == 0
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=dist, capture_output=True)
    assert done.returncode == 0


@needs_ssh
def test_changed_files_and_foreign_signatures_do_not(signed: tuple[Path, Path], tmp_path: Path) -> None:
    dist, signers = signed
    (dist / "a.whl").write_bytes(b"other")
    assert release.verify(str(signers), dist) == 1
    release.write_sums(dist)
    assert release.verify(str(signers), dist) == 1
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    assert release.sign(str(other), dist) == 0
    assert release.verify(str(signers), dist) == 1


def test_the_workflow_runs_commands_that_are_there() -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text()
    for command in re.findall(r"\.ci/(\w+(?:\.py)?)", text):
        assert (ROOT / ".ci" / command).exists(), command
    for action in re.findall(r"release\.py (\w+)", text):
        assert callable(getattr(release, action)), action


def elf(*symbols: str) -> bytes:
    return b"\x7fELF" + b"\0".join(s.encode() for s in ("", *symbols, ""))


def built(path: Path, **changed: bytes) -> Path:
    """A wheel as scikit-build makes it, with stand-ins for libraries."""
    lib = "llama_cpp/lib"
    files = {
        "llama_cpp/__init__.py": b"",
        "include/llama.h": b"",
        "lib/libllama.so": elf(),
        f"{lib}/cmake/ggml.cmake": b"",
        **{f"{lib}/libllama{s}": elf("GLIBC_2.34", "GLIBCXX_3.4.30") for s in (".so", ".so.0", ".so.0.5")},
        **{f"{lib}/libggml{s}": elf() for s in (".so", ".so.0", ".so.0.25")},
        **{f"{lib}/libggml-base{s}": elf("GLIBC_2.29") for s in (".so", ".so.0", ".so.0.25")},
        **{f"{lib}/libllama-common{s}": elf() for s in (".so", ".so.0", ".so.0.5")},
        **{
            f"{lib}/libggml-cpu-{v}.so": elf()
            for v in ("x64", "haswell", "icelake", "zen4", "alderlake", "sapphirerapids")
        },
        "p-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-linux_x86_64\n\n",
        "p-1.dist-info/METADATA": b"Name: p\n",
        "p-1.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**files, **changed}.items():
            archive.writestr(name, data)
    return path


def test_the_portable_wheel_holds_what_is_opened_and_nothing_twice(tmp_path: Path) -> None:
    wheel = portable.repack(built(tmp_path / "raw.whl"), b"MIT", tmp_path)
    assert wheel.name.startswith("p-1-py3-none-manylinux_2_34_")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        tag = archive.read("p-1.dist-info/WHEEL").decode()
        record = archive.read("p-1.dist-info/RECORD").decode()
    libraries = {n.rsplit("/", 1)[1] for n in names if ".so" in n}
    assert libraries == {
        *("libllama.so", "libggml.so", "libggml.so.0", "libggml-base.so.0"),
        *(f"libggml-cpu-{v}.so" for v in ("x64", "haswell", "icelake", "zen4", "alderlake")),
    }
    assert f"Tag: {wheel.stem.split('-', 2)[2]}" in tag and "p-1.dist-info/licenses/LICENSE.llama.cpp" in names
    assert {line.split(",")[0] for line in record.split()} == names
    again = portable.repack(tmp_path / "raw.whl", b"MIT", tmp_path)
    assert again == wheel


@pytest.mark.parametrize(
    ("symbols", "says"), [(("libgomp.so.1",), "needs libgomp"), (("GLIBCXX_3.4.32",), "needs libstdc")]
)
def test_libraries_that_are_not_everywhere_are_refused(tmp_path: Path, symbols: tuple[str, ...], says: str) -> None:
    raw = built(tmp_path / "raw.whl", **{"llama_cpp/lib/libggml-cpu-zen4.so": elf(*symbols)})
    with pytest.raises(SystemExit, match=says):
        portable.repack(raw, b"MIT", tmp_path)
