"""Crossings of two averages over all symbols of a scan: where something may be about to happen, and nothing else.

A handful of symbols is looked at one by one; with more, they are taken together, row by row of the tape (D8), which costs a
third of it. Both do the same arithmetic in the same order, so the answers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import TYPE_CHECKING

from shell.indicators.newest import CrossCell, ema_cross
from shell.indicators.series import COLUMNS

if TYPE_CHECKING:
    from shell.contract import SymbolData

FEW_SYMBOLS = 4
_NUMBER_BYTES = 8


class _Pair:
    """The two averages of one symbol. Attributes and not items of lists: a compiled class keeps its numbers unboxed."""

    __slots__ = ("above", "calm", "quick", "symbol")

    def __init__(self, symbol: str, quick: float, calm: float, above: bool) -> None:
        self.symbol = symbol
        self.quick = quick
        self.calm = calm
        self.above = above


class _Crossings:
    """The averages of all symbols side by side. Begun from cells that have every average already."""

    __slots__ = ("_fast", "_first", "_found", "_pairs", "_row_at", "_slow", "_taken", "_tape", "symbols")

    def __init__(self, symbols: list[str], cells: list[CrossCell], column: str) -> None:
        one = cells[0]
        self.symbols = symbols
        self._tape = one.tape
        self._first = one.tape.offset(COLUMNS.index(column), 0)
        self._row_at = Struct(f"{len(symbols)}d").unpack_from
        self._taken = one.tape.count
        self._fast, self._slow = one.fast.alpha, one.slow.alpha
        self._pairs = [
            _Pair(symbol, cell.fast.value, cell.slow.value, cell.above)
            for symbol, cell in zip(symbols, cells, strict=True)
        ]
        self._found = {symbol: int(cell.value) for symbol, cell in zip(symbols, cells, strict=True) if cell.value}

    def now(self) -> dict[str, int]:
        """The crossings of each symbol's newest bar, in the order of the symbols."""
        tape, taken = self._tape, self._taken
        if taken != tape.count:
            self._taken = tape.count
            for row in range(taken, self._taken):
                self._take(self._row_at(tape.flat, _NUMBER_BYTES * (row * tape.width + self._first)))
        return dict(self._found) if self._found else {}

    def _take(self, values: tuple[float, ...]) -> None:
        """One row of the tape. For a symbol without a bar in it nothing changes, a crossing of its newest bar included."""
        before, pairs, fast, slow = self._found, self._pairs, self._fast, self._slow
        found: dict[str, int] = {}
        # The hottest lines of a backtest: one plain loop costs half of three comprehensions, and no more than arrays do.
        at = 0
        for x in values:
            pair = pairs[at]
            if x == x:
                pair.quick = one = pair.quick + fast * (x - pair.quick)
                pair.calm = other = pair.calm + slow * (x - pair.calm)
                if one > other:
                    if not pair.above:
                        pair.above, found[pair.symbol] = True, 1
                elif pair.above:
                    pair.above, found[pair.symbol] = False, -1
            elif pair.symbol in before:
                found[pair.symbol] = before[pair.symbol]
            at += 1  # noqa: SIM113  # less than the pairs of `enumerate` cost
        self._found = found


def ema_crossings(
    markets: Mapping[str, SymbolData], tier: str, fast: int, slow: int, column: str = "close"
) -> dict[str, int]:
    """The symbols of `markets` whose newest bar brought a crossing, as `ema_cross` tells it: 1 upwards, -1 downwards."""
    if len(markets) > FEW_SYMBOLS:
        together = _together(markets, ("crossings", tier, fast, slow, column))
        if together is not None:
            return together.now()
    found = {}
    for symbol, data in markets.items():
        crossed = ema_cross(data, tier, fast, slow, column)
        if crossed:
            found[symbol] = crossed
    return found


def _together(markets: Mapping[str, SymbolData], key: tuple[str, str, int, int, str]) -> _Crossings | None:
    """The side-by-side averages of all symbols, once every one of them is known; None before, and outside the host."""
    data = next(iter(markets.values()))
    try:
        if not data.scan.live:  # type: ignore[attr-defined]
            return None
        shared: dict[object, object] = data.shared  # type: ignore[attr-defined]
    except AttributeError:
        return None
    known, symbols = shared.get(key), list(markets)
    if known is not None:
        assert isinstance(known, _Crossings)
        return known if known.symbols == symbols else None
    _, tier, fast, slow, column = key
    cells: list[CrossCell] = []
    for each in markets.values():
        ema_cross(each, tier, fast, slow, column)
        cells.append(each.cells["cross", tier, fast, slow, column])  # type: ignore[attr-defined]
    whole = len(symbols) == cells[0].tape.symbols
    if not whole or not all(cell.fast.known and cell.slow.known for cell in cells):
        return None
    made = shared[key] = _Crossings(symbols, cells, column)
    return made
