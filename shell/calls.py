"""Questions to the shell from other threads: answered one at a time, on the trading thread, between two steps (D11).

The control API, Telegram and the page live in threads of their own and hold nothing of the shell but this. Whatever they do,
trading goes on: a question is a function of the desk, and while nobody answers it only its asker waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition
from typing import Any, TypeVar

from shell.desk import Desk
from shell.errors import NotNow, OutcomeUnknown

Answer = TypeVar("Answer")
ANSWER_SECONDS = 30.0


class Calls:
    """The queue between the threads beside the shell and its own. `ask` belongs to them, the rest to the trading thread."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: deque[tuple[Callable[[Desk], Any], Future[Any]]] = deque()
        self._woken = False
        self._closed = ""

    def ask(self, question: Callable[[Desk], Answer], *, seconds: float = ANSWER_SECONDS) -> Answer:
        """Put `question` to the desk and wait for the answer; what it raises is raised here.

        Raises NotNow when the shell is stopping or did not begin within `seconds` (nothing happened then and nothing will),
        OutcomeUnknown when it began and did not come to an end in time. Never called on the trading thread.
        """
        answer: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise NotNow(self._closed)
            self._waiting.append((question, answer))
            self._changed.notify_all()
        try:
            given: Answer = answer.result(seconds)
        except TimeoutError:
            if not answer.done() and answer.cancel():
                raise NotNow(f"the shell is busy: nothing was begun within {seconds:.0f} s") from None
            if answer.done():
                raise
            raise OutcomeUnknown(f"the shell did not finish within {seconds:.0f} s; ask what became of it") from None
        return given

    def wake(self) -> None:
        """Something happened that the trading thread should look at, such as a price. From any thread."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Sleep until there is a question, a wake, or `seconds` are over. True if there was something."""
        with self._changed:
            happened = self._changed.wait_for(lambda: self._woken or bool(self._waiting), max(seconds, 0.0))
            self._woken = False
            return happened

    def answer(self, desk: Desk) -> int:
        """Answer what waits now; returns how many. A question's own exception is its asker's, never the shell's."""
        with self._changed:
            taken, self._waiting = list(self._waiting), deque()
        answered = 0
        for question, answer in taken:
            if answer.set_running_or_notify_cancel():
                _settle(question, answer, desk)
                answered += 1
        return answered

    def close(self, reason: str) -> None:
        """Refuse what waits and what is still to come, with `reason`."""
        with self._changed:
            self._closed = reason
            taken, self._waiting = list(self._waiting), deque()
        for _, answer in taken:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(NotNow(reason))


def _settle(question: Callable[[Desk], Any], answer: Future[Any], desk: Desk) -> None:
    try:
        answer.set_result(question(desk))
    except BaseException as error:
        answer.set_exception(error)
        if not isinstance(error, Exception):
            raise
