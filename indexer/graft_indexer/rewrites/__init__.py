"""Small edits of a Python tree: trees in, edits out.  Nothing here looks at another file.

Two ways in, over one set of rules and tables:

- `rewrites(root, within=..., kinds=...)`: the BugLab set (variable misuse, swapped arguments, comparison, boolean,
  arithmetic and assignment operators, literals), few and labelled.  This is the seam for hints of a model: score each
  rewrite's line against the original's, and for planting bugs (`Rewrite.apply`).
- `mutations(text, lines)`: everything that repair against tests tries, wider, with the operator's name; how likely
  each operator is stands in `PRIORS`.

Trees come from tree-sitter-python; offsets are bytes of the text that was parsed.  Nothing resolves names beyond the
function a name stands in: the graph judges what comes out.
"""

from graft_indexer.rewrites.buglab import BUGLAB, Rewrite, RewriteKind, rewrites
from graft_indexer.rewrites.mutations import Mutation, module_of, mutations, of_line
from graft_indexer.rewrites.priors import PRIORS, prior
from graft_indexer.rewrites.scope import Module, Scope
from graft_indexer.rewrites.tree import (
    enclosing_headers,
    function_lines,
    is_import,
    is_load,
    local_names,
    parse,
    text_of,
)

__all__ = [
    "BUGLAB",
    "PRIORS",
    "Module",
    "Mutation",
    "Rewrite",
    "RewriteKind",
    "Scope",
    "enclosing_headers",
    "function_lines",
    "is_import",
    "is_load",
    "local_names",
    "module_of",
    "mutations",
    "of_line",
    "parse",
    "prior",
    "rewrites",
    "text_of",
]
