"""Source text to symbol graph.

Knows no language server protocol, no model and no asyncio.  Everything here is synchronous; a
`SymbolGraph` belongs to the thread that opened it.
"""
