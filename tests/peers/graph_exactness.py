"""How exact the symbol graph is: run as a script, prints figures as `name value` lines.

python tests/peers/graph_exactness.py alarms FOLDER... [--slice 1/12]  what closed answers would reject in working code
python tests/peers/graph_exactness.py jedi FOLDER -n 500    goto-definition against jedi
python tests/peers/graph_exactness.py members -n 300        members of closed classes against dir()
python tests/peers/graph_exactness.py planted FOLDER -n 300 planted faults that closed answers reject
python tests/peers/graph_exactness.py callers FOLDER -n 100 references, and callers by themselves, against jedi
python tests/peers/graph_exactness.py definitions FOLDER    definitions against ast
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from graft_indexer import calls, locate
from graft_indexer.environment import Environment, typeshed
from graft_indexer.facts import ParameterKind, ReferenceRole, Signature, Span
from graft_indexer.positions import scope_at
from graft_indexer.pygraph import PyGraph
from graft_indexer.values import NoneValue
from graft_indexer.workspace import Workspace
from graft_indexer.world import PyFile, World

MODULES = """
argparse ast asyncio.events collections concurrent.futures._base configparser contextlib csv ctypes
dataclasses datetime decimal difflib email.message enum fractions functools gzip html.parser http.client
http.server importlib.abc inspect io ipaddress json.decoder logging logging.handlers mailbox
multiprocessing.pool optparse os pathlib pdb pickle plistlib pprint queue random re sched selectors shelve
shlex smtplib socket socketserver sqlite3 ssl statistics string struct subprocess tarfile tempfile textwrap
threading trace traceback typing unittest.case unittest.mock urllib.error urllib.request uuid weakref
xml.dom.minidom xml.etree.ElementTree xmlrpc.client zipfile rich.console rich.table rich.text rich.tree
requests.models requests.sessions requests.adapters jinja2.environment jinja2.nodes jinja2.runtime
pygments.lexer attr._make packaging.version packaging.specifiers jedi.api jedi.api.classes parso.tree
_pytest.config _pytest.nodes urllib3.connectionpool urllib3.poolmanager urllib3.response markdown_it.main
tqdm.std
"""
"""Modules whose classes `members` looks at."""


def open_copy(folder: Path, target: Path) -> PyGraph:
    """A graph over a copy of a package, with this interpreter's environment around it."""
    root = target.resolve()
    standard = Path(ast.__file__).parent
    if folder.resolve() == standard:
        root = standard
    elif folder.is_dir():
        shutil.copytree(folder, root / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(folder, root)
    site = tuple(Path(p) for p in sys.path if p.endswith("site-packages"))
    workspace = Workspace.open(root, index_dir=None)
    environment = Environment(sys.version_info[:2], standard, site, typeshed(), True)
    world = World(workspace, environment)
    world.kept_bytes, world.memo.most_entries = 40_000_000, 4_000_000  # whole libraries are gone through
    return PyGraph(workspace, world)


def python_files(graph: PyGraph) -> list[str]:
    return [p for p in graph.paths() if p.endswith(".py") and "lib2to3/tests" not in p and "/bad" not in p]


# -- alarms ---------------------------------------------------------------------------------------------------------


def alarms(graph: PyGraph, path: str) -> Iterator[tuple[str, int, str]]:
    """(kind, line, text) of what closed answers reject in a file."""
    file = graph._file(path)
    if file is None or file.tree.broken or file.tree.unreadable:
        return
    for name, role, span, node in locate.occurrences(file):
        if role in (ReferenceRole.WRITE, ReferenceRole.DELETE):
            continue
        if isinstance(node, ast.keyword):
            continue
        answer = graph.definition_at(path, span.end if isinstance(node, ast.alias) else span.start)
        if answer.closed_for(name) and not answer.value:
            kind = {ast.Name: "name", ast.Attribute: "attribute"}.get(type(node), "import")
            shown = file.tree.source(node) if not isinstance(node, ast.alias) else name
            yield kind, file.tree.lines.line_at(span.start) + 1, shown
    for top in file.tree.body:
        for node in ast.walk(top):
            if isinstance(node, ast.Call):
                wrong = bad_call(graph, file, node)
                if wrong:
                    yield "call", node.lineno, f"{file.tree.source(node.func)}: {wrong}"


def bad_call(graph: PyGraph, file: PyFile, node: ast.Call) -> str:
    """What is wrong with a call as far as its one closed target proves."""
    site = calls.call_site(file.tree, node)
    answer = graph.call_target(file.path, site)
    if not answer.closed or len(answer.value) != 1:
        return ""
    return mismatch(answer.value[0].signature, node)


def mismatch(signature: Signature, node: ast.Call) -> str:
    if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        return ""
    positional = [
        p
        for p in signature.parameters
        if p.kind in (ParameterKind.POSITIONAL_ONLY, ParameterKind.POSITIONAL_OR_KEYWORD)
    ]
    kinds = {p.kind for p in signature.parameters}
    if len(node.args) > len(positional) and ParameterKind.VAR_POSITIONAL not in kinds:
        return f"{len(node.args)} positional arguments for {len(positional)}"
    named = {
        p.name
        for p in signature.parameters
        if p.kind in (ParameterKind.POSITIONAL_OR_KEYWORD, ParameterKind.KEYWORD_ONLY)
    }
    given = {p.name for p in positional[: len(node.args)]}
    for keyword in node.keywords:
        if keyword.arg not in named and ParameterKind.VAR_KEYWORD not in kinds:
            return f"no parameter {keyword.arg}"
        if keyword.arg in given and keyword.arg in named:
            return f"{keyword.arg} is given twice"
    keywords = {k.arg for k in node.keywords}
    for parameter in signature.parameters:
        if parameter.required and parameter.name not in given | keywords:
            return f"{parameter.name} is missing"
    return ""


def run_alarms(args: argparse.Namespace) -> None:
    lines = 0
    counts: Counter[str] = Counter()
    slow: list[tuple[float, str]] = []
    for folder in args.folders:
        with tempfile.TemporaryDirectory() as target:
            graph = open_copy(folder, Path(target))
            files = python_files(graph)
            number, _, count = args.slice.partition("/")
            # Shuffled, so that each slice alone is a fair sample.
            files = random.Random(args.seed).sample(files, len(files))[int(number) - 1 :: int(count)]
            if args.n and args.n < len(files):
                files = files[: args.n]
            for path in files:
                if args.skip and any(s in path for s in args.skip):
                    continue
                text = graph.text(path)
                lines += (text or "").count("\n")
                begun = time.process_time()
                for kind, line, shown in alarms(graph, path):
                    counts[kind] += 1
                    print(f"{kind:9} {path}:{line}: {shown[:100]}", flush=True)
                slow.append((time.process_time() - begun, path))
            graph.close()
    slow.sort(reverse=True)
    print("lines", lines)
    for kind, count in counts.items():
        print(f"alarms_{kind}", count)
    print("alarms_per_10000_lines", round(10_000 * sum(counts.values()) / max(1, lines), 3))
    print("slowest", [(round(s, 2), p) for s, p in slow[:5]])
    print("cpu_seconds", round(sum(s for s, _ in slow), 1))


# -- jedi -------------------------------------------------------------------------------------------------------------


def run_jedi(args: argparse.Namespace) -> None:
    import jedi

    generator = random.Random(args.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as target:
        graph = open_copy(args.folders[0], Path(target))
        files = [p for p in python_files(graph) if "/test" not in p and not p.startswith("test/")]
        project = jedi.Project(graph.root, smart_sys_path=False)
        while counts["asked"] < args.n:
            path = generator.choice(files)
            file = graph._file(path)
            if file is None or file.tree.broken or file.tree.unreadable or len(file.tree.data) > 120_000:
                continue
            found = [o for o in locate.occurrences(file) if not isinstance(o[3], ast.keyword)]
            if not found:
                continue
            script = jedi.Script(file.tree.text, path=Path(graph.root, path), project=project)
            for name, _role, span, node in generator.sample(found, min(4, len(found))):
                at = span.end - 1 if isinstance(node, ast.alias) else span.start
                line, column = file.tree.lines.position(at, "utf-32")
                try:
                    theirs = script.goto(line + 1, column, follow_imports=True)
                except Exception:  # jedi fails on some files
                    counts["jedi_failed"] += 1
                    continue
                counts["asked"] += 1
                theirs = [d for d in theirs if d.module_path is not None or d.type == "module"]
                if not theirs:
                    counts["jedi_silent"] += 1
                    continue
                counts["jedi_answers"] += 1
                answer = graph.definition_at(path, at)
                ours = {(s.qualified_name.rpartition(".")[2], where(graph, s.path)) for s in answer.value}
                same = False
                for d in theirs:
                    place = where(graph, str(d.module_path)) if d.module_path else ""
                    if d.type == "module":
                        same |= any(s.kind == "module" or s.path.endswith(str(d.module_path)) for s in answer.value)
                    same |= any(s.qualified_name == d.full_name for s in answer.value)
                    same |= any(n == d.name and (p == place or not place) for n, p in ours)
                    same |= any(
                        p == place and graph_line(graph, s) == d.line
                        for s in answer.value
                        for p in [where(graph, s.path)]
                    )
                    same |= any(n == d.name for n, p in ours if "typeshed" in p or ".pyi" in place)
                    # jedi may find the installed package instead of the copy that is asked about
                    same |= any(
                        Path(s.path).parts[-2:] == Path(place).parts[-2:] and graph_line(graph, s) == d.line
                        for s in answer.value
                    )
                if same:
                    counts["agree"] += 1
                elif not answer.value:
                    counts["we_are_silent" if not answer.closed else "we_say_nothing_there"] += 1
                    if args.verbose:
                        print("SILENT", path, line + 1, name, type(node).__name__, answer.reason)
                else:
                    counts["differ"] += 1
                    print(
                        "DIFFER", path, line + 1, name, type(node).__name__, "| ours",
                        [(s.qualified_name, graph_line(graph, s)) for s in answer.value][:3], "| jedi",
                        [(d.full_name, str(d.module_path)[-40:], d.line) for d in theirs][:3],
                    )  # fmt: skip
        graph.close()
    for key, value in counts.items():
        print(key, value)
    both = counts["agree"] + counts["differ"] + counts["we_say_nothing_there"]
    print("agreement_where_both_answer", round(counts["agree"] / max(1, both), 4))
    print("agreement_of_all_jedi_answers", round(counts["agree"] / max(1, counts["jedi_answers"]), 4))


def where(graph: PyGraph, path: str) -> str:
    return path if path.startswith("/") else f"{graph.root}/{path}"


def graph_line(graph: PyGraph, symbol: object) -> int:
    file = graph._file(symbol.path)  # type: ignore[attr-defined]
    return file.tree.lines.line_at(symbol.name_span.start) + 1 if file is not None else 0  # type: ignore[attr-defined]


# -- members ----------------------------------------------------------------------------------------------------------


def run_members(args: argparse.Namespace) -> None:
    import importlib

    generator = random.Random(args.seed)
    modules = args.modules.split()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as target:
        Path(target, "main.py").write_text("", "utf-8")
        workspace = Workspace.open(Path(target).resolve(), index_dir=None)
        site = tuple(Path(p) for p in sys.path if p.endswith("site-packages"))
        environment = Environment(sys.version_info[:2], Path(ast.__file__).parent, site, typeshed(), True)
        graph = PyGraph(workspace, World(workspace, environment))
        classes: list[tuple[str, str]] = []
        for name in modules:
            try:
                module = importlib.import_module(name)
            except ImportError:
                continue
            classes += [(name, n) for n, v in vars(module).items() if isinstance(v, type) and v.__module__ == name]
        generator.shuffle(classes)
        for module_name, class_name in classes[: args.n]:
            text = f"import {module_name}\nx: {module_name}.{class_name}\n{module_name}.{class_name}.\n"
            graph.open_buffer("main.py", text)
            answer = graph.members_at("main.py", len(text.encode()) - 2)
            counts["classes"] += 1
            if not answer.closed:
                counts["open"] += 1
                counts["open: " + answer.reason[:80]] += 1
                continue
            counts["closed"] += 1
            cls = getattr(importlib.import_module(module_name), class_name)
            real = {n for n in dir(cls) if not _dunder(n)}
            missing = {n for n in real - {s.name for s in answer.value} if not n.startswith("_abc_")}
            missing = {n for n in missing if not re.match(r"_[A-Za-z]\w*?__", n)}  # mangled
            if missing:
                counts["closed_with_members_missing"] += 1
                print("MISSING", module_name, class_name, sorted(missing)[:8])
        graph.close()
    for key, value in counts.items():
        print(key, value)
    print("closed_that_hold", round(1 - counts["closed_with_members_missing"] / max(1, counts["closed"]), 4))


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


# -- planted faults ---


def run_planted(args: argparse.Namespace) -> None:
    generator = random.Random(args.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as target:
        graph = open_copy(args.folders[0], Path(target))
        files = [p for p in python_files(graph) if "/test" not in p and not p.startswith("test/")]
        closed_receivers = receivers = 0
        while counts["planted"] < args.n:
            path = generator.choice(files)
            file = graph._file(path)
            if file is None or file.tree.broken or file.tree.unreadable or len(file.tree.data) > 120_000:
                continue
            nodes = [n for t in file.tree.body for n in ast.walk(t)]
            for node in generator.sample(nodes, min(60, len(nodes))):
                kind = planted(graph, file, node)
                if kind is None:
                    continue
                name, flagged, resolved = kind
                if name == "member":
                    receivers += resolved
                    closed_receivers += flagged and resolved
                if not resolved:
                    continue
                counts["planted"] += 1
                counts[f"planted_{name}"] += 1
                counts[f"flagged_{name}"] += flagged
                counts["flagged"] += flagged
        graph.close()
    for key, value in sorted(counts.items()):
        print(key, value)
    print("share_flagged", round(counts["flagged"] / counts["planted"], 4))
    print("share_of_receivers_closed", round(closed_receivers / max(1, receivers), 4))


def planted(graph: PyGraph, file: PyFile, node: ast.AST) -> tuple[str, bool, bool] | None:
    """(kind, flagged, known at all) of a fault that replaces a name by one that does not exist."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        found = graph.world.lookup(file, scope_at(file.scope, file.tree.start(node)), "no_such_name_here")
        return "name", not found.targets and not found.reason, True
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        scope = scope_at(file.scope, file.tree.start(node.value))
        result = graph.inference.infer(file, scope, node.value)
        symbols, reason = graph.member_answers.named(result, "no_such_member_here")
        resolved = any(not isinstance(v, NoneValue) for v in result.values)
        return "member", not symbols and not reason, resolved
    if isinstance(node, ast.Call):
        answer = graph.call_target(file.path, calls.call_site(file.tree, node))
        resolved = bool(answer.value)
        fake = ast.Call(node.func, node.args, [*node.keywords, ast.keyword("no_such_keyword", ast.Constant(1))])
        wrong = answer.closed and len(answer.value) == 1 and bool(mismatch(answer.value[0].signature, fake))
        return "keyword", wrong, resolved
    return None


# -- definitions and references ---


def run_definitions(args: argparse.Namespace) -> None:
    wanted = found = 0
    with tempfile.TemporaryDirectory() as target:
        graph = open_copy(args.folders[0], Path(target))
        for path in python_files(graph):
            facts = graph.facts(path)
            file = graph._file(path)
            if facts is None or file is None or file.tree.broken or file.tree.unreadable or facts.truncated:
                continue
            have = Counter((d.name, file.tree.lines.line_at(d.name_span.start) + 1) for d in facts.definitions)
            for top in file.tree.body:
                for node in ast.walk(top):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                        wanted += 1
                        span = file.tree.name_span(node)
                        hit = (node.name, file.tree.lines.line_at(span.start) + 1) in have
                        found += hit
                        if not hit:
                            print("MISSING", path, node.lineno, node.name)
        graph.close()
    print("definitions_ast", wanted)
    print("definitions_found", found)
    print("share", round(found / max(1, wanted), 6))


_REFERRED = ("function", "class", "method")


def run_callers(args: argparse.Namespace) -> None:
    import jedi

    generator = random.Random(args.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as target:
        graph = open_copy(args.folders[0], Path(target))
        project = jedi.Project(graph.root, smart_sys_path=False)
        files = [p for p in python_files(graph) if "/test" not in p]
        symbols = []
        for path in files:
            facts = graph.facts(path)
            definitions = facts.definitions if facts is not None else ()
            symbols += [(path, d) for d in definitions if d.kind in _REFERRED and "<locals>" not in d.qualified_name]
        generator.shuffle(symbols)
        tables: dict[str, set[tuple[int, int]]] = {}
        for path, definition in symbols:
            if counts["symbols"] >= args.n:
                break
            if definition.name.startswith("__"):
                continue
            answer = graph.definition_at(path, definition.name_span.start)
            if not answer.value:
                continue
            ours = {place_of(graph, loc.path, loc.span) for loc in graph.references(answer.value[0]).value}
            called = {place_of(graph, loc.path, loc.span) for loc in graph.callers(answer.value[0]).value}
            file = graph._file(path)
            assert file is not None
            line, column = file.tree.lines.position(definition.name_span.start, "utf-32")
            script = jedi.Script(file.tree.text, path=Path(graph.root, path), project=project)
            try:
                found = script.get_references(line + 1, column, include_builtins=False)
            except Exception:  # jedi fails on some files
                counts["jedi_failed"] += 1
                continue
            counts["symbols"] += 1
            theirs = set()
            for d in found:
                inside = str(d.module_path)
                if d.module_path is not None and not d.is_definition() and inside.startswith(graph.root + "/"):
                    theirs.add((inside[len(graph.root) + 1 :], d.line, d.column))
            their_calls = {place for place in theirs if place[1:] in call_places(graph, place[0], tables)}
            # An alias of an import has two places on its line.
            lines = {place[:2] for place in ours}
            common = {place for place in theirs if place[:2] in lines}
            counts["jedi_places"] += len(theirs)
            counts["common"] += len(common)
            counts["only_ours"] += len(lines - {place[:2] for place in theirs})
            counts["symbols_that_jedi_sees_called"] += bool(their_calls)
            counts["jedi_calls"] += len(their_calls)
            counts["common_calls"] += len(their_calls & called)
            counts["only_our_calls"] += len(called - their_calls)
            counts["calls_that_are_none"] += sum(c[1:] not in call_places(graph, c[0], tables) for c in called)
            if args.verbose:
                shown = (path, definition.qualified_name)
                for word, places in (
                    ("MISSED", theirs - common),
                    ("MISSED CALLS", their_calls - called),
                    ("OUR CALLS", called - their_calls),
                ):
                    if places:
                        print(word, *shown, sorted(places)[:4])
        graph.close()
    for key, value in counts.items():
        print(key, value)
    print("share_of_jedi_places", round(counts["common"] / max(1, counts["jedi_places"]), 4))
    print("share_of_jedi_calls", round(counts["common_calls"] / max(1, counts["jedi_calls"]), 4))


def place_of(graph: PyGraph, path: str, span: Span) -> tuple[str, int, int]:
    """(path, line from 1, column from 0) as jedi counts them."""
    file = graph._file(path)
    assert file is not None
    line, column = file.tree.lines.position(span.start, "utf-32")
    return path, line + 1, column


def call_places(graph: PyGraph, path: str, tables: dict[str, set[tuple[int, int]]]) -> set[tuple[int, int]]:
    """(line, column) of every called name of a file, found by `ast` alone."""
    known = tables.get(path)
    if known is None:
        known = tables[path] = set()
        text = graph.text(path) or ""
        rows = text.encode().split(b"\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                end = (node.func.end_lineno or 0, node.func.end_col_offset or 0)
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                known.add((end[0], len(rows[end[0] - 1][: end[1]].decode()) - len(name)))
    return known


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["alarms", "jedi", "members", "planted", "definitions", "callers"])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("-n", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--slice", default="1/1", metavar="I/N", help="for alarms: every Nth file, beginning with the Ith"
    )
    parser.add_argument("--skip", action="append", default=[])
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument(
        "--modules",
        default=MODULES,
    )
    args = parser.parse_args()
    {
        "alarms": run_alarms, "jedi": run_jedi, "members": run_members, "planted": run_planted,
        "definitions": run_definitions, "callers": run_callers,
    }[args.what](args)  # fmt: skip


if __name__ == "__main__":
    main()
