"""What the checks of TypeScript and Go say about working code, and how many planted faults they find.

python tests/peers/checks_exactness.py alarms ROOT               every finding in code that works, and the rate
python tests/peers/checks_exactness.py planted ROOT -n 500       one fault at a time, in places chosen at random

Faults, in equal parts where the file has a place for them: a use of a local or imported name misspelt, a member
misspelt, an imported name misspelt, an argument left out of a call.  A fault counts as found if a finding overlaps the
place or its call.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tree_sitter import Node, Query, QueryCursor

from graft_indexer.facts import Span
from graft_indexer.polyglot import PolyGraph
from graft_indexer.pygraph import open_graph
from graft_indexer.syntax import grammar, language_of, parse
from graft_indexer.text import encode

SUFFIXES = (".ts", ".tsx", ".mts", ".go")
QUERIES = {
    "name": "(identifier) @place",
    "member": "(member_expression property: (property_identifier) @place)",
    "import": "(import_specifier name: (identifier) @place)",
    "argument": "(call_expression arguments: (arguments) @place)",
}
GO_QUERIES = {
    "name": "(identifier) @place",
    "member": "(selector_expression field: (field_identifier) @place)",
    "type": "(type_identifier) @place",
    "argument": "(call_expression arguments: (argument_list) @place)",
}


def sources(graph: PolyGraph) -> list[str]:
    """Files that are checked."""
    skip = (".d.ts", ".d.mts")
    return [p for p in graph.paths() if p.endswith(SUFFIXES) and not p.endswith(skip) and "/testdata/" not in f"/{p}"]


def alarms(graph: PolyGraph, show: int) -> dict[str, float]:
    """Findings in code that works."""
    lines = 0
    codes: Counter[str] = Counter()
    began = time.process_time()
    for path in sources(graph):
        text = graph.text(path) or ""
        lines += text.count("\n")
        for finding in graph.findings(path):
            codes[finding.code] += 1
            if sum(codes.values()) <= show:
                line = encode(text)[: finding.span.start].count(b"\n")
                print(f"{path}:{line + 1} {finding.code}: {finding.message} | {text.splitlines()[line].strip()[:100]}")
    total = sum(codes.values())
    return {
        "lines": lines, "alarms": total, "alarms_per_10000_lines": round(1e4 * total / max(1, lines), 3),
        "cpu_seconds": round(time.process_time() - began, 1), **{f"alarms_{k}": v for k, v in codes.items()},
    }  # fmt: skip


def misspelt(name: str, choose: random.Random) -> str:
    """A name with two neighbouring letters swapped, or one doubled."""
    at = choose.randrange(len(name) - 1)
    if name[at] != name[at + 1]:
        return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    return name[: at + 1] + name[at] + name[at + 1 :]


def places(language: str, data: bytes, kind: str) -> Iterator[Node]:
    """Nodes at which a fault of a kind can be planted."""
    queries = GO_QUERIES if language == "go" else QUERIES
    if kind not in queries:
        return
    tree = parse(data, language)
    for node in QueryCursor(Query(grammar(language), queries[kind])).captures(tree.root_node).get("place", ()):
        text = data[node.start_byte : node.end_byte]
        parent = node.parent
        if parent is None:
            continue
        if kind == "argument":
            given = [c for c in node.named_children if c.type != "comment"]
            if given and all(c.type not in ("spread_element", "variadic_argument") for c in given):
                yield node
        elif len(text) >= 3 and (kind != "name" or used(parent, node)):
            yield node


def used(parent: Node, node: Node) -> bool:
    """Whether an identifier is used, not declared: only then is misspelling it one fault and not many."""
    name = parent.child_by_field_name("name") or parent.child_by_field_name("pattern")
    if name == node or parent.type in ("formal_parameters", "object_pattern", "array_pattern", "parameter_declaration"):
        return False
    return not any(
        word in parent.type
        for word in (
            "import",
            "declar",
            "pattern",
            "clause",
            "specifier",
            "spec",
            "label",
            "literal_element",
            "_parameter",
        )
    ) and not (parent.type == "expression_list" and parent.parent is not None and parent.parent.type in _BINDS)


_BINDS = ("short_var_declaration", "range_clause", "receive_statement", "type_switch_statement")


def faulty(data: bytes, node: Node, kind: str, choose: random.Random) -> tuple[bytes, Span]:
    """(text with the fault, where it is)."""
    if kind == "argument":
        given = [c for c in node.named_children if c.type != "comment"]
        last = given[-1]
        start = given[-2].end_byte if len(given) > 1 else node.start_byte + 1
        call = node.parent
        begin = call.start_byte if call is not None else node.start_byte
        return data[:start] + data[last.end_byte :], Span(begin, node.end_byte)
    name = data[node.start_byte : node.end_byte].decode("utf-8", "replace")
    wrong = misspelt(name, choose).encode()
    return data[: node.start_byte] + wrong + data[node.end_byte :], Span(node.start_byte, node.start_byte + len(wrong))


def planted(graph: PolyGraph, count: int, seed: int, show: int) -> dict[str, float]:
    """Faults found, by kind."""
    choose = random.Random(seed)
    paths = sources(graph)
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    kinds = ["name", "member", "import", "type", "argument"]
    turn = 0
    while sum(tried.values()) < count:
        path = choose.choice(paths)
        language = language_of(path) or ""
        kind = kinds[turn % len(kinds)]
        turn += 1
        text = graph.text(path)
        if text is None or len(text) > 400_000 or graph.errors(path):
            continue
        data = encode(text)
        candidates = list(places(language, data, kind))
        if not candidates:
            continue
        node = choose.choice(candidates)
        wrong, span = faulty(data, node, kind, choose)
        tried[kind] += 1
        graph.open_buffer(path, wrong.decode("utf-8", "surrogateescape"))
        hit = any(f.span.start < span.end and span.start < f.span.end for f in graph.findings(path))
        graph.close_buffer(path)
        found[kind] += hit
        if not hit and show > 0:
            show -= 1
            line = data[: node.start_byte].count(b"\n")
            print(f"missed {kind} {path}:{line + 1} | {text.splitlines()[line].strip()[:110]}")
    total = sum(tried.values())
    return {
        "faults": total, "found": sum(found.values()), "found_percent": round(100 * sum(found.values()) / total, 1),
        **{f"found_{k}_percent": round(100 * found[k] / tried[k], 1) for k in tried},
        **{f"faults_{k}": tried[k] for k in tried},
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("alarms", "planted"))
    parser.add_argument("root", type=Path)
    parser.add_argument("-n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=50, metavar="N", help="print the first N")
    args = parser.parse_args()
    graph = open_graph(args.root.resolve())
    assert isinstance(graph, PolyGraph)
    figures = (
        alarms(graph, args.show) if args.what == "alarms" else planted(graph, args.n, args.seed, args.show)
    )  # fmt: skip
    for name, value in figures.items():
        print(name, value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
