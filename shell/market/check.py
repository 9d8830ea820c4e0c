"""Is this series of candles fit for use? Bad rows are reported and left out with a reason, holes are listed; nothing is
ever repaired, moved or invented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shell.clock import from_ms
from shell.market.bars import CANDLE_COLUMNS, Tier
from shell.market.frames import CANDLE_SCHEMA

# A wick this far beyond everything around it is reported; real crashes make some, and a backtest without them would be
# kinder than the market was, so a row is left out only when its wick is absurd.
WIDE_PCT = 0.3
ABSURD_PCT = {Tier.M5: 0.5, Tier.H1: 0.6, Tier.D1: 0.75}
GAPS_SHOWN_MAX = 20
ROWS_SHOWN_MAX = 50


class Flaw(StrEnum):
    """Why a row was left out; the value is shown to people."""

    NOT_A_NUMBER = "a value is missing or not a number"
    ZERO_OR_NEGATIVE = "a price is zero or below, or the volume is negative"
    BAD_OHLC = "open or close lie outside low..high"
    OFF_GRID = "the time is not the beginning of a bar"
    OUT_OF_ORDER = "it comes after a later row"
    DUPLICATE = "its time occurred before"
    ABSURD_WICK = "high or low is far from every price around it"
    ABSURD_PRINT = "it closes far from both neighbours, which agree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """`bars` bar slots without a row; `first` and `last` are the open times of the missing bars at either end."""

    first: datetime
    last: datetime
    bars: int

    def as_dict(self) -> dict[str, Any]:
        return {"from": self.first.isoformat(), "to": self.last.isoformat(), "bars": self.bars}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRow:
    """A row left out: its place in the source (0 is the first), its values as found, the flaw."""

    index: int
    open_ms: int | None
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    flaw: Flaw

    @property
    def opened(self) -> datetime | None:
        return None if self.open_ms is None else from_ms(self.open_ms)

    @property
    def reason(self) -> str:
        return self.flaw.value

    def as_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(self, name) for name in CANDLE_COLUMNS[1:]}
        at = None if self.open_ms is None else from_ms(self.open_ms).isoformat()
        return {"row": self.index, "timestamp": at, **values, "reason": str(self.flaw)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesReport:
    """What was found in one series. `rows` counts the source, `clean_rows` what is left; `first` and `last` are open
    times of clean rows; gaps are holes between clean rows; rows with volume 0 or a wide wick are counted and kept."""

    symbol: str
    tier: Tier
    rows: int
    clean_rows: int
    first: datetime | None
    last: datetime | None
    gaps: tuple[Gap, ...]
    missing_bars: int
    duplicates: int
    out_of_order: int
    off_grid: int
    not_a_number: int
    zero_or_negative: int
    bad_ohlc: int
    absurd_wicks: int
    wide_wicks: int
    zero_volume: int
    quarantined: tuple[QuarantinedRow, ...]

    @property
    def ok(self) -> bool:
        """No row had to be left out (holes are no fault of the rows)."""
        return not self.quarantined

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; the longest gaps and the first quarantined rows, with their total numbers."""
        longest = sorted(self.gaps, key=lambda gap: (-gap.bars, gap.first))[:GAPS_SHOWN_MAX]
        counts = {name: getattr(self, name) for name in _COUNTED}
        return {
            "symbol": self.symbol,
            "tier": self.tier.value,
            "rows": self.rows,
            "clean_rows": self.clean_rows,
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "gap_count": len(self.gaps),
            "gaps": [gap.as_dict() for gap in longest],
            **counts,
            "quarantined_count": len(self.quarantined),
            "quarantined": [row.as_dict() for row in self.quarantined[:ROWS_SHOWN_MAX]],
        }

    def sentences(self) -> list[str]:
        """What a person should know, worst first; empty for a faultless series without holes."""
        name = f"{self.symbol} {self.tier.value}"
        found: dict[Flaw, list[QuarantinedRow]] = {}
        for row in self.quarantined:
            found.setdefault(row.flaw, []).append(row)
        lines = [
            f"{name}: {len(rows)} of {self.rows} rows left out: {flaw} (first: {_place(rows[0])})"
            for flaw, rows in sorted(found.items(), key=lambda item: -len(item[1]))
        ]
        if self.gaps:
            longest = max(self.gaps, key=lambda gap: gap.bars)
            lines.append(
                f"{name}: {_count(len(self.gaps), 'hole')}, {_count(self.missing_bars, 'bar')} missing; the longest "
                f"from {longest.first:%Y-%m-%d %H:%M} to {longest.last:%Y-%m-%d %H:%M} ({_count(longest.bars, 'bar')})"
            )
        if self.wide_wicks:
            rows = _count(self.wide_wicks, "row")
            lines.append(f"{name}: {rows} kept with a wick more than {WIDE_PCT:.0%} beyond every price around it")
        if self.zero_volume:
            lines.append(f"{name}: {_count(self.zero_volume, 'row')} with volume 0")
        return lines


_COUNTED = (
    "missing_bars",
    "duplicates",
    "out_of_order",
    "off_grid",
    "not_a_number",
    "zero_or_negative",
    "bad_ohlc",
    "absurd_wicks",
    "wide_wicks",
    "zero_volume",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """What was found in each series of a folder or import."""

    source: str
    series: tuple[SeriesReport, ...]

    def sentences(self) -> list[str]:
        return [line for report in self.series for line in report.sentences()]

    def as_dict(self) -> dict[str, object]:
        return {"source": self.source, "series": [report.as_dict() for report in self.series]}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSeries:
    """A report and the rows that passed, in contract columns and strictly increasing time."""

    report: SeriesReport
    clean: pl.DataFrame


def check_frame(symbol: str, tier: Tier, frame: pl.DataFrame, *, wick_pct: float | None = None) -> CheckedSeries:
    """Judge every row of `frame` (contract columns, any order, nulls allowed). Of rows with one time the first is kept.

    A wick is absurd when it lies further than the fraction `wick_pct` (None: ABSURD_PCT of the tier) beyond both
    neighbours' closes and its own open and close; a print when its close does so against two neighbours that agree.
    """
    absurd_pct = ABSURD_PCT[tier] if wick_pct is None else wick_pct
    frame = frame.select(CANDLE_COLUMNS).cast(CANDLE_SCHEMA)
    times = frame["timestamp"].to_physical()
    has_time = times.is_not_null().to_numpy()
    open_ms = times.fill_null(0).to_numpy()
    values = np.stack([frame[name].fill_null(np.nan).to_numpy() for name in CANDLE_COLUMNS[1:]])
    flaws = np.full(frame.height, -1, dtype=np.int8)

    _mark(flaws, Flaw.NOT_A_NUMBER, ~(has_time & np.isfinite(values).all(axis=0)))
    opens, highs, lows, closes, volumes = values
    _mark(flaws, Flaw.ZERO_OR_NEGATIVE, (values[:4] <= 0).any(axis=0) | (volumes < 0))
    _mark(flaws, Flaw.BAD_OHLC, (highs < np.maximum(opens, closes)) | (lows > np.minimum(opens, closes)))
    _mark(flaws, Flaw.OFF_GRID, open_ms % tier.ms != 0)
    _mark_order(flaws, open_ms)
    _mark_absurd(flaws, values, absurd_pct)

    wide = int(_wide_wicks(values[:, flaws < 0], WIDE_PCT).sum())
    clean = frame.filter(pl.Series(flaws < 0))
    return CheckedSeries(report=_report(symbol, tier, frame, clean, flaws, wide), clean=clean)


def find_gaps(tier: Tier, open_ms: NDArray[np.int64]) -> tuple[Gap, ...]:
    """Holes in strictly increasing open times."""
    steps = np.diff(open_ms) // tier.ms
    return tuple(
        Gap(first=from_ms(before + tier.ms), last=from_ms(before + (step - 1) * tier.ms), bars=step - 1)
        for before, step in ((int(open_ms[at]), int(steps[at])) for at in np.flatnonzero(steps > 1).tolist())
    )


_FLAWS: tuple[Flaw, ...] = tuple(Flaw)


def _mark(flaws: NDArray[np.int8], flaw: Flaw, where: NDArray[np.bool_]) -> None:
    """Give `flaw` to rows that have none yet: the first flaw found is the reason told."""
    flaws[where & (flaws < 0)] = _FLAWS.index(flaw)


def _mark_order(flaws: NDArray[np.int8], open_ms: NDArray[np.int64]) -> None:
    sound = np.flatnonzero(flaws < 0)
    if len(sound) < 2:
        return
    times = open_ms[sound]
    latest_before = np.maximum.accumulate(times)[:-1]
    late = np.concatenate(([False], times[1:] < latest_before))
    same = np.concatenate(([False], times[1:] == latest_before))
    flaws[sound[late]] = _FLAWS.index(Flaw.OUT_OF_ORDER)
    flaws[sound[same]] = _FLAWS.index(Flaw.DUPLICATE)


def _mark_absurd(flaws: NDArray[np.int8], values: NDArray[np.float64], absurd_pct: float) -> None:
    sound = np.flatnonzero(flaws < 0)
    wick = _wide_wicks(values[:, sound], absurd_pct)
    flaws[sound[wick]] = _FLAWS.index(Flaw.ABSURD_WICK)
    if len(sound) < 3:
        return
    closes = values[3, sound]
    before, here, after = closes[:-2], closes[1:-1], closes[2:]
    high, low = np.maximum(before, after), np.minimum(before, after)
    far = (here > high * (1 + absurd_pct)) | (here < low * (1 - absurd_pct))
    stray = far & (high <= low * (1 + absurd_pct / 2)) & ~wick[1:-1]
    flaws[sound[1:-1][stray]] = _FLAWS.index(Flaw.ABSURD_PRINT)


def _wide_wicks(values: NDArray[np.float64], beyond_pct: float) -> NDArray[np.bool_]:
    """Rows whose high or low lies `beyond_pct` or more beyond their own open and close and both neighbours' closes."""
    opens, highs, lows, closes, _ = values
    if len(closes) < 2:
        return np.zeros(len(closes), dtype=bool)
    # At either end there is one neighbour only; the other is taken to be the same.
    before = np.concatenate((closes[1:2], closes[:-1]))
    after = np.concatenate((closes[1:], closes[-2:-1]))
    top = np.maximum.reduce([opens, closes, before, after])
    bottom = np.minimum.reduce([opens, closes, before, after])
    wide: NDArray[np.bool_] = (highs > top * (1 + beyond_pct)) | (lows < bottom * (1 - beyond_pct))
    return wide


def _report(
    symbol: str, tier: Tier, frame: pl.DataFrame, clean: pl.DataFrame, flaws: NDArray[np.int8], wide: int
) -> SeriesReport:
    open_ms = clean["timestamp"].to_physical().to_numpy()
    gaps = find_gaps(tier, open_ms)
    bad = np.flatnonzero(flaws >= 0)
    count = {flaw: int((flaws == at).sum()) for at, flaw in enumerate(_FLAWS)}
    return SeriesReport(
        symbol=symbol,
        tier=tier,
        rows=frame.height,
        clean_rows=clean.height,
        first=from_ms(int(open_ms[0])) if clean.height else None,
        last=from_ms(int(open_ms[-1])) if clean.height else None,
        gaps=gaps,
        missing_bars=sum(gap.bars for gap in gaps),
        duplicates=count[Flaw.DUPLICATE],
        out_of_order=count[Flaw.OUT_OF_ORDER],
        off_grid=count[Flaw.OFF_GRID],
        not_a_number=count[Flaw.NOT_A_NUMBER],
        zero_or_negative=count[Flaw.ZERO_OR_NEGATIVE],
        bad_ohlc=count[Flaw.BAD_OHLC],
        absurd_wicks=count[Flaw.ABSURD_WICK] + count[Flaw.ABSURD_PRINT],
        wide_wicks=wide,
        zero_volume=int((clean["volume"] == 0).sum()),
        quarantined=_quarantined(frame, bad, flaws),
    )


def _quarantined(frame: pl.DataFrame, bad: NDArray[np.intp], flaws: NDArray[np.int8]) -> tuple[QuarantinedRow, ...]:
    rows = frame[bad].with_columns(pl.col("timestamp").to_physical()).rows()
    return tuple(
        QuarantinedRow(
            index=index,
            open_ms=open_ms,
            open=_finite(open_),
            high=_finite(high),
            low=_finite(low),
            close=_finite(close),
            volume=_finite(volume),
            flaw=_FLAWS[flaws[index]],
        )
        for index, (open_ms, open_, high, low, close, volume) in zip(bad.tolist(), rows, strict=True)
    )


def _finite(value: float | None) -> float | None:
    """None for what JSON and the database cannot hold."""
    return value if value is not None and np.isfinite(value) else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _place(row: QuarantinedRow) -> str:
    return f"row {row.index}" if row.open_ms is None else f"{from_ms(row.open_ms):%Y-%m-%d %H:%M}"
