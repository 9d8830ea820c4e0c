"""Syntax trees of source text, one at a time.

CPython 3.11 keeps the depth of the conversion to Python objects in one place for all threads: two threads that parse
at once can make `ast.parse` raise SystemError "AST constructor recursion depth mismatch" (python/cpython gh-106905). The
test of this module shows it. Flows judge strategies in threads.
"""

from __future__ import annotations

import ast
from threading import Lock

_TRIES = 5
_one_at_a_time = Lock()


def parse_source(text: str, file: str = "<strategy>") -> ast.Module:
    """The tree of a module. Raises what `ast.parse` raises: SyntaxError, ValueError, RecursionError, MemoryError."""
    for _ in range(_TRIES - 1):
        try:
            with _one_at_a_time:
                return ast.parse(text, file)
        except SystemError:
            # Another library's thread was parsing at the same time.
            continue
    with _one_at_a_time:
        return ast.parse(text, file)
