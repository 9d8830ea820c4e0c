"""Which candle is closed: Kraken's feed never says so. Pure.

A bar is final when one of a later time arrives, or when its end has passed by a margin in which late trades may still come.
A bar without a trade is never told; nothing is invented for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from shell.exchange.kraken.events import CandleClosed, CandleForming
from shell.exchange.kraken.public_types import Candle

MARGIN = timedelta(seconds=3)
HELD_MAX = 1_000


class FormingCandle:
    """One symbol and length: the candle being made, and the newest that was told as closed.

    It begins paused, and is paused whenever the feed is down: what was forming then is incomplete. While paused, rows are
    kept and nothing is told as closed, until `resume` brings the bars that were missed, so that they come in order.
    """

    __slots__ = ("_closed", "_forming", "_held", "_length", "minutes", "paused", "symbol")

    def __init__(self, symbol: str, minutes: int) -> None:
        self.symbol = symbol
        self.minutes = minutes
        self.paused = True
        self._length = timedelta(minutes=minutes)
        self._forming: Candle | None = None
        self._closed: Candle | None = None
        self._held: dict[datetime, Candle] = {}

    @property
    def closed_until(self) -> datetime | None:
        """Where the newest closed bar ends."""
        return None if self._closed is None else self._closed.opened_at + self._length

    @property
    def forming(self) -> Candle | None:
        return self._forming

    def see(self, candles: Sequence[Candle]) -> list[CandleClosed | CandleForming]:
        """Take rows of the feed in any order, a snapshot or an update; the newest of all is taken as still forming."""
        if self.paused:
            self._held |= {candle.opened_at: candle for candle in candles}
            for oldest in sorted(self._held)[:-HELD_MAX]:
                del self._held[oldest]
            return []
        told: list[CandleClosed | CandleForming] = []
        for candle in sorted(candles, key=lambda each: each.opened_at):
            told += self._one(candle)
        return told

    def pause(self) -> None:
        """The feed is down."""
        self.paused = True
        self._forming = None
        self._held.clear()

    def resume(self, closed: Sequence[Candle]) -> list[CandleClosed | CandleForming]:
        """Go on after a pause, with the bars that closed in it, as REST tells them."""
        told: list[CandleClosed | CandleForming] = []
        for candle in sorted(closed, key=lambda each: each.opened_at):
            told += self._final(candle, polled=True)
        held, self._held, self.paused = list(self._held.values()), {}, False
        return told + self.see(held)

    def tick(self, now: datetime) -> list[CandleClosed]:
        """The forming bar, if its end has passed at `now`."""
        forming = self._forming
        if forming is None or now < forming.opened_at + self._length + MARGIN:
            return []
        self._forming = None
        return self._final(forming)

    def _one(self, candle: Candle) -> list[CandleClosed | CandleForming]:
        forming = self._forming
        if (self._closed is not None and candle.opened_at <= self._closed.opened_at) or (
            forming is not None and candle.opened_at < forming.opened_at
        ):
            return [*self._final(candle)]
        told: list[CandleClosed | CandleForming] = []
        if forming is not None and candle.opened_at > forming.opened_at:
            told += self._final(forming)
        self._forming = candle
        told.append(CandleForming(symbol=self.symbol, minutes=self.minutes, candle=candle))
        return told

    def _final(self, candle: Candle, *, polled: bool = False) -> list[CandleClosed]:
        """Told once; the newest one again, as revised, if it changed since. Older ones are history's business."""
        known = self._closed
        if known is not None and (candle.opened_at < known.opened_at or _same(candle, known)):
            return []
        revised = known is not None and candle.opened_at == known.opened_at
        self._closed = candle
        return [CandleClosed(symbol=self.symbol, minutes=self.minutes, candle=candle, revised=revised, polled=polled)]


def _same(one: Candle, other: Candle) -> bool:
    """Equal in what is kept of a bar: REST and the socket round its average price differently."""
    return all(
        getattr(one, name) == getattr(other, name) for name in ("opened_at", "open", "high", "low", "close", "volume")
    )
