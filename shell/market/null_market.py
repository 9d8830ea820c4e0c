"""Null markets: real histories re-made so that nothing in them can be earned, for measuring how often luck passes a gate.

Three kinds, each keeping another part of what makes prices look real, all of several symbols at once so that coins still
move together:

- `block-bootstrap` (Politis and Romano 1994, stationary bootstrap): blocks of real bars of random length, the same stretch
  for every symbol, each bar with its gap, wicks and volume. Keeps what happens within a block: volatility clusters, fat tails,
  and whatever short-lived autocorrelation the real prices have. Destroys anything longer than a block.
- `phase-randomised` (Theiler et al. 1992; Prichard and Theiler 1994 for several series): the returns with random phases,
  the same for every symbol. Keeps the spectrum and the cross-spectra, so all linear autocorrelation; destroys fat tails and
  clusters. Wicks and volume stay with the real bars, in their order.
- `martingale`: block-bootstrapped bars, each turned upside down by a fair coin, the same for every symbol. Nothing in the
  past says which way the next bar goes, so no rule whatever has an edge; volatility clusters and co-movement stay.

In every kind the drift is taken out: the expected growth of a price is one, so buying and holding has no edge either. What a
single market of some months then does by chance is left in it: that is the luck the gate has to see through.

Same source, kind, seed, start and days: same bytes. Only 5m bars are made; hours and days are built from them as everywhere.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from shell.clock import to_ms
from shell.errors import DataError
from shell.market.bars import DAY_MS, Tier
from shell.market.columns import WIDTH
from shell.market.frames import rows_of, to_frame
from shell.market.history import History
from shell.market.pair import replay_pair

BARS_A_DAY = DAY_MS // Tier.M5.ms
# Mean length of a block: long enough for a day's volatility cluster, short against the trends that rules of hours follow.
BLOCK_BARS_MEAN = BARS_A_DAY
# Frequencies, the lowest first, that say how far the mean of a phase-randomised series may lie from nothing.
MEAN_FROM_FREQUENCIES = 8
# Days of bars below which there is nothing to draw blocks from.
SOURCE_DAYS_MIN = 7

Array = NDArray[np.float64]


class NullKind(StrEnum):
    """How the edge is taken out."""

    BLOCK_BOOTSTRAP = "block-bootstrap"
    PHASE_RANDOMISED = "phase-randomised"
    MARTINGALE = "martingale"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shapes:
    """Bars as logarithms, [symbol, bar]: `gap` from the close before to the open, the others from the bar's own open.
    `up` is never negative, `down` never positive, `body` lies between them."""

    gap: Array
    up: Array
    down: Array
    body: Array
    volume: Array

    @property
    def returns(self) -> Array:
        """Close to close."""
        total: Array = self.gap + self.body
        return total

    def at(self, index: NDArray[np.int64]) -> _Shapes:
        return _Shapes(
            gap=self.gap[:, index], up=self.up[:, index], down=self.down[:, index], body=self.body[:, index],
            volume=self.volume[:, index],
        )


def null_market(source: History, *, kind: NullKind | str, seed: int, start: datetime, days: int) -> History:
    """`days` days of 5-minute bars from `start` of every symbol of `source`, without holes and without an edge.

    Bars are drawn from the times at which every symbol has one; a jump across a hole in the source is left out. Raises
    DataError when `source` is too short, `start` no 5-minute mark, or a parameter out of range.
    """
    wanted = _kind(kind)
    start_ms = to_ms(start)
    if days < 1 or start_ms % Tier.M5.ms:
        raise DataError(f"a null market needs a day or more from a 5-minute mark, not {days} days from {start.isoformat()}")
    if not 0 <= seed < 2**63:
        raise DataError(f"seed {seed} is out of range: a whole number from 0 up is needed")
    shapes, first = _shapes(source)
    count = days * BARS_A_DAY
    chance = np.random.default_rng([seed, zlib.crc32(wanted.encode())])
    match wanted:
        case NullKind.BLOCK_BOOTSTRAP:
            made = _without_drift(shapes).at(_blocks(chance, shapes.gap.shape[1], count))
        case NullKind.PHASE_RANDOMISED:
            made = _phase_randomised(chance, shapes, count)
        case NullKind.MARTINGALE:
            made = _tossed(chance, shapes.at(_blocks(chance, shapes.gap.shape[1], count)))
    times = start_ms + np.arange(count, dtype=np.int64) * Tier.M5.ms
    frames = {
        symbol: to_frame(_rows(symbol, times, made, number, first[number])) for number, symbol in enumerate(source.symbols)
    }
    return History(m5=frames, source=f"{wanted} null twin of {source.source} (seed {seed})", real=False)


def _kind(kind: NullKind | str) -> NullKind:
    try:
        return NullKind(kind)
    except ValueError:
        raise DataError(f"{kind!r} is no null market: {', '.join(NullKind)} are possible") from None


def _shapes(source: History) -> tuple[_Shapes, Array]:
    """The bars every symbol has, in order, and each symbol's first price."""
    tables = [rows_of(frame) for frame in source.m5.values()]
    if not tables:
        raise DataError("a null market needs the history of at least one symbol")
    common = tables[0][:, 0]
    for table in tables[1:]:
        common = np.intersect1d(common, table[:, 0], assume_unique=True)
    if len(common) < SOURCE_DAYS_MIN * BARS_A_DAY:
        raise DataError(
            f"the symbols have {len(common) / BARS_A_DAY:.1f} days of 5m bars in common; a null market is drawn from "
            f"{SOURCE_DAYS_MIN} or more"
        )
    kept = [table[np.searchsorted(table[:, 0], common)] for table in tables]
    after_hole = np.diff(common) != Tier.M5.ms
    gaps, ups, downs, bodies = [], [], [], []
    for table in kept:
        open_, high, low, close = np.log(table[:, 1:5]).T
        gap = open_[1:] - close[:-1]
        gap[after_hole] = 0.0
        gaps.append(gap)
        ups.append((high - open_)[1:])
        downs.append((low - open_)[1:])
        bodies.append((close - open_)[1:])
    shapes = _Shapes(
        gap=np.array(gaps), up=np.array(ups), down=np.array(downs), body=np.array(bodies),
        volume=np.array([table[1:, 5] for table in kept]),
    )
    return shapes, np.array([table[0, 1] for table in kept])


def _blocks(chance: np.random.Generator, available: int, count: int) -> NDArray[np.int64]:
    """Which source bar each new bar is: blocks of geometrically distributed length, the source taken as a ring."""
    fresh = chance.random(count) < 1.0 / BLOCK_BARS_MEAN
    fresh[0] = True
    begins = np.flatnonzero(fresh)
    starts = chance.integers(0, available, len(begins))
    block = np.cumsum(fresh) - 1
    index: NDArray[np.int64] = (starts[block] + np.arange(count) - begins[block]) % available
    return index


def _without_drift(shapes: _Shapes) -> _Shapes:
    """Each symbol's mean growth of a bar divided out of the gap, so that the bar's own shape stays as it was."""
    growth = np.log(np.exp(shapes.returns).mean(axis=1, keepdims=True))
    return _Shapes(gap=shapes.gap - growth, up=shapes.up, down=shapes.down, body=shapes.body, volume=shapes.volume)


def _phase_randomised(chance: np.random.Generator, shapes: _Shapes, count: int) -> _Shapes:
    """A stretch of `count` bars whose returns have the spectrum they had, and no other order."""
    available = shapes.gap.shape[1]
    if available < count:
        raise DataError(
            f"the symbols have {available / BARS_A_DAY:.1f} days of 5m bars in common; a phase-randomised market of "
            f"{count / BARS_A_DAY:.0f} days needs as many"
        )
    begin = int(chance.integers(0, available - count + 1))
    piece = shapes.at(np.arange(begin, begin + count))
    returns = _same_spectrum(chance, piece.returns)
    top, bottom = np.maximum(piece.body, 0.0), np.minimum(piece.body, 0.0)
    return _Shapes(
        gap=np.zeros_like(returns), body=returns, volume=piece.volume,
        up=np.maximum(returns, 0.0) + (piece.up - top), down=np.minimum(returns, 0.0) + (piece.down - bottom),
    )


def _same_spectrum(chance: np.random.Generator, returns: Array) -> Array:
    """Series [symbol, bar] with the spectra and cross-spectra of `returns`, and an expected growth of nothing.

    Their mean is drawn, too, from what the lowest frequencies hold: a path whose mean were exactly nothing would have to come
    back to where it began, and that alone could be traded.
    """
    count = returns.shape[1]
    spectrum = np.fft.rfft(returns, axis=1)
    low = spectrum[:, 1 : 1 + MEAN_FROM_FREQUENCIES]
    turned = low * np.exp(2j * np.pi * chance.random(low.shape[1]))
    mean = (turned.real * chance.standard_normal(low.shape[1])).sum(axis=1) * np.sqrt(2.0 / low.shape[1])
    turn = np.exp(2j * np.pi * chance.random(spectrum.shape[1]))
    # Of an even number of values the highest frequency has no phase: it must stay real.
    if count % 2 == 0:
        turn[-1] = 1.0
    spectrum *= turn
    spectrum[:, 0] = 0.0
    made: Array = np.fft.irfft(spectrum, n=count, axis=1)
    growth = np.log(np.exp(made).mean(axis=1, keepdims=True))
    made += mean[:, None] / count - growth
    return made


def _tossed(chance: np.random.Generator, shapes: _Shapes) -> _Shapes:
    """Each bar as it is or upside down. Given the size r of a move, up and down weigh the same, and the mean of exp(+-r)
    is cosh(r): divided out of the gap, it leaves the price a martingale whatever the sizes were."""
    sign = np.where(chance.random(shapes.gap.shape[1]) < 0.5, 1.0, -1.0)
    upright = sign > 0
    return _Shapes(
        gap=sign * shapes.gap - np.log(np.cosh(shapes.returns)), body=sign * shapes.body, volume=shapes.volume,
        up=np.where(upright, shapes.up, -shapes.down), down=np.where(upright, shapes.down, -shapes.up),
    )


def _rows(symbol: str, times: NDArray[np.int64], shapes: _Shapes, number: int, first_price: float) -> Array:
    """One symbol's bars at its venue's price step."""
    closes = np.cumsum(shapes.gap[number] + shapes.body[number])
    opens = closes - shapes.body[number]
    logs = np.stack([opens, opens + shapes.up[number], opens + shapes.down[number], closes])
    tick = replay_pair(symbol, first_price).tick
    decimals = max(0, -int(tick.adjusted()))
    rows = np.empty((WIDTH, len(times)))
    rows[0] = times
    prices = np.maximum(np.round(first_price * np.exp(logs), decimals), float(tick))
    # The same sums in another order can differ in the last bit: the wicks hold the body all the same.
    prices[1] = prices.max(axis=0)
    prices[2] = prices.min(axis=0)
    rows[1:5] = prices
    rows[5] = shapes.volume[number]
    return rows.T
