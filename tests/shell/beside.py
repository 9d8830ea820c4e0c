"""A shell whose trading thread does nothing but answer: for tests of what lives beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from shell.calls import Calls
from shell.desk import Desk


@contextmanager
def answered(desk: Desk, calls: Calls | None = None) -> Iterator[Calls]:
    """Answer questions to `desk` on a thread of its own while the block runs."""
    calls, stop = calls or Calls(), Event()

    def trade() -> None:
        while not stop.is_set():
            calls.wait(0.1)
            calls.answer(desk)

    trading = Thread(target=trade, name="trading", daemon=True)
    trading.start()
    try:
        yield calls
    finally:
        stop.set()
        calls.close("the shell is stopping")
        trading.join(10)
