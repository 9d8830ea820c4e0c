"""Starting what lives beside the trading loop: all at once, each in a thread of its own, so that none delays a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from shell.calls import Calls
from shell.clock import monotonic
from shell.companion import Companion

# How long the loop waits for them before it begins; who is not up by then comes up beside it.
START_SECONDS = 5.0
# How long an end waits for one that is still starting.
END_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Started:
    """How one companion's start ended: `error` is what it raised."""

    name: str
    error: Exception | None = None


class Beginnings:
    """The starts of some companions. `news` is for the trading thread, which alone tells and counts."""

    def __init__(self, companions: Sequence[Companion], calls: Calls) -> None:
        self._news: SimpleQueue[Started] = SimpleQueue()
        self._threads = [
            Thread(target=self._begin, args=(each, calls), name=f"start {each.name}", daemon=True) for each in companions
        ]

    def begin(self, seconds: float = START_SECONDS) -> None:
        """Start them all, and wait for them `seconds` in all."""
        for thread in self._threads:
            thread.start()
        self.join(seconds)

    def join(self, seconds: float = END_SECONDS) -> None:
        """Wait for those that are still starting, `seconds` in all."""
        until = monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(until - monotonic(), 0.0))

    def news(self) -> list[Started]:
        """Those that came up, or failed to, since the last call."""
        found = []
        while True:
            try:
                found.append(self._news.get_nowait())
            except Empty:
                return found

    def _begin(self, companion: Companion, calls: Calls) -> None:
        try:
            companion.start(calls)
        except Exception as error:  # noqa: BLE001  # a thread's outermost edge: counted and told by the loop
            self._news.put(Started(companion.name, error))
        else:
            self._news.put(Started(companion.name))
