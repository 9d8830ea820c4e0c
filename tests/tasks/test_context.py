import threading

import pytest

from shell.errors import NotNow
from tasks.context import client, use_client
from tests.tasks.memory_shell import MemoryShell
from tests.tasks.sources import rule


def test_without_a_client_the_sentence_says_how_to_get_one() -> None:
    with pytest.raises(NotNow, match="brain run FLOW"):
        client()


def test_the_innermost_client_counts_and_the_outer_one_returns() -> None:
    outer, inner = MemoryShell(rule()), MemoryShell(rule())
    with use_client(outer):
        with use_client(inner):
            assert client() is inner
        assert client() is outer
    with pytest.raises(NotNow):
        client()


def test_a_client_is_gone_after_an_error() -> None:
    with pytest.raises(RuntimeError), use_client(MemoryShell(rule())):
        raise RuntimeError("the block fails")
    with pytest.raises(NotNow):
        client()


def test_other_threads_see_the_client() -> None:
    shell = MemoryShell(rule())
    seen = []
    with use_client(shell):
        thread = threading.Thread(target=lambda: seen.append(client()))
        thread.start()
        thread.join()
    assert seen == [shell]
