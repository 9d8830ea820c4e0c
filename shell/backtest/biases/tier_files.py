"""Do the hourly and daily candles of a history say the same as its 5-minute bars, where it has both?

Only candles older than the first 5m bar are ever taken from the deeper files; the stretch where both exist shows whether
those files can be believed: their times are bar opens, and each candle holds the whole of its hour or day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shell.market.aggregate import aggregate_rows
from shell.market.bars import Tier
from shell.market.columns import BarArray
from shell.market.frames import rows_of
from shell.market.history import History

TOLERANCE = 1e-6
# Fewer candles that both describe prove nothing.
OVERLAP_MIN = 10
# Two sources of one market seldom agree to the last digit of each bar; one source with one clock nearly always does.
AGREEMENT_MIN = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFile:
    """One deeper series against the 5m bars. `overlap` counts whole candles that both describe, `equal` those that agree;
    `unfinished` those that hold only a beginning of their hour or day; `shifted` says how its times are wrong, empty if
    no shift explains it better."""

    symbol: str
    tier: Tier
    overlap: int
    equal: int
    unfinished: int
    shifted: str = ""

    @property
    def agreement(self) -> float:
        return self.equal / self.overlap if self.overlap else 0.0

    @property
    def fault(self) -> str:
        """What is wrong for certain, as the end of a sentence; empty when nothing is."""
        name = f"the {self.tier.value} candles of {self.symbol}"
        if self.shifted:
            return f"{name} and its 5m bars do not share one clock: {self.shifted}"
        if self.unfinished:
            return f"{self.unfinished} of {name} are unfinished: they hold only a beginning of their time"
        return ""

    @property
    def doubt(self) -> str:
        """Why the file cannot be vouched for; empty when it can."""
        name = f"the {self.tier.value} candles of {self.symbol}"
        if self.overlap < OVERLAP_MIN:
            return f"{name} share only {self.overlap} whole candles with its 5m bars, {OVERLAP_MIN} are needed to compare"
        if self.agreement < AGREEMENT_MIN:
            return f"{name} agree with its 5m bars in only {self.agreement:.0%} of {self.overlap}: another source?"
        return ""


def check_files(history: History) -> list[TierFile]:
    """Every deeper series of the history."""
    found = []
    for tier, frames in ((Tier.H1, history.h1), (Tier.D1, history.d1)):
        for symbol, frame in frames.items():
            if symbol in history.m5 and frame.height:
                found.append(check_file(symbol, tier, rows_of(frame), rows_of(history.m5[symbol])))
    return found


def check_file(symbol: str, tier: Tier, deep: BarArray, m5: BarArray) -> TierFile:
    """`deep` against the candles that `m5` makes."""
    plain, whole = _agreement(deep, m5, tier)
    overlap, equal = len(plain), int(plain.sum())
    shifted = ""
    best = max(equal, overlap // 2)
    for words, m5_shift, deep_shift in (
        (f"each shows the {tier.value} after its time, which is the future", 0, tier.ms),
        ("its times are those of the closes, not of the opens", 0, -tier.ms),
        ("the times of the 5m bars are those of the closes, not of the opens", -Tier.M5.ms, 0),
        ("the 5m bars are one bar early", Tier.M5.ms, 0),
    ):
        same, _ = _agreement(_moved(deep, deep_shift), _moved(m5, m5_shift), tier)
        if int(same.sum()) > best:
            best, shifted = int(same.sum()), words
    unfinished = 0 if shifted else _unfinished(deep, m5, tier, whole[~plain])
    return TierFile(symbol=symbol, tier=tier, overlap=overlap, equal=equal, unfinished=unfinished, shifted=shifted)


def _agreement(deep: BarArray, m5: BarArray, tier: Tier) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """(whether each agrees, its open time) of the candles that `deep` has and all of whose 5m bars `m5` has."""
    buckets = m5[:, 0] // tier.ms * tier.ms
    opened, counts = np.unique(buckets, return_counts=True)
    full = opened[counts == tier.ms // Tier.M5.ms]
    built = aggregate_rows(m5, tier)
    times, mine, theirs = np.intersect1d(deep[:, 0], built[:, 0], return_indices=True)
    whole = np.isin(times, full)
    near = np.isclose(deep[mine[whole], 1:5], built[theirs[whole], 1:5], rtol=TOLERANCE, atol=0.0)
    return np.asarray(near.all(axis=1)), times[whole]


def _unfinished(deep: BarArray, m5: BarArray, tier: Tier, suspects: NDArray[np.float64]) -> int:
    """How many of the candles opening at `suspects` equal what their first few 5m bars make."""
    count = 0
    for open_ms in suspects.tolist():
        candle = deep[int(np.searchsorted(deep[:, 0], open_ms)), 1:5]
        first, last = np.searchsorted(m5[:, 0], [open_ms, open_ms + tier.ms])
        bars = m5[first:last]
        begun = np.column_stack(
            [
                np.full(len(bars), bars[0, 1]), np.maximum.accumulate(bars[:, 2]), np.minimum.accumulate(bars[:, 3]),
                bars[:, 4],
            ]
        )
        count += bool(np.isclose(begun[:-1], candle, rtol=TOLERANCE, atol=0.0).all(axis=1).any())
    return count


def _moved(rows: BarArray, by_ms: int) -> BarArray:
    moved = rows.copy()
    moved[:, 0] += by_ms
    return moved
