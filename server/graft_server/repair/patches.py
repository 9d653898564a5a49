"""A passing proposal as a person and a tree get it: diff, what was verified, and writing it."""

from __future__ import annotations

import difflib
import hashlib
import os
from pathlib import Path

from graft_indexer.text import decode, encode
from graft_server.repair.localisation import Baseline
from graft_server.repair.outcome import Patch
from graft_server.repair.proposals import Proposal, as_edit


def make_patch(rank: int, proposal: Proposal, original: str, base: Baseline, tests: int) -> Patch:
    """A passing proposal in the words of the report; `tests` is how many ran with it (0: not known)."""
    if base.failing:
        many = len(base.failing)
        verified = [f"{many} failing test{'s' if many > 1 else ''} now pass{'' if many > 1 else 'es'}"]
        if tests:
            verified.append(f"all {tests} tests pass")
    else:
        verified = ["the tests run"]
    verified += ["the command as given ends with status 0", "parses"]
    text = proposal.text
    return Patch(
        diff=unified(proposal.path, original, text),
        verified=tuple(verified),
        rank=rank,
        edits=(as_edit(proposal.path, original, text),),
        operators=proposal.operators,
        score=proposal.score,
        digests={proposal.path: digest(encode(original))},
    )


def digest(data: bytes) -> str:
    """To see whether a file changed while the repair ran."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def unified(path: str, old: str, new: str) -> str:
    """A unified diff that `patch -p1` and `git apply` take."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}", n=3
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def write_patch(root: Path, patch: Patch) -> list[str]:
    """Write a patch into the tree.

    Raises ValueError for a file that changed since the repair began, or that lies outside of the tree by a link.
    """
    from graft_server.edits import apply_edits

    written = []
    for path in dict.fromkeys(edit.path for edit in patch.edits):
        target = (root / path).resolve()  # a link stays, and what it leads to is mended
        if not target.is_relative_to(root.resolve()):
            raise ValueError(f"{path} leads out of {root}; nothing was written to it")
        data = target.read_bytes()
        if digest(data) != patch.digests[path]:
            raise ValueError(f"{path} changed while the repair ran; nothing was written to it")
        new = apply_edits(decode(data).text, [edit for edit in patch.edits if edit.path == path])
        temporary = target.with_name(f".{target.name}.graft-{os.getpid()}")
        try:
            temporary.write_bytes(encode(new))
            temporary.chmod(target.stat().st_mode & 0o7777)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        written.append(path)
    return written
