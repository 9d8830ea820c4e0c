"""The strategy's process: reads requests, calls the strategy, answers. No key, ledger, file or future bar (D2, D6)."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial

from shell.host.lane import child_ends
from shell.host.lockdown import Enclosure, lock_down
from shell.host.serving import Ends, LaneSession, serve

STACK_BYTES = 64 << 20


class Nowhere(io.TextIOBase):
    """Where a strategy's `print` goes: behind the wall not even the null device can be written to."""

    def write(self, text: str) -> int:
        return len(text)


def main(descriptor: int, enclosure: Enclosure, lane: Sequence[int] = ()) -> None:
    """Serve on `descriptor`, then exit."""
    # Not above: it loads polars, which `shell.host.frameless` does without.
    from shell.host.warm_up import warm_up

    serve_apart(descriptor, enclosure, lane, warm_up)


def serve_apart(descriptor: int, enclosure: Enclosure, lane: Sequence[int], prepare: Callable[[], None]) -> None:
    """`prepare`, put up the last walls, serve on `descriptor`, exit."""
    ends = child_ends(*lane) if lane else None
    work_apart(partial(_work, descriptor, enclosure, ends, prepare))


def work_apart(work: Callable[[], None]) -> None:
    """`work` in a thread with its own stack (polars looks for the main thread's in /proc), then exit."""
    os.set_blocking(2, False)
    sys.stdout = Nowhere()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.stack_size(STACK_BYTES)
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join()
    sys.stderr.flush()
    os._exit(0)


def _work(descriptor: int, enclosure: Enclosure, ends: Ends | None, prepare: Callable[[], None]) -> None:
    prepare()
    serve(descriptor, LaneSession(lock_down(enclosure, (descriptor,)), ends))
