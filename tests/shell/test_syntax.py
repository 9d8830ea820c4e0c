"""Many threads may ask for syntax trees at once."""

from __future__ import annotations

import ast
import gc
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from shell.syntax import parse_source

LINES = 100
SOURCE = "\n".join(f"value_{n} = [x * {n} for x in range({n})] if {n} > 3 else (lambda a, b=2: a + b)({n})" for n in range(LINES))


def trees_at_once(parse: Callable[[str], ast.Module]) -> list[ast.Module]:
    """Many trees from many threads, which change places whenever the collector runs in the middle of one."""

    def change_places(_phase: str, _info: object) -> None:
        time.sleep(0)

    gc.callbacks.append(change_places)
    try:
        with ThreadPoolExecutor(6) as pool:
            return list(pool.map(parse, [SOURCE] * 40))
    finally:
        gc.callbacks.remove(change_places)


def test_threads_that_parse_at_once_all_get_the_tree() -> None:
    assert all(len(tree.body) == LINES for tree in trees_at_once(parse_source))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="seen with Python 3.11; later versions were not asked")
def test_python_itself_fails_at_that() -> None:
    # The positive control. Once it passes on every version that the project supports, shell.syntax can go.
    with pytest.raises(SystemError, match="recursion depth mismatch"):
        trees_at_once(ast.parse)


def test_what_is_wrong_with_a_text_is_told_as_python_tells_it() -> None:
    with pytest.raises(SyntaxError):
        parse_source("def (", "strategy.py")
