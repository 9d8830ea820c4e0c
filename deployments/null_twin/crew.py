"""Worker processes that live through months side by side, and what they say. Leaving the block ends them all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

from deployments.null_twin.worker import GRACE_SECONDS
from shell.backtest.crew import ENVIRONMENT, ROOT
from shell.children import end_by, last_words
from shell.clock import monotonic
from shell.errors import Transient

# -P keeps the working directory off sys.path; the root comes as an argument.
BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv[1]); from deployments.null_twin.worker import main; main()"
KILL_AFTER_SECONDS = GRACE_SECONDS + 1.0

# A worker's number and what it said; None when it has ended.
Heard = tuple[int, Mapping[str, Any] | None]


class MonthCrew:
    """At most `count` workers, each told `terms` (JSON values) once and then one month at a time."""

    def __init__(self, terms: Mapping[str, Any], project: Path, count: int) -> None:
        self._heard: SimpleQueue[Heard] = SimpleQueue()
        self._workers = [_Worker(number, terms, project, self._heard) for number in range(count)]

    def live_through(self, months: Sequence[int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Each thing a worker says, with the month it is about; ends when every month has had its result or refusal.

        Raises Transient when a worker ends before its month does.
        """
        waiting, working = deque(months), dict[int, int]()
        for worker in self._workers:
            if waiting:
                working[worker.number] = waiting.popleft()
                worker.give(working[worker.number])
        while working:
            number, said = self._heard.get()
            if said is None:
                raise Transient(f"a process that lived through a month ended in the middle: {self._workers[number].words()}")
            yield working[number], said
            if "night" in said:
                continue
            del working[number]
            if waiting:
                working[number] = waiting.popleft()
                self._workers[number].give(working[number])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Every pipe first: a worker whose input has ended ends by itself, even if this process is stopped right here.
        for worker in self._workers:
            worker.dismiss()
        deadline = monotonic() + KILL_AFTER_SECONDS
        for worker in self._workers:
            worker.end(deadline)


class _Worker:
    """One process, and a thread that listens to it."""

    def __init__(self, number: int, terms: Mapping[str, Any], project: Path, heard: SimpleQueue[Heard]) -> None:
        self.number = number
        self._heard = heard
        # A file takes whatever is written; a pipe nobody reads would stop the worker when it is full.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-c", BOOTSTRAP, str(ROOT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._words, env={**ENVIRONMENT, "HOME": os.environ.get("HOME", "/")}, cwd=project, text=True,
            close_fds=True, start_new_session=True,
        )
        self._tell(json.dumps(terms))
        Thread(target=self._listen, name=f"month worker {number}", daemon=True).start()

    def give(self, month: int) -> None:
        self._tell(str(month))

    def dismiss(self) -> None:
        assert self._process.stdin is not None, "it was opened with a pipe"
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return

    def end(self, deadline: float) -> None:
        """Wait for the process to end, and end it by force at `deadline`."""
        end_by(self._process, deadline)
        self._words.close()

    def words(self) -> str:
        """What the process said last where nobody was listening."""
        return last_words(self._words) or "it said nothing"

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None, "it was opened with a pipe"
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            # It has ended: its silence is heard where answers are waited for.
            return

    def _listen(self) -> None:
        assert self._process.stdout is not None, "it was opened with a pipe"
        with self._process.stdout as answers:
            for line in answers:
                self._heard.put((self.number, json.loads(line)))
        self._heard.put((self.number, None))
