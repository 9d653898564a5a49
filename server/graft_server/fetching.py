"""`graft models pull` and `recommend`: what a person sees of them."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

from graft_models.catalog import Entry, known, known_models
from graft_models.hardware import Hardware, probe
from graft_models.machine import this_machine
from graft_models.pull import Progress, Pulled, PullError, Wanted, mirrored, pull
from graft_models.recommend import Advice, advise, best
from graft_server.errors import UserError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells give it."""


# -- recommend ----------------------------------------------------------------------------------------------------


def recommend(*, as_json: bool, any_licence: bool, calibrate: bool) -> int:
    """Print what fits this machine; opens no connection."""
    if calibrate and not as_json:
        print("measuring how fast llama.cpp is here (two seconds) ...", file=sys.stderr)
    hardware = probe(calibrate=calibrate)
    machine = this_machine(hardware.devices)
    advices = advise(known_models(), machine, hardware.speeds, any_licence=any_licence)
    choice = best(advices)
    if as_json:
        rows = [_row(a) for a in advices]
        parts = {"machine": asdict(machine), "llama_cpp": asdict(hardware)}
        print(json.dumps({**parts, "recommended": choice.entry.id if choice else None, "models": rows}, indent=1))
        return 0
    print("\n".join(_machine_lines(hardware)))
    for advice in advices:
        entry, mark = advice.entry, "*" if advice is choice else " "
        size = f"{entry.estimated_bytes / 1e9:.2f} GB" if entry.estimated_bytes else "size ?"
        print(f"{mark} {entry.id:<22} {size:>9}  {entry.licence or 'licence not known':<34} {_verdict(advice)}")
    if choice is None:
        print("The model that comes with Graft serves this machine best; a server can be shared: docs/remote.md")
    else:
        print(f"graft models pull {choice.entry.id} --use")
    return 0


def _machine_lines(hardware: Hardware) -> list[str]:
    machine = this_machine(hardware.devices)
    gpus = ", ".join(f"{d.description} with {d.free / 1e9:.1f} GB free" for d in machine.devices) or "no GPU"
    total, available = machine.memory_total / 1e9, machine.memory_available / 1e9
    lines = [f"{machine.cores} cores, {total:.1f} GB of memory ({available:.1f} GB available), {gpus}"]
    lines += [
        f"{speed.quantization} on the {speed.device.upper()}, threads: {speed.threads}: reads "
        f"{speed.read_weights_per_second / 1e9:.1f} billion weights/s, generates from "
        f"{speed.generate_bytes_per_second / 1e9:.1f} GB/s"
        for speed in hardware.speeds
    ]
    if hardware.state != "ok":
        lines.append(f"speed not measured: {hardware.message}; `graft doctor` says what to do")
    return lines


def _verdict(advice: Advice) -> str:
    return f"{advice.verdict}: {advice.reason}" if advice.reason else advice.verdict


def _row(advice: Advice) -> dict[str, object]:
    prediction = advice.prediction
    return {
        "id": advice.entry.id,
        "verdict": advice.verdict,
        "reason": advice.reason,
        "needs_bytes": advice.needs or None,
        "device": advice.device,
        "prompt_tokens_per_second": prediction.read if prediction else None,
        "generated_tokens_per_second": prediction.generate if prediction else None,
        "licence": advice.entry.licence,
        "commercial": advice.entry.commercial,
    }


# -- pull ---------------------------------------------------------------------------------------------------------


def pull_command(args: argparse.Namespace, folder: Path) -> Pulled | int:
    """Show what would be fetched, ask, fetch; what lies in its place then, or the exit status.  Raises UserError."""
    wanted, entry = wanted_of(args)
    if not (folder / wanted.name).is_file():
        for line in announcement(wanted, entry):
            print(line, file=sys.stderr)
        consent(args, entry)
    show = Bar()
    try:
        pulled = pull(wanted, folder, report=show)
    except PullError as error:
        show.end()
        raise UserError(str(error)) from None
    except KeyboardInterrupt:
        show.end()
        part = folder / f"{wanted.name}.part"
        kept = part.stat().st_size if part.exists() else 0
        print(f"stopped with {kept / 1e6:,.1f} MB fetched; the same command goes on from there", file=sys.stderr)
        return INTERRUPTED
    show.end()
    return pulled


def wanted_of(args: argparse.Namespace) -> tuple[Wanted, Entry | None]:
    """What the command line names: a model of the catalogue, an address, or a file.  Raises UserError."""
    name: str = args.model
    sha256: str | None = args.sha256
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UserError("--sha256 takes 64 hexadecimal digits")
    entry = known(name)
    mirror = args.mirror or os.environ.get("GRAFT_MODELS_MIRROR")
    if entry is None:
        source = args.source or name
        path = Path(source).expanduser()
        if urlsplit(source).scheme not in ("http", "https"):
            if not path.is_file():
                names = ", ".join(e.id for e in known_models())
                raise UserError(f"{name} is no known model, address or file; known models: {names}")
            source = str(path.absolute())
        file_name = args.name or unquote(urlsplit(source).path).rsplit("/", 1)[-1] or "model.gguf"
        return Wanted(_safe(file_name), _via(source, mirror), None, sha256), None
    source = args.source or entry.url
    if source is None:
        raise UserError(f"no address of {entry.id} is known; give one, or a file: graft models pull {name} --from ...")
    if urlsplit(source).scheme not in ("http", "https"):
        source = str(Path(source).expanduser().absolute())
    if sha256 is not None and entry.sha256 is not None and sha256.lower() != entry.sha256:
        raise UserError(f"--sha256 is not the catalogue's digest of {entry.id}: {entry.sha256}")
    file_name = _safe(args.name or entry.file_name)
    digest = sha256 or entry.sha256
    return Wanted(file_name, _via(source, mirror), entry.size, digest, entry.licence), entry


def _via(source: str, mirror: str | None) -> str:
    if not mirror or urlsplit(source).scheme not in ("http", "https"):
        return source
    try:
        return mirrored(source, mirror)
    except PullError as error:
        raise UserError(str(error)) from None


def _safe(name: str) -> str:
    """A file name without folders, ending in .gguf.  Raises UserError."""
    if not re.fullmatch(r"[\w][\w.+-]*", name):
        raise UserError(f"{name!r} is no file name for a model; say --name")
    return name if name.endswith(".gguf") else name + ".gguf"


def announcement(wanted: Wanted, entry: Entry | None) -> list[str]:
    """What a person should know before a download: what, whence, how much, and on which terms."""
    lines = [f"{entry.title if entry else wanted.name}", f"    from     {wanted.source}"]
    size = wanted.size or (entry.estimated_bytes if entry else None)
    lines.append(f"    size     {'about ' if size and not wanted.size else ''}{_size(size)}")
    if entry is None:
        lines.append("    licence  not known: look at its page before you use it")
    else:
        terms = {True: "", False: ": NOT for commercial use", None: ""}[entry.commercial]
        lines.append(f"    licence  {entry.licence or 'not known: look at its page before you use it'}{terms}")
        if "licence" in entry.sources:
            lines.append(f"             {entry.sources['licence']}")
    if wanted.sha256:
        origin = f" ({entry.sources['sha256']})" if entry and "sha256" in entry.sources else ""
        lines.append(f"    SHA-256  {wanted.sha256}{origin}")
    else:
        lines.append("    SHA-256  not known: the download cannot be verified; what is seen will be written down")
    return lines


def _size(size: int | None) -> str:
    return f"{size / 1e6:,.0f} MB" if size else "not known"


def consent(args: argparse.Namespace, entry: Entry | None) -> None:
    """Let the person decide; a licence that restricts use must be named.  Raises UserError without consent."""
    restricted = entry is not None and (entry.commercial is False or entry.licence is None)
    if restricted and entry is not None:
        name = entry.licence or "unknown"
        if args.accept_licence is not None:
            if args.accept_licence.lower() != name.lower():
                raise UserError(f"the licence is {name!r}, not {args.accept_licence!r}")
            return
        if args.yes or not sys.stdin.isatty():
            raise UserError(f"say --accept-licence {name!r} if these terms suit you")
        if input(f"type the licence's name to accept it ({name}): ").strip().lower() != name.lower():
            raise UserError("nothing was fetched")
        return
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UserError("say --yes to fetch it without being asked")
    if input("fetch it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UserError("nothing was fetched")


class Bar:
    """Progress on standard error: one line on a terminal, one in ten percent elsewhere."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._drawn = 0.0
        self._tenth = -1
        self._open = False

    def __call__(self, progress: Progress) -> None:
        """Show it, at most ten times a second."""
        if progress.note:
            self.end()
            print(progress.note, file=sys.stderr)
            return
        now = time.monotonic()
        whole = progress.done == progress.total
        if sys.stderr.isatty():
            if now - self._drawn > 0.1 or whole:
                self._drawn, self._open = now, True
                print(f"\r\033[K{self.text(progress, now)}", end="", file=sys.stderr, flush=True)
            return
        tenth = progress.done * 10 // progress.total if progress.total else progress.done // 100_000_000
        if tenth != self._tenth:
            self._tenth = tenth
            print(self.text(progress, now), file=sys.stderr, flush=True)

    def text(self, progress: Progress, now: float) -> str:
        """`  312.0 of 531.0 MB  58 %  12.3 MB/s  18 s left`."""
        rate = (progress.done - progress.resumed) / max(0.05, now - self._begun)
        out = f"  {progress.done / 1e6:,.1f}"
        if progress.total:
            left = (progress.total - progress.done) / max(1.0, rate)
            share = 100 * progress.done // progress.total
            out += f" of {progress.total / 1e6:,.1f} MB  {share} %  {rate / 1e6:.1f} MB/s  {left:.0f} s left"
        else:
            out += f" MB  {rate / 1e6:.1f} MB/s"
        return out

    def end(self) -> None:
        """Close an open line."""
        if self._open:
            print(file=sys.stderr)
            self._open = False
