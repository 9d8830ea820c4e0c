"""A process that runs backtests for another one: our engine and the history inside, each strategy behind its own wall.

It is executed anew, never forked: polars does not survive a fork, and nothing of the parent (its environment, its
secrets, its threads) may come along. It ends with its parent, whatever ends that: the socket closes then.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FrameType
from typing import Any, NoReturn

from shell.backtest.history_file import read_history
from shell.backtest.job import BacktestJob, run_job
from shell.backtest.result import BacktestResult
from shell.backtest.run import Progress
from shell.errors import BrainError
from shell.market.history import History

# Trading comes first: what runs here is never urgent.
NICENESS = 5
# Between the request to stop, which ends the strategy's process too, and the end by force.
GRACE_SECONDS = 5.0
# Messages to the parent: a kind, then what it says.
PROGRESS, RESULT, REFUSAL = "progress", "result", "refusal"

Message = tuple[str, Any]
Refusal = tuple[type[BrainError], tuple[Any, ...], dict[str, Any]]
# What a process does with a job, on the histories it was started with; it tells how far it is as (done, in all).
Work = Callable[[Any, Sequence[History], Progress], Any]


def main(descriptor: int, history_descriptor: int) -> None:
    """Answer each backtest that arrives on the socket `descriptor` with its progress and one result or refusal."""
    serve(_backtest, descriptor, history_descriptor)


def serve(work: Work, descriptor: int, *history_descriptors: int) -> NoReturn:
    """Do `work` for each job that arrives on the socket `descriptor`, on the histories behind the other descriptors."""
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, _leave)
    for inherited in (descriptor, *history_descriptors):
        os.set_inheritable(inherited, False)
    connection: Connection[Message, Any] = Connection(descriptor)
    jobs: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    histories = [read_history(each) for each in history_descriptors]
    while True:
        job = jobs.get()
        try:
            answer: Message = (
                RESULT, work(job, histories, lambda done, total: connection.send((PROGRESS, (done, total))))
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


def _backtest(job: BacktestJob, histories: Sequence[History], progress: Progress) -> BacktestResult:
    return run_job(job, histories[0], progress)


def _listen(connection: Connection[Message, Any], jobs: SimpleQueue[Any]) -> None:
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
