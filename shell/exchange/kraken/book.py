"""An order book kept from a snapshot and updates, and the checksum that proves it is Kraken's.

Pure. The checksum is the CRC-32 of the ten best asks, then the ten best bids, each price and quantity written with the
pair's decimals, without point and leading zeros (docs.kraken.com, "Spot WebSocket v2 book checksum", read 2026-11).
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal

from shell.exchange.kraken.public_types import Level

CHECKED_LEVELS = 10
DEPTHS = (10, 25, 100, 500, 1000)


class _Side:
    """One side: prices in rising order, and what rests at each."""

    __slots__ = ("falling", "prices", "qtys")

    def __init__(self, *, falling: bool) -> None:
        self.falling = falling
        self.prices: list[Decimal] = []
        self.qtys: dict[Decimal, Decimal] = {}

    def put(self, level: Level) -> None:
        """A quantity of zero takes the price away."""
        known = level.price in self.qtys
        if level.qty > 0:
            if not known:
                insort(self.prices, level.price)
            self.qtys[level.price] = level.qty
        elif known:
            del self.qtys[level.price]
            del self.prices[bisect_left(self.prices, level.price)]

    def cut(self, depth: int) -> None:
        """Forget what lies beyond `depth`: the venue sends no word when a level is pushed out."""
        beyond = len(self.prices) - depth
        if beyond > 0:
            gone = self.prices[:beyond] if self.falling else self.prices[depth:]
            self.prices = self.prices[beyond:] if self.falling else self.prices[:depth]
            for price in gone:
                del self.qtys[price]

    def best(self, count: int) -> list[Level]:
        """The `count` best, best first."""
        prices = self.prices[: -count - 1 : -1] if self.falling else self.prices[:count]
        return [Level(price=price, qty=self.qtys[price]) for price in prices]


class OrderBook:
    """The book of one symbol to one depth."""

    __slots__ = ("_asks", "_bids", "_price_decimals", "_qty_decimals", "depth", "symbol")

    def __init__(self, symbol: str, depth: int, *, price_decimals: int, qty_decimals: int) -> None:
        self.symbol = symbol
        self.depth = depth
        self._price_decimals = price_decimals
        self._qty_decimals = qty_decimals
        self._asks = _Side(falling=False)
        self._bids = _Side(falling=True)

    def replace(self, asks: Iterable[Level], bids: Iterable[Level]) -> None:
        """Take a snapshot: whatever was known is forgotten."""
        self._asks, self._bids = _Side(falling=False), _Side(falling=True)
        self.update(asks, bids)

    def update(self, asks: Iterable[Level], bids: Iterable[Level]) -> None:
        """Apply one whole message, then cut to depth."""
        for side, levels in ((self._asks, asks), (self._bids, bids)):
            for level in levels:
                side.put(level)
            side.cut(self.depth)

    def asks(self, count: int = CHECKED_LEVELS) -> list[Level]:
        """The best asks, lowest first."""
        return self._asks.best(count)

    def bids(self, count: int = CHECKED_LEVELS) -> list[Level]:
        """The best bids, highest first."""
        return self._bids.best(count)

    @property
    def crossed(self) -> bool:
        """The best bid is not below the best ask: no book of an open market looks so."""
        asks, bids = self.asks(1), self.bids(1)
        return bool(asks and bids and bids[0].price >= asks[0].price)

    def checksum(self) -> int:
        """What Kraken's checksum must be if this book is right."""
        levels = (*self.asks(), *self.bids())
        text = "".join(
            _digits(level.price, self._price_decimals) + _digits(level.qty, self._qty_decimals) for level in levels
        )
        return zlib.crc32(text.encode("ascii"))


def _digits(number: Decimal, decimals: int) -> str:
    return f"{number:.{decimals}f}".replace(".", "").lstrip("0")
