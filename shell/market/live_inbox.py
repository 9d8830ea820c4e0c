"""What a feed's thread hands to the trading thread: bars, quotes, prices and how far they are complete, coalesced.

Between two takes a symbol's prices are kept as the points that matter: each new low, each new high, and the newest. So a stop
and a target are reached in their true order however busy the market is, and a slow reader never falls behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from shell.market.bars import Bar, Quote, Tier
from shell.money import Price

POINTS_MAX = 200


class Tick(NamedTuple):
    """A price seen at `at_ms`, the venue's own time of it."""

    symbol: str
    price: Price
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came since the last take. `complete` tells of each symbol until when every bar has been told, `system`
    in the exchange's word whether it takes orders ("" unless it said so)."""

    bars: Sequence[Bar] = ()
    ticks: Sequence[Tick] = ()
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    complete: Mapping[str, int] = field(default_factory=dict)
    news: Sequence[str] = ()
    system: str = ""


class LiveInbox:
    """Filled from any thread, emptied by one. `wake` is called when something came that should not wait."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake
        # Symbols whose next price may move a book: theirs wakes the reader, others wait for it.
        self.concerned: frozenset[str] = frozenset()
        self._lock = Lock()
        self._bars: list[Bar] = []
        self._quotes: dict[str, Quote] = {}
        self._complete: dict[str, int] = {}
        self._told_until: dict[str, int] = {}
        self._news: list[str] = []
        self._points: dict[str, list[Tick]] = {}
        self._last: dict[str, Tick] = {}
        self._system = ""

    def put_bar(self, bar: Bar) -> None:
        """A closed bar, in any order, again or changed."""
        with self._lock:
            self._bars.append(bar)
        self.wake()

    def put_quote(self, quote: Quote) -> None:
        """The best prices now."""
        with self._lock:
            self._quotes[quote.symbol] = quote

    def put_tick(self, tick: Tick) -> None:
        """A price at which was traded."""
        with self._lock:
            points = self._points.setdefault(tick.symbol, [])
            if not points or (len(points) < POINTS_MAX and _is_extreme(points, tick.price)):
                points.append(tick)
            self._last[tick.symbol] = tick
        if tick.symbol in self.concerned:
            self.wake()

    def put_complete(self, symbol: str, until_ms: int) -> None:
        """Every bar of `symbol` that ends at or before `until_ms` has been put."""
        with self._lock:
            known_ms = self._told_until.get(symbol, 0)
            self._told_until[symbol] = self._complete[symbol] = max(until_ms, known_ms)
        if until_ms // Tier.M5.ms > known_ms // Tier.M5.ms:
            # A bar's end was passed: somebody may be waiting to scan.
            self.wake()

    def put_system(self, state: str) -> None:
        """The exchange says how it is: "online", "maintenance", "cancel_only", "post_only"."""
        with self._lock:
            self._system = state
        self.wake()

    def put_news(self, sentence: str) -> None:
        """Something the operator should see."""
        with self._lock:
            self._news.append(sentence)
        self.wake()

    def take(self) -> Delivery:
        """Everything since the last call; prices in the order of their times."""
        with self._lock:
            bars, self._bars = self._bars, []
            quotes, self._quotes = self._quotes, {}
            complete, self._complete = self._complete, {}
            news, self._news = self._news, []
            points, self._points = self._points, {}
            last, self._last = self._last, {}
            system, self._system = self._system, ""
        ticks = [tick for each in points.values() for tick in each]
        ticks += [tick for symbol, tick in last.items() if points[symbol][-1] is not tick]
        ticks.sort(key=lambda tick: tick.at_ms)
        return Delivery(bars=bars, ticks=ticks, quotes=quotes, complete=complete, news=news, system=system)


def _is_extreme(points: Sequence[Tick], price: Price) -> bool:
    """A new low or a new high. Compared with all points: few are kept, since each beats all before it."""
    return all(price < point.price for point in points) or all(price > point.price for point in points)
