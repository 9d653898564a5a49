"""Build llama-cpp-python so that it runs on any x86-64 (or arm64) Linux, and pack it small.

    python3 .ci/portable.py [--out dist]

llama.cpp is built with one library per generation of processors (GGML_CPU_ALL_VARIANTS) that is chosen when it is
loaded, and without OpenMP, whose runtime is not on every machine (`bench/portable_speed.py` compares the speeds).  The
wheel is repacked: headers, build files, second copies and the library for AMX tiles are left out, llama.cpp's licence
is added, and the tag says which C library it needs, read from the symbols it asks for.  Building takes about 15 minutes
of two cores; the result is kept in .work/portable, named by a digest of what it was made from, and found again there.
"""

import argparse
import base64
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from install import COMPILED, ROOT, locked

KEPT = ROOT / ".work/portable"
CMAKE_ARGS = (
    "-DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_EXAMPLES=OFF "
    "-DLLAMA_BUILD_TESTS=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON "
    "-DGGML_CPU_ALL_VARIANTS=ON -DGGML_OPENMP=OFF -DCMAKE_INSTALL_RPATH=$ORIGIN -DCMAKE_INSTALL_BINDIR=llama_cpp/lib "
    "-DCMAKE_INSTALL_LIBDIR=llama_cpp/lib -DCMAKE_INSTALL_INCLUDEDIR=llama_cpp/include"
)
# GCC up to 12.3 drops the stores that ldtilecfg reads (bug 114098): the kernels for AMX tiles crash.
DROPPED_VARIANTS = ("sapphirerapids",)
NOT_GIVEN = re.compile(
    r"^(?:include/|lib/|bin/|llama_cpp/include/|llama_cpp/lib/(?:cmake|pkgconfig)/|llama_cpp/server/)"
)
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def main():
    """Build or find, and copy into --out; returns 0, or pip's exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    args = parser.parse_args()
    wheel = portable_wheel()
    if wheel is None:
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / wheel.name).write_bytes(wheel.read_bytes())
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    return 0


def portable_wheel():
    """The packed wheel, built if it is not there yet; None (and the end of pip's output) if that failed."""
    folder = KEPT / digest()
    found = sorted(folder.glob("*.whl"))
    if found:
        return found[0]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="graft-portable-") as scratch:
        built = build(Path(scratch), folder / "build.log")
        return None if built is None else repack(*built, folder)


def digest():
    """Of what the wheel is made from: the pinned version, the options, this file."""
    text = locked(COMPILED) + CMAKE_ARGS + Path(__file__).read_text("utf-8")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build(scratch, log):
    """Let pip build the pinned version's source distribution; (the wheel as it comes, llama.cpp's licence), or None."""
    pip = [sys.executable, "-m", "pip"]
    fetched = [*pip, "download", "--quiet", "--no-deps", "--no-binary", COMPILED, "--dest", str(scratch)]
    if subprocess.run([*fetched, locked(COMPILED)]).returncode:
        return None
    source = next(scratch.glob("*.tar.gz"))
    with tarfile.open(source) as archive:
        name = next(n for n in archive.getnames() if n.endswith("/vendor/llama.cpp/LICENSE"))
        licence = archive.extractfile(name).read()
    command = [*pip, "wheel", "--verbose", "--no-cache-dir", "--no-deps", "--wheel-dir", str(scratch), str(source)]
    environment = {**os.environ, "CMAKE_ARGS": CMAKE_ARGS}
    environment.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
    print(
        f"building the portable llama.cpp, about 15 minutes on two cores; output in {log.relative_to(ROOT)}", flush=True
    )
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    if done.returncode:
        print("\n".join(log.read_text("utf-8", "replace").splitlines()[-20:]), file=sys.stderr)
        return None
    return next(scratch.glob("*.whl")), licence


def repack(raw, licence, folder):
    """A smaller wheel with a true tag, the same bytes for the same input; its path below `folder`."""
    with zipfile.ZipFile(raw) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if wanted(name)}
    info = next(name.split("/")[0] for name in files if name.endswith(".dist-info/WHEEL"))
    files = {name: data for name, data in files.items() if not duplicate(name, files)}
    variants = sorted(m[1] for name in files if (m := re.search(r"libggml-cpu-([\w.]+?)\.so$", name)))
    if len(variants) < 5:
        raise SystemExit(f"only these CPU libraries were built: {variants}")
    tag = f"py3-none-{platform_tag(files)}"
    name = f"{info.removesuffix('.dist-info')}-{tag}.whl"
    wheel_text = files[f"{info}/WHEEL"].decode()
    files[f"{info}/WHEEL"] = re.sub(r"(?m)^Tag: .*$", f"Tag: {tag}", wheel_text).encode()
    files.pop(f"{info}/RECORD")
    files[f"{info}/licenses/LICENSE.llama.cpp"] = licence
    record = [f"{path},sha256={urlsafe(data)},{len(data)}" for path, data in sorted(files.items())]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    target = folder / name
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path, data in sorted(files.items(), key=lambda item: (".dist-info/" in item[0], item[0])):
            entry = zipfile.ZipInfo(path, FIXED_TIME)
            entry.external_attr = (0o755 if path.endswith(".so") or ".so." in path else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, data)
    partial.replace(target)
    print(f"CPU libraries: {', '.join(variants)}")
    return target


def wanted(name):
    """Whether a file of the wheel is needed for running."""
    unused = any(f"-{variant}." in name for variant in DROPPED_VARIANTS) or "/libllama-common." in name
    return not NOT_GIVEN.match(name) and not unused


def duplicate(name, files):
    """Whether a library lies there under another name too: lib.so, lib.so.0 and lib.so.0.1 are three copies.

    Kept are those that are looked for: by the loader (lib.so.0), and by Python (libllama.so, libggml.so).
    """
    found = re.match(r"(.*/lib([\w.+-]+?)\.so)(\.\d+)?((?:\.\d+)*)$", name)
    if found is None or "/libggml-cpu-" in name:
        return False
    plain, library, major, minor = found.groups()
    if minor:
        return True
    if library == "llama":
        # Nothing is linked against it.
        return bool(major)
    return library != "ggml" and not major and any(other.startswith(plain + ".") for other in files)


def platform_tag(files):
    """manylinux_2_N_ARCH by the newest C library that any symbol asks for; refuses what is not on every machine."""
    newest = (2, 17)
    for name, data in files.items():
        if ".so" not in name.rsplit("/", 1)[-1]:
            continue
        newest = max([newest, *((2, int(m)) for m in re.findall(rb"\bGLIBC_2\.(\d+)\b", data))])
        if b"libgomp.so" in data:
            raise SystemExit(f"{name} needs libgomp, which is not on every machine")
        cxx = max((int(m) for m in re.findall(rb"\bGLIBCXX_3\.4\.(\d+)\b", data)), default=0)
        if cxx > 30:
            raise SystemExit(f"{name} needs libstdc++ with GLIBCXX_3.4.{cxx}; Debian 12 has 30")
    return f"manylinux_2_{newest[1]}_{os.uname().machine}"


def urlsafe(data):
    """SHA-256 as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    sys.exit(main())
