"""Names that exist without a declaration in the workspace: the language's, browsers', Node's, test runners'.

`ambient.txt` lists what the declaration files of TypeScript's standard libraries and of Node name at their top level
(public facts, collected once from TypeScript 5.9.3; no script is kept for it).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_RUNNERS = frozenset(
    """
    describe it test expect beforeEach afterEach beforeAll afterAll before after suite setup teardown specify context
    xit xdescribe xtest fit fdescribe jest vi vitest jasmine mocha cy Cypress assert chai sinon QUnit spyOn fail
    pending browser $ $$ jQuery define require module exports process Buffer global __dirname __filename
    setImmediate clearImmediate NodeJS JSX React Deno Bun google chrome WebAssembly GPU wx uni cc importScripts
    HTMLRewriter gapi ga gtag dataLayer angular Zone L d3 _ moment goog acquireVsCodeApi
    attachEvent detachEvent ActiveXObject XDomainRequest
    """.split()  # noqa: SIM905 - a list of words reads as words
)


@cache
def names() -> frozenset[str]:
    """All of them."""
    listed = (Path(__file__).parent / "ambient.txt").read_text("utf-8").split()
    return frozenset(listed) | _RUNNERS


def is_ambient(name: str) -> bool:
    """Whether a name may exist everywhere; names in capitals may be put in by a bundler."""
    return name in names() or (name.isupper() and len(name) > 2) or name.startswith(("__", "$"))
