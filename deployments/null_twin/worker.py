"""A process that lives through months for another one: told a month's number on a line, answers in JSON lines.

Executed anew with a clean environment, never forked. It ends when its standard input does, whatever ends that, and takes the
strategy's process and the month's home with it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any, NoReturn, TextIO

from deployments.null_twin.month import Terms, run_month
from shell.config import Settings
from shell.errors import BrainError
from shell.market.folder import load_history
from shell.undumpable import make_undumpable

# Trading comes first: what runs here is never urgent.
NICENESS = 5
GRACE_SECONDS = 5.0
# What a line of the answer is about.
NIGHT, RESULT, REFUSAL = "night", "result", "refusal"


def main() -> None:
    """Answer each month's number on stdin with the nights as they pass and one result or refusal, on stdout."""
    make_undumpable()
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, _leave)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # Nothing but answers goes there: a library's print ends up among the words on stderr.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asked = json.loads(sys.stdin.readline())
    months: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_listen, args=(months,), daemon=True).start()
    terms = Terms.of(asked["terms"])
    settings = Settings.model_validate_json(asked["settings"])
    source = load_history(Path(asked["data"]), terms.symbols) if asked["data"] else None
    scratch = Path(asked["scratch"])
    while True:
        month = months.get()
        try:
            result = run_month(
                terms, settings, source, month, scratch=scratch, tell=lambda night: _say(answers, {NIGHT: night})
            )
        except BrainError as error:
            _say(answers, {REFUSAL: str(error)})
        else:
            _say(answers, {RESULT: result.as_dict()})


def _say(answers: TextIO, what: Mapping[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _listen(months: SimpleQueue[int]) -> None:
    """Take months in; when there are no more, end this process, its strategy's first."""
    for line in sys.stdin:
        months.put(int(line))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Unwind the month under way, so that it closes what it opened, and end. Once: nothing interrupts that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)
