"""What a pair did today (UTC) and in the last 24 hours, out of its 5-minute rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shell.exchange.simulator.moments import DAY_S, SECOND_NS
from shell.exchange.simulator.ohlc import Candle, Candles
from shell.exchange.simulator.precision import ZERO, over


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Figures of one stretch of time."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal
    count: int

    @property
    def vwap(self) -> Decimal:
        return over(self.turnover, self.volume) if self.volume else self.close


class Ticker:
    """Both stretches of one pair. Whole rows are summed once each five minutes, not once each trade."""

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        self._known: dict[bool, tuple[int, int, Stretch | None]] = {}

    def today(self, now_ns: int) -> Stretch:
        now_s = now_ns // SECOND_NS
        return self._stretch(True, now_s // DAY_S * DAY_S, now_ns)

    def last_day(self, now_ns: int) -> Stretch:
        return self._stretch(False, now_ns // SECOND_NS - DAY_S, now_ns)

    def _stretch(self, today: bool, since_s: int, now_ns: int) -> Stretch:
        forming = self._candles.forming(5)
        since_slot, closed_until, closed = self._known.get(today, (-1, -1, None))
        if since_slot != since_s // 300 or closed_until != forming.begin_s:
            rows = [row for row in self._candles.rows(5, now_ns) if since_s <= row.begin_s < forming.begin_s]
            closed = _sum(rows)
            self._known[today] = since_s // 300, forming.begin_s, closed
        rest = _sum([forming])
        if closed is None or rest is None:
            return rest or closed or _nothing(forming)
        return Stretch(
            open=closed.open, high=max(closed.high, rest.high), low=min(closed.low, rest.low), close=rest.close,
            volume=closed.volume + rest.volume, turnover=closed.turnover + rest.turnover, count=closed.count + rest.count,
        )


def _sum(rows: Sequence[Candle]) -> Stretch | None:
    if not rows:
        return None
    return Stretch(
        open=rows[0].open, high=max(row.high for row in rows), low=min(row.low for row in rows), close=rows[-1].close,
        volume=sum((row.volume for row in rows), ZERO), turnover=sum((row.turnover for row in rows), ZERO),
        count=sum(row.count for row in rows),
    )


def _nothing(row: Candle) -> Stretch:
    price = row.close
    return Stretch(open=price, high=price, low=price, close=price, volume=ZERO, turnover=ZERO, count=0)
