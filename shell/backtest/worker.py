"""A process that runs backtests for another one: our engine and the history inside, each strategy behind its own wall.

It is executed anew, never forked: polars does not survive a fork, and nothing of the parent (its environment, its
secrets, its threads) may come along. It ends with its parent, whatever ends that: the socket closes then.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FrameType
from typing import Any, NoReturn

from shell.backtest.history_file import read_history
from shell.backtest.job import BacktestJob, run_job
from shell.errors import BrainError

# Trading comes first: what runs here is never urgent.
NICENESS = 5
# Between the request to stop, which ends the strategy's process too, and the end by force.
GRACE_SECONDS = 5.0
# Messages to the parent: a kind, then what it says.
PROGRESS, RESULT, REFUSAL = "progress", "result", "refusal"

Message = tuple[str, Any]
Refusal = tuple[type[BrainError], tuple[Any, ...], dict[str, Any]]


def main(descriptor: int, history_descriptor: int) -> None:
    """Answer each job that arrives on the socket `descriptor` with its progress and one result or refusal."""
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, _leave)
    for inherited in (descriptor, history_descriptor):
        os.set_inheritable(inherited, False)
    connection: Connection[Message, BacktestJob] = Connection(descriptor)
    jobs: SimpleQueue[BacktestJob] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    history = read_history(history_descriptor)
    while True:
        job = jobs.get()
        try:
            answer: Message = (
                RESULT, run_job(job, history, lambda done, total: connection.send((PROGRESS, (done, total))))
            )
        except BrainError as error:
            answer = (REFUSAL, refusal_of(error))
        connection.send(answer)


def refusal_of(error: BrainError) -> Refusal:
    """An error as picklable values. Exceptions with an `__init__` of their own cannot be pickled as they are."""
    return type(error), error.args, dict(vars(error))


def error_of(refusal: Refusal) -> BrainError:
    """The inverse of `refusal_of`."""
    kind, arguments, attributes = refusal
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    vars(error).update(attributes)
    return error


def _listen(connection: Connection[Message, BacktestJob], jobs: SimpleQueue[BacktestJob]) -> None:
    """Take jobs in; when the parent is gone or has no more of them, end this process, its strategy's first."""
    try:
        while True:
            jobs.put(connection.recv())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Unwind the run under way, so that it closes its strategy's process, and end. Once: nothing interrupts that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)
