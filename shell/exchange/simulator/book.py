"""The order book of one pair: invented depth around the newest price, thinned by what was taken, and its checksum.

Best bid and ask stand half a spread from the last trade; further levels stand on a fixed grid with sizes drawn from the
seed, the price and the five minutes, so that most levels stay when the price moves a little. What an order takes is gone
until the next trade of the tape. Whole ticks and lots inside.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from shell.exchange.simulator.names import Listing
from shell.exchange.simulator.precision import over

DEPTH_MAX = 1000
CHECKSUM_LEVELS = 10
BUY, SELL = "buy", "sell"


class Level(NamedTuple):
    """So much stands at this price."""

    price: Decimal
    qty: Decimal


class Depth:
    """The outside market's resting orders. `asks` are what a buy takes, `bids` what a sell takes."""

    def __init__(
        self, listing: Listing, reference: Decimal, *, seed: int, spread_pct: Decimal, level_value: Decimal
    ) -> None:
        self._listing = listing
        self._tick = listing.tick
        self._lot_decimals = listing.lot_decimals
        self._half_spread = spread_pct / 2
        self._step = max(1, _ticks(reference / 10_000, listing.tick))
        lots = over(level_value, reference).scaleb(listing.lot_decimals)
        self._lots = max(int(lots), 1)
        self._seed = seed ^ zlib.crc32(listing.symbol.encode())
        self._epoch = 0
        self._taken: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.recentre(reference, 0)

    def recentre(self, price: Decimal, epoch: int) -> None:
        """Stand around `price`, with sizes of `epoch`; what was taken is replaced."""
        self._around = price
        self._epoch = epoch
        self._taken.clear()

    def levels(self, side: str) -> Iterator[Level]:
        """What an order of `side` would meet, best first."""
        for ticks in self._prices(side):
            lots = self._size(side, ticks) - self._taken.get((side, ticks), 0)
            if lots > 0:
                yield Level(self._tick * ticks, Decimal(lots).scaleb(-self._lot_decimals))

    def best(self, side: str) -> Decimal:
        """The best price an order of `side` would meet, taken or not."""
        return self._tick * self._best(side)

    def take(self, side: str, price: Decimal, qty: Decimal) -> None:
        """An order of `side` took this much at this price."""
        self._taken[side, _ticks(price, self._tick)] += int(qty.scaleb(self._lot_decimals))

    def standing(self, side: str, price: Decimal) -> Decimal:
        """How much an order of `side` would meet at exactly `price`."""
        ticks, best = _ticks(price, self._tick), self._best(side)
        behind = ticks > best if side == BUY else 0 < ticks < best
        if ticks != best and not (behind and ticks % self._step == 0 and abs(ticks - best) <= DEPTH_MAX * self._step):
            return Decimal(0)
        lots = self._size(side, ticks) - self._taken.get((side, ticks), 0)
        return Decimal(max(lots, 0)).scaleb(-self._lot_decimals)

    def _best(self, side: str) -> int:
        """In ticks. Worked out when asked: most trades pass with nobody there to meet the book."""
        middle = _ticks(self._around, self._tick)
        half = max(1, _ticks(self._around * self._half_spread, self._tick))
        return middle + half if side == BUY else max(middle - half, 1)

    def _prices(self, side: str) -> Iterator[int]:
        step, best = self._step, self._best(side)
        yield best
        if side == BUY:
            first = (best // step + 1) * step
            yield from range(first, first + step * (DEPTH_MAX - 1), step)
        else:
            first = (best - 1) // step * step
            yield from range(first, max(first - step * (DEPTH_MAX - 1), 0), -step)

    def _size(self, side: str, ticks: int) -> int:
        mixed = (ticks * 2_654_435_761 ^ self._epoch * 40_503 ^ self._seed ^ (side == BUY) * 0x9E3779B9) & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 15) * 2_246_822_519 & 0xFFFFFFFF
        return self._lots // 4 + self._lots * (mixed >> 16) * 3 // (2 * 0xFFFF) + 1


def merged(outside: Iterable[Level], own: Sequence[Level], side: str, count: int) -> list[Level]:
    """Both in one ladder of `count` levels, best first, one level a price; `side` is who would meet them."""
    sign = 1 if side == BUY else -1
    found: dict[Decimal, Decimal] = {}
    for level in own:
        found[level.price] = found.get(level.price, Decimal(0)) + level.qty
    for seen, level in enumerate(outside):
        if seen == count:
            break
        found[level.price] = found.get(level.price, Decimal(0)) + level.qty
    ordered = sorted(found.items(), key=lambda item: sign * item[0])[:count]
    return [Level(price, qty) for price, qty in ordered]


def checksum(asks: Sequence[Level], bids: Sequence[Level], price_decimals: int, qty_decimals: int) -> int:
    """CRC-32 over the best ten asks, then the best ten bids: price and quantity of each without point and leading zeros."""
    text = "".join(
        _digits(level.price, price_decimals) + _digits(level.qty, qty_decimals)
        for level in (*asks[:CHECKSUM_LEVELS], *bids[:CHECKSUM_LEVELS])
    )
    return zlib.crc32(text.encode())


def _digits(value: Decimal, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace(".", "").lstrip("0")


def _ticks(price: Decimal, tick: Decimal) -> int:
    return int(over(price, tick).to_integral_value(ROUND_HALF_EVEN))
