"""Named, licensed source packages -> filtered, deduplicated, decontaminated documents with their provenance.

    python -m graft_training.corpus fetch --work DIR          download what manifest.toml names, check every checksum
    python -m graft_training.corpus build --work DIR --decontaminate FILE
    python -m graft_training.corpus table --work DIR          what build kept of each package, as CSV
    python -m graft_training.corpus lock NAME... --work DIR   print manifest entries for a person to review

`build` writes documents.jsonl (package, path, text; in repository order), heldout.jsonl (the same, never trained on),
provenance.tsv (one line per document) and stats.json (what fell out and why, by package; the corpus hash). A package
without a clear permissive licence, or that cannot be fetched as it was reviewed, is left out and listed there.
Two builds from the same artefacts are equal byte for byte. What a package came to is kept in parts/ until the end, so
that a build that was killed goes on where it was.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from graft_training import dedup, filters

MANIFEST = Path(__file__).with_name("manifest.toml")
CAP_BYTES = 6_000_000  # of one package, so that no project dominates; files are drawn by the hash of their path
RULES = 1  # raised when filters or signatures change: parts of an unfinished build are made anew
CAP_STDLIB = 3  # times as much of the standard library: it is many projects
PERMISSIVE = frozenset(
    (
        "MIT",
        "MIT-CMU",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "0BSD",
        "Apache-2.0",
        "PSF-2.0",
        "ISC",
        "Zlib",
        "CC0-1.0",
        "HPND",
        "BSL-1.0",
        "Apache-2.0 WITH LLVM-exception",
    )
)
# Free text of a licence field -> SPDX. What is not here needs a person.
SPELLINGS = {
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache Software License (Apache 2.0)": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
}
CLASSIFIERS = {
    "OSI Approved :: MIT License": "MIT",
    "OSI Approved :: BSD License": "BSD-3-Clause",
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "OSI Approved :: ISC License (ISCL)": "ISC",
}


@dataclass(frozen=True)
class Package:
    """One entry of the manifest. `artefact` is a file name, or "stdlib" for the running interpreter's own library."""

    name: str
    version: str
    artefact: str
    sha256: str
    licence: str
    role: str  # "train" or "heldout"


def read_manifest(path: Path = MANIFEST) -> list[Package]:
    """All packages, in the manifest's order. Raises ValueError or TypeError for a file that is no manifest."""
    return [Package(**entry) for entry in tomllib.loads(path.read_text("utf-8"))["package"]]


def licensed(packages: list[Package]) -> tuple[list[Package], dict[str, str]]:
    """(those under permissive licences, why the others are left out by name)."""
    reasons = {p.name: f"licence: {p.licence or 'none'}" for p in packages if not permissive(p.licence)}
    return [p for p in packages if p.name not in reasons], reasons


def permissive(expression: str) -> bool:
    """Is every part of an AND, or one part of an OR, of an SPDX expression on the list."""
    if " OR " in expression:
        return any(permissive(part) for part in expression.split(" OR "))
    return all(part.strip(" ()") in PERMISSIVE for part in expression.split(" AND "))


def sources(package: Package, folder: Path) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every Python file, sorted by path. `folder` holds the fetched artefacts."""
    if package.artefact == "stdlib":
        root = Path(sysconfig.get_paths()["stdlib"])
        skipped = {"site-packages", "__pycache__", "lib2to3", "config"}
        for file in sorted(root.rglob("*.py")):
            if not skipped & set(file.relative_to(root).parts):
                yield file.relative_to(root).as_posix(), file.read_bytes()
        return
    with zipfile.ZipFile(folder / package.artefact) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".py") and ".dist-info/" not in name and ".data/" not in name:
                yield name, archive.read(name)


def tree_hash(package: Package, folder: Path) -> str:
    """Checksum of an artefact: of the file, or of the standard library's own listing."""
    if package.artefact != "stdlib":
        return hashlib.sha256((folder / package.artefact).read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for name, raw in sources(package, folder):
        digest.update(f"{name}\0{hashlib.sha256(raw).hexdigest()}\n".encode())
    return digest.hexdigest()


def fetch(packages: list[Package], folder: Path) -> dict[str, str]:
    """Download with pip what is not there. Returns what could not be had or has another checksum: name -> why."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = {}
    for package in packages:
        if package.artefact != "stdlib" and not (folder / package.artefact).exists():
            _pip(f"{package.name}=={package.version}", folder)
        there = package.artefact == "stdlib" or (folder / package.artefact).exists()
        if not there:
            missing[package.name] = "not fetched"
        elif tree_hash(package, folder) != package.sha256:
            missing[package.name] = "another checksum"
    return missing


def _pip(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*command, "--dest", str(folder), requirement], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{requirement}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)


def lock(names: list[str], folder: Path, role: str) -> None:
    """Print a manifest entry for each name: what pip resolves it to now, with checksum and declared licence."""
    if "stdlib" in names:
        package = Package("cpython", sys.version.split()[0], "stdlib", "", "PSF-2.0", role)
        _print_entry(package, tree_hash(package, folder))
    for name in names:
        if name == "stdlib":
            continue
        key = name.replace("-", "_").lower()
        found = [f for f in sorted(folder.glob("*.whl")) if f.name.split("-")[0].lower() == key]
        if not found:
            _pip(name, folder)
            found = [f for f in sorted(folder.glob("*.whl")) if f.name.split("-")[0].lower() == key]
        if not found:
            print(f"# {name}: no wheel")
            continue
        licence, version = _metadata(found[-1])
        package = Package(name, version, found[-1].name, "", licence, role)
        comment = "" if permissive(licence) else "# not permissive or unclear: "
        _print_entry(package, tree_hash(package, folder), comment)


def _metadata(wheel: Path) -> tuple[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))
    licence = headers.get("License-Expression")
    for classifier in headers.get_all("Classifier") or []:
        licence = licence or CLASSIFIERS.get(classifier.removeprefix("License :: "))
    if licence is None:
        declared = str(headers.get("License", "none"))[:40]
        licence = SPELLINGS.get(declared, declared)
    return licence, str(headers["Version"])


def _print_entry(package: Package, checksum: str, comment: str = "") -> None:
    print(f'{comment}[[package]]\n{comment}name = "{package.name}"\n{comment}version = "{package.version}"')
    print(f'{comment}artefact = "{package.artefact}"\n{comment}sha256 = "{checksum}"')
    print(f'{comment}licence = "{package.licence}"\n{comment}role = "{package.role}"\n')


_contamination: frozenset[int] = frozenset()
_contamination_digest = ""
Stats = dict[str, Any]
REASONS = (
    *("contaminated", "cap", "generated", "data", "minified", "long", "short", "vendored", "secret", "syntax"),
    *("encoding", "exact", "near", "contaminated_tokens"),
)


def _start_worker(decontaminate: Path | None) -> None:
    global _contamination, _contamination_digest
    _contamination = dedup.read_contamination(decontaminate) if decontaminate else frozenset()
    _contamination_digest = hashlib.sha256(decontaminate.read_bytes()).hexdigest() if decontaminate else ""


Job = tuple[Package, Path, int, Path]
Read = tuple[Package, list[tuple[str, str, int, Any]], collections.Counter[str]]


def _read(job: Job) -> Read:
    """`_filtered`, from the part that an earlier build left, or leaving one."""
    package, _, cap, parts = job
    key = repr((package, cap, _contamination_digest, RULES)).encode()
    part = parts / f"{package.name}-{hashlib.sha256(key).hexdigest()[:16]}.pickle"
    try:
        found: Read = pickle.loads(part.read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError):
        found = _filtered(job)
        partial = part.with_suffix(f".{os.getpid()}")
        partial.write_bytes(pickle.dumps(found))
        partial.replace(part)
    return found


def _filtered(job: Job) -> Read:
    """One package, filtered: its documents (path, text, tokens, signature), and counts of what fell out and why."""
    package, folder, cap, _ = job
    dropped: collections.Counter[str] = collections.Counter()
    kept: list[tuple[str, str]] = []
    for path, raw in sources(package, folder):
        text = filters.decode(raw)
        reason = "encoding" if text is None else filters.reason_to_drop(path, text)
        if reason is not None or text is None:
            dropped[reason or "encoding"] += 1
        else:
            kept.append((path, text))
    by_hash = sorted(kept, key=lambda d: hashlib.sha256(f"{package.name}/{d[0]}".encode()).digest())
    chosen: set[str] = set()
    size = 0
    for path, text in by_hash:
        size += len(text)
        if size <= cap * (CAP_STDLIB if package.artefact == "stdlib" else 1) or package.role == "heldout":
            chosen.add(path)
        else:
            dropped["cap"] += 1
    documents = []
    for path, text in kept:
        if path not in chosen:
            continue
        words = dedup.tokens(text)
        if package.role == "train" and dedup.contaminated(words, _contamination):
            dropped["contaminated"] += 1
            dropped["contaminated_tokens"] += len(words)
            continue
        documents.append((path, text, len(words), dedup.signature(dedup.token_hashes(words))))
    if dropped["contaminated"] > len(documents):
        dropped["contaminated_package"] += len(documents)
        documents = []
    return package, documents, dropped


def build(
    packages: list[Package],
    folder: Path,
    work: Path,
    decontaminate: Path | None,
    jobs: int,
    cap: int,
    left_out: dict[str, str] | None = None,
) -> Stats:
    """Write the four files into `work`; returns what stats.json holds. Held-out packages come first, so that what
    repeats them anywhere falls out of the training documents. `left_out` (name -> why) is only listed."""
    parts = work / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    ordered = sorted(packages, key=lambda p: (p.role != "heldout", p.artefact != "stdlib", p.name))
    read = []
    with multiprocessing.get_context("spawn").Pool(jobs, _start_worker, (decontaminate,)) as pool:
        for package, documents, dropped in pool.imap(_read, [(p, folder, cap, parts) for p in ordered]):
            read.append((package, documents, dropped))
            print(f"{package.name:24} {len(documents):5} documents, left out: {dict(dropped)}", flush=True)
    signatures, seen = [], set()
    exact: set[tuple[int, int]] = set()
    places: list[tuple[int, int]] = []
    for p, (_, documents, _) in enumerate(read):
        for d, (_, text, _, sig) in enumerate(documents):
            raw_digest = hashlib.sha256(text.encode()).digest()
            if raw_digest in seen:
                exact.add((p, d))
                continue
            seen.add(raw_digest)
            signatures.append(sig)
            places.append((p, d))
    near = {places[index] for index in dedup.near_duplicates(signatures)}
    corpus = hashlib.sha256()
    by_package: dict[str, Any] = {}
    totals: collections.Counter[str] = collections.Counter()
    with (
        (work / "documents.jsonl").open("w", encoding="utf-8") as train,
        (work / "heldout.jsonl").open("w", encoding="utf-8") as heldout,
        (work / "provenance.tsv").open("w", encoding="utf-8") as provenance,
    ):
        provenance.write("sha256\tpackage\tversion\tlicence\trole\tpath\tbytes\n")
        for p, (package, documents, dropped) in enumerate(read):
            sizes = [0, 0, 0]
            for d, (path, text, words, _) in enumerate(documents):
                if (p, d) in exact or (p, d) in near:
                    dropped["exact" if (p, d) in exact else "near"] += 1
                    continue
                digest = hashlib.sha256(text.encode()).hexdigest()
                line = json.dumps({"package": package.name, "path": path, "text": text}, ensure_ascii=False)
                (train if package.role == "train" else heldout).write(line + "\n")
                row = (digest, package.name, package.version, package.licence, package.role, path)
                provenance.write("\t".join((*row, str(len(text.encode())))) + "\n")
                sizes = [sizes[0] + 1, sizes[1] + len(text.encode()), sizes[2] + words]
                if package.role == "train":
                    corpus.update(f"{package.name}\0{path}\0{digest}\n".encode())
            by_package[package.name] = {
                "role": package.role,
                "licence": package.licence,
                "documents": sizes[0],
                "bytes": sizes[1],
                "words": sizes[2],
                "left_out": dict(sorted(dropped.items())),
            }
            for key, size in zip(("documents", "bytes", "words"), sizes, strict=True):
                totals[f"{package.role}_{key}"] += size
            totals.update({f"left_out_{reason}": count for reason, count in dropped.items()})
    stats = {"corpus_hash": corpus.hexdigest(), "totals": dict(sorted(totals.items())), "packages": by_package}
    stats["left_out_packages"] = dict(sorted((left_out or {}).items()))
    (work / "stats.json").write_text(json.dumps(stats, indent=1), "utf-8")
    shutil.rmtree(parts)
    return stats


def table(packages: list[Package], stats: Stats) -> Iterator[str]:
    """CSV lines: each package with its licence, what was kept of it, how many documents fell out for which reason."""
    yield ",".join(("package", "version", "licence", "role", "documents", "bytes", "words", *REASONS))
    for package in packages:
        kept = stats["packages"].get(package.name)
        if kept is None:
            continue
        numbers = [kept["documents"], kept["bytes"], kept["words"], *(kept["left_out"].get(r, 0) for r in REASONS)]
        yield ",".join((package.name, package.version, package.licence, package.role, *map(str, numbers)))


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit 2 on bad input."""
    parser = argparse.ArgumentParser(prog="graft_training.corpus")
    parser.add_argument("step", choices=["lock", "fetch", "build", "table"])
    parser.add_argument("names", nargs="*", help="for lock: package names, or stdlib")
    parser.add_argument("--work", type=Path, required=True, help="folder for artefacts/ and for what build writes")
    parser.add_argument("--manifest", type=Path, nargs="+", default=[MANIFEST], help="several are joined")
    parser.add_argument("--decontaminate", type=Path, help="hashes of text that must not be trained on")
    parser.add_argument("--role", choices=["train", "heldout"], default="train")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cap-mb", type=float, default=CAP_BYTES / 1e6, help="most text of one package, in MB")
    args = parser.parse_args(argv)
    folder: Path = args.work / "artefacts"
    if args.step == "lock":
        folder.mkdir(parents=True, exist_ok=True)
        lock(args.names, folder, args.role)
        return 0
    try:
        packages = [package for manifest in args.manifest for package in read_manifest(manifest)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"no manifest: {error}", file=sys.stderr)
        return 2
    packages, left_out = licensed(packages)
    if args.step == "table":
        print("\n".join(table(packages, json.loads((args.work / "stats.json").read_text("utf-8")))))
        return 0
    left_out |= fetch(packages, folder)
    packages = [p for p in packages if p.name not in left_out]
    for name, why in left_out.items():
        print(f"left out: {name}, {why}", file=sys.stderr)
    if args.step == "fetch":
        return 0
    if args.decontaminate is None or not args.decontaminate.exists():
        print("build needs --decontaminate FILE (hashes of text that must not be trained on)", file=sys.stderr)
        return 2
    started = time.monotonic()
    stats = build(packages, folder, args.work, args.decontaminate, args.jobs, int(args.cap_mb * 1e6), left_out)
    print(json.dumps({"corpus_hash": stats["corpus_hash"], **stats["totals"]}, indent=1))
    print(f"built in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
