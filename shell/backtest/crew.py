"""Worker processes: started clean, given jobs one at a time, listened to, and ended together."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Self

from shell.backtest.job import BacktestJob
from shell.backtest.worker import GRACE_SECONDS, PROGRESS, REFUSAL, Message, error_of
from shell.children import end_by, last_words
from shell.clock import monotonic
from shell.errors import Transient

# A worker whose parent asks it to stop does so within its own grace; this comes after.
KILL_AFTER_SECONDS = GRACE_SECONDS + 1.0
ROOT = Path(__file__).resolve().parents[2]
# As in the strategy's host: -P keeps the working directory off sys.path, the root comes as an argument.
BOOTSTRAP = (
    "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
    "importlib.import_module(sys.argv[2]).main(*map(int, sys.argv[3:]))"
)
BACKTESTS = "shell.backtest.worker"
# Everything a worker knows of this process's environment. One thread each: the cores are shared out already.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class WorkerLost(Transient):
    """The process that ran a backtest ended before its answer: killed, out of memory, or by a mistake of ours."""


class Crew:
    """At most `count` workers. Leaving the block ends them all, busy or not."""

    def __init__(self, history_descriptor: int, count: int) -> None:
        self._history_descriptor = history_descriptor
        self._count = count
        self._idle: list[Worker] = []
        self._busy: dict[Connection[Any, Message], tuple[Worker, int]] = {}

    @property
    def has_room(self) -> bool:
        return len(self._busy) < self._count

    def employ(self, number: int, job: BacktestJob) -> WorkerLost | None:
        """Give a job to an idle worker or a new one. The loss, when not even a new one takes it."""
        while True:
            rested = bool(self._idle)
            try:
                worker = self._idle.pop() if rested else Worker(self._history_descriptor)
            except OSError as error:
                return WorkerLost(f"no process could be started for a backtest: {error.strerror}")
            try:
                worker.connection.send(job)
            except OSError:
                loss = worker.lost()
                if rested:
                    continue
                return loss
            self._busy[worker.connection] = worker, number
            return None

    def listen(self) -> list[tuple[int, str, Any]]:
        """Wait until a busy worker speaks; each message as job number, kind and what it says. Empty when none is busy."""
        heard: list[tuple[int, str, Any]] = []
        for connection in wait(list(self._busy)) if self._busy else ():
            worker, number = self._busy[connection]  # type: ignore[index]
            try:
                kind, said = worker.connection.recv()
            except (EOFError, OSError):
                kind, said = REFUSAL, worker.lost()
                del self._busy[worker.connection]
            else:
                if kind != PROGRESS:
                    said = error_of(said) if kind == REFUSAL else said
                    del self._busy[worker.connection]
                    self._idle.append(worker)
            heard.append((number, kind, said))
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        crew = [*self._idle, *(worker for worker, _ in self._busy.values())]
        # Every socket first: a worker whose socket has closed ends by itself, even if this process is stopped right here.
        for worker in crew:
            worker.connection.close()
        deadline = monotonic() + KILL_AFTER_SECONDS
        for worker in crew:
            worker.end(deadline)


class Worker:
    """One worker process, and the socket to it. `module` names whose `main` it runs, with the socket and the histories."""

    def __init__(self, *history_descriptors: int, module: str = BACKTESTS) -> None:
        ours, theirs = socket.socketpair()
        handed = (theirs.fileno(), *history_descriptors)
        # A file takes whatever is written; a pipe nobody reads would stop the worker when it is full.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-s", "-c", BOOTSTRAP, str(ROOT), module, *map(str, handed)],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._words, env=ENVIRONMENT, cwd="/",
                    close_fds=True, pass_fds=handed, start_new_session=True,
                )
            except OSError:
                ours.close()
                self._words.close()
                raise
        self.connection: Connection[Any, Message] = Connection(ours.detach())

    def end(self, deadline: float) -> None:
        """Wait for the process to end, and end it by force at `deadline`."""
        end_by(self._process, deadline)
        self._words.close()

    def lost(self) -> WorkerLost:
        """Reap a worker that is no longer there, and say how it went."""
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_AFTER_SECONDS)
        words = last_words(self._words)
        self.end(monotonic())
        code = self._process.returncode
        if code < 0:
            how = signal.Signals(-code).name + (", as when memory runs out" if -code == signal.SIGKILL else "")
        else:
            how = f"exit code {code}{': ' if words else ''}{words}"
        return WorkerLost(f"the process that ran this backtest ended before it answered ({how})")
