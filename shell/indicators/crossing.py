"""Crossings of two averages over all symbols of a scan: where something may be about to happen, and nothing else.

A handful of symbols is looked at one by one; with more, they are taken together, row by row of the tape (D8), which costs a
third of it. Both do the same arithmetic in the same order, so the answers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shell.indicators.newest import CrossCell, ema_cross
from shell.indicators.series import COLUMNS

if TYPE_CHECKING:
    from shell.contract import SymbolData

FEW_SYMBOLS = 4


class _Crossings:
    """The averages of all symbols side by side. Begun from cells that have every average already."""

    __slots__ = ("_above", "_alphas", "_averages", "_first", "_found", "_taken", "_tape", "symbols")

    def __init__(self, symbols: list[str], cells: list[CrossCell], column: str) -> None:
        one = cells[0]
        self.symbols = symbols
        self._tape = one.tape
        self._first = one.tape.offset(COLUMNS.index(column), 0)
        self._taken = one.tape.count
        self._alphas = one.fast.alpha, one.slow.alpha
        self._averages = [cell.fast.value for cell in cells], [cell.slow.value for cell in cells]
        self._above = [cell.above for cell in cells]
        self._found = {symbol: int(cell.value) for symbol, cell in zip(symbols, cells, strict=True) if cell.value}

    def now(self) -> dict[str, int]:
        """The crossings of each symbol's newest bar."""
        count = self._tape.count
        for row in range(self._taken, count):
            self._take(row)
        self._taken = count
        return dict(self._found) if self._found else {}

    def _take(self, row: int) -> None:
        tape = self._tape
        at = row * tape.width + self._first
        values: list[float] = tape.flat[at : at + tape.symbols].tolist()  # type: ignore[assignment]
        total = sum(values)
        if total != total:
            self._take_some(values)
            return
        (quick, calm), (fast, slow) = self._averages, self._alphas
        # All of one length, and the hottest lines of a backtest: no `strict`.
        quick = [value + fast * (x - value) for x, value in zip(values, quick)]  # noqa: B905
        calm = [value + slow * (x - value) for x, value in zip(values, calm)]  # noqa: B905
        above = [one > other for one, other in zip(quick, calm)]  # noqa: B905
        self._averages = quick, calm
        if above == self._above:
            self._found = {}
            return
        changed = zip(self.symbols, above, self._above, strict=True)
        self._found = {symbol: 1 if now else -1 for symbol, now, before in changed if now != before}
        self._above = above

    def _take_some(self, values: list[float]) -> None:
        """A row in which some symbols have no bar: for them nothing changes, a crossing of their newest bar included."""
        (quick, calm), (fast, slow) = self._averages, self._alphas
        for at, x in enumerate(values):
            if x != x:
                continue
            quick[at] += fast * (x - quick[at])
            calm[at] += slow * (x - calm[at])
            now, before = quick[at] > calm[at], self._above[at]
            self._above[at] = now
            if now != before:
                self._found[self.symbols[at]] = 1 if now else -1
            else:
                self._found.pop(self.symbols[at], None)


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
        known: _Crossings | None = data.shared.get(key)  # type: ignore[attr-defined]
    except AttributeError:
        return None
    symbols = list(markets)
    if known is not None:
        return known if known.symbols == symbols else None
    _, tier, fast, slow, column = key
    cells: list[CrossCell] = []
    for each in markets.values():
        ema_cross(each, tier, fast, slow, column)
        cells.append(each.cells["cross", tier, fast, slow, column])  # type: ignore[attr-defined]
    whole = len(symbols) == cells[0].tape.symbols
    if not whole or not all(cell.fast.known and cell.slow.known for cell in cells):
        return None
    made = data.shared[key] = _Crossings(symbols, cells, column)  # type: ignore[attr-defined]
    return made
