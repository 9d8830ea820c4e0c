"""The position monitor's arithmetic (pure): the path of a bar, and which protective level a price has reached.

Between bars, backtest and replay follow one path, open -> adverse extreme -> favourable extreme -> close; positions are long
only, so the adverse extreme is the low, and a bar that touches stop and target reaches the stop first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from shell.clock import from_ms
from shell.market.bars import Bar
from shell.money import Price, decimal_of
from shell.orders import Purpose
from shell.portfolio.ledger import Position

# Where the points of a path lie, in ms after a 5-minute bar's open.
PATH_OFFSETS_MS = (0, 100_000, 200_000, 299_999)


def path_of(bar: Bar) -> tuple[float, float, float, float]:
    """The prices a bar leads through, one at each of `PATH_OFFSETS_MS` after its open."""
    return bar.open, bar.low, bar.high, bar.close


def points_of(
    bars: Sequence[Bar], matters: Callable[[Bar], bool], holding: Callable[[str], Position | None]
) -> Iterator[tuple[str, Price, datetime]]:
    """Prices along the paths of bars that opened together, point by point across symbols: what one symbol's exit brings in
    must not pay for another's entry of an earlier moment. A level of a position is met before the point behind it.

    `matters` and `holding` are asked as the path goes on: the caller acts on each price before it asks for the next.
    """
    walked = [(bar, path_of(bar)) for bar in bars if matters(bar)]
    if not walked:
        return
    opened_ms = walked[0][0].open_ms
    for point, offset_ms in enumerate(PATH_OFFSETS_MS):
        left, at = False, from_ms(opened_ms + offset_ms)
        for bar, path in walked:
            if point and not matters(bar):
                # What worked on it has filled or gone, and the rest of the path touches no level.
                continue
            left = True
            price = path[point]
            level = level_between(holding(bar.symbol), path[max(point - 1, 0)], price)
            if level is not None:
                yield bar.symbol, level, at
            yield bar.symbol, Price.of(decimal_of(price)), at
        if not left:
            return


def untouched(position: Position, bar: Bar) -> bool:
    """True when nothing on the bar's path reaches the position's stop or target."""
    stop, target = position.stop_loss, position.take_profit
    return (stop is None or bar.low > float(stop.value)) and (target is None or bar.high < float(target.value))


def level_between(position: Position | None, start: float, end: float) -> Price | None:
    """The stop (falling) or target (rising) that a continuous move from `start` to `end` crosses, if any."""
    if position is None:
        return None
    stop, target = position.stop_loss, position.take_profit
    if end < start and stop is not None and end <= float(stop) < start:
        return stop
    if end > start and target is not None and start < float(target) <= end:
        return target
    return None


def reached(position: Position, price: Price) -> Purpose | None:
    """STOP or TARGET when `price` is at or beyond that level of the position, the stop first."""
    if position.stop_loss is not None and price <= position.stop_loss:
        return Purpose.STOP
    if position.take_profit is not None and price >= position.take_profit:
        return Purpose.TARGET
    return None
