"""Null markets: no drift, valid bars, and exactly the dependence each kind claims to keep or to destroy.

The claims are measured on sources in which the dependence is known because it is planted: returns with a strong first-order
autocorrelation, two coins with a known correlation, calm and wild weeks in turn.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shell.errors import DataError
from shell.market.bars import Tier
from shell.market.check import check_frame
from shell.market.frames import rows_of, to_frame
from shell.market.history import History
from shell.market.null_market import BARS_A_DAY, NullKind, null_market
from shell.market.synthetic import synthetic_market

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = list(NullKind)
DAYS = 60
MEMORY = 0.5
SHARED = 0.6


def planted(seed: int = 5, days: int = DAYS, drift: float = 0.0002) -> History:
    """Two coins that rise steadily (`drift` a bar), remember half of the bar before, share part of their moves, and are
    three times as wild in every second week."""
    chance = np.random.default_rng(seed)
    count = days * BARS_A_DAY
    wild = np.where(np.arange(count) // (7 * BARS_A_DAY) % 2, 3.0, 1.0)
    common = chance.standard_normal(count)
    frames = {}
    for symbol, price in (("BTC/USD", 30_000.0), ("ETH/USD", 2_000.0)):
        own = chance.standard_normal(count)
        shocks = 0.0005 * wild * (np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * own)
        moves = np.empty(count)
        moves[0] = shocks[0]
        for at in range(1, count):
            moves[at] = MEMORY * moves[at - 1] + shocks[at]
        closes = price * np.exp(np.cumsum(moves + drift))
        # Half of the rise happens between bars.
        opens = np.concatenate(([price], closes[:-1])) * np.exp(drift / 2)
        rows = np.empty((6, count))
        rows[0] = START.timestamp() * 1000 + np.arange(count) * Tier.M5.ms
        rows[1], rows[4] = opens, closes
        rows[2] = np.maximum(opens, closes) * np.exp(0.0003 * chance.random(count))
        rows[3] = np.minimum(opens, closes) * np.exp(-0.0003 * chance.random(count))
        rows[5] = 1.0 + chance.random(count)
        frames[symbol] = to_frame(rows.T)
    return History(m5=frames, source="planted", real=False)


SOURCE = planted()


def returns(history: History, symbol: str = "BTC/USD") -> NDArray[np.float64]:
    moves: NDArray[np.float64] = np.diff(np.log(rows_of(history.m5[symbol])[:, 4]))
    return moves


def autocorrelation(values: NDArray[np.float64], lag: int = 1) -> float:
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


def weekly_wildness(values: NDArray[np.float64]) -> float:
    """Correlation of a move's size with the size some hours before."""
    return autocorrelation(np.abs(values), 36)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(kind: NullKind) -> None:
    one, again, other = (null_market(SOURCE, kind=kind, seed=seed, start=START, days=9) for seed in (3, 3, 4))
    for symbol in SOURCE.symbols:
        assert rows_of(one.m5[symbol]).tobytes() == rows_of(again.m5[symbol]).tobytes()
        assert rows_of(one.m5[symbol]).tobytes() != rows_of(other.m5[symbol]).tobytes()
    assert not one.real and str(kind) in one.source


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_only_rises_gives_markets_that_do_not(kind: NullKind) -> None:
    """The source grows by 5.8 % a day. The mean growth of a bar must be within four standard errors of nothing."""
    print("seeds 0 to 7")
    growth = np.concatenate([
        np.exp(returns(null_market(SOURCE, kind=kind, seed=seed, start=START, days=DAYS - 1))) - 1 for seed in range(8)
    ])
    # Neighbouring bars hang together, so that the deviation of daily sums is what counts.
    daily = growth[: len(growth) // BARS_A_DAY * BARS_A_DAY].reshape(-1, BARS_A_DAY).sum(axis=1)
    assert abs(daily.mean()) < 4 * daily.std() / np.sqrt(len(daily))
    assert np.exp(returns(SOURCE).sum()) > 10


@pytest.mark.parametrize(
    ("kind", "kept"),
    [(NullKind.BLOCK_BOOTSTRAP, True), (NullKind.PHASE_RANDOMISED, True), (NullKind.MARTINGALE, False)],
)
def test_autocorrelation_is_kept_or_destroyed_as_claimed(kind: NullKind, kept: bool) -> None:
    found = autocorrelation(returns(null_market(SOURCE, kind=kind, seed=1, start=START, days=DAYS - 1)))
    assert autocorrelation(returns(SOURCE)) == pytest.approx(MEMORY, abs=0.02)
    assert found == pytest.approx(MEMORY if kept else 0.0, abs=0.03)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [(NullKind.BLOCK_BOOTSTRAP, True), (NullKind.PHASE_RANDOMISED, False), (NullKind.MARTINGALE, True)],
)
def test_clusters_of_volatility_are_kept_or_destroyed_as_claimed(kind: NullKind, kept: bool) -> None:
    found = weekly_wildness(returns(null_market(SOURCE, kind=kind, seed=1, start=START, days=DAYS - 1)))
    assert weekly_wildness(returns(SOURCE)) > 0.2
    assert found > 0.15 if kept else abs(found) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_coins_still_move_together(kind: NullKind) -> None:
    def together(history: History) -> float:
        return float(np.corrcoef(returns(history), returns(history, "ETH/USD"))[0, 1])

    assert together(null_market(SOURCE, kind=kind, seed=2, start=START, days=DAYS - 1)) == pytest.approx(
        together(SOURCE), abs=0.05
    )


def test_phase_randomisation_keeps_the_spectrum() -> None:
    """Of a source as long as the market, every frequency but the mean has the power it had."""
    source = planted(days=10)
    frames = {symbol: frame.head(9 * BARS_A_DAY + 1) for symbol, frame in source.m5.items()}
    made = null_market(History(m5=frames), kind=NullKind.PHASE_RANDOMISED, seed=1, start=START, days=9)
    before = np.log(rows_of(frames["ETH/USD"])[:, 4])
    after = np.log(np.concatenate(([rows_of(frames["ETH/USD"])[0, 1]], rows_of(made.m5["ETH/USD"])[:, 4])))
    power = [np.abs(np.fft.rfft(np.diff(path)))[1:] for path in (before, after)]
    # Prices are rounded to their step, which moves a return by some millionths.
    assert np.corrcoef(*power)[0, 1] > 0.9999


@pytest.mark.parametrize("kind", [NullKind.BLOCK_BOOTSTRAP, NullKind.MARTINGALE])
def test_a_bar_keeps_its_shape_and_its_volume(kind: NullKind) -> None:
    """Every volume is one of the source's, and the range of its bar is that bar's range, upside down or not."""
    source = rows_of(SOURCE.m5["BTC/USD"])
    ranges = dict(zip(source[:, 5].tolist(), np.log(source[:, 2] / source[:, 3]).tolist(), strict=True))
    made = rows_of(null_market(SOURCE, kind=kind, seed=6, start=START, days=2).m5["BTC/USD"])
    wanted = [ranges[volume] for volume in made[:, 5].tolist()]
    # To a price step of 0.1 on prices above 1,000.
    assert np.allclose(np.log(made[:, 2] / made[:, 3]), wanted, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_market_need_not_come_back_to_where_it_began(kind: NullKind) -> None:
    """A path pinned to its start could be traded by betting against what it did so far: the moves of a first and a second
    half must have nothing to do with each other. Over 60 seeds a correlation beyond 0.4 is chance of about 1 in 600."""
    print("seeds 0 to 59")
    source = synthetic_market(3, ["BTC/USD"], START, 30)
    halves = []
    for seed in range(60):
        path = np.log(rows_of(null_market(source, kind=kind, seed=seed, start=START, days=29).m5["BTC/USD"])[:, 4])
        halves.append((path[len(path) // 2] - path[0], path[-1] - path[len(path) // 2]))
    assert abs(np.corrcoef(np.array(halves).T)[0, 1]) < 0.4


def test_a_jump_across_a_hole_is_left_out() -> None:
    frame = SOURCE.m5["BTC/USD"]
    half = frame.height // 2
    later = frame.slice(half + 500).with_columns(pl.col("open", "high", "low", "close") * 5)
    holed = History(m5={"BTC/USD": pl.concat([frame.head(half), later])})
    made = null_market(holed, kind=NullKind.BLOCK_BOOTSTRAP, seed=1, start=START, days=DAYS)
    assert np.abs(returns(made)).max() < 0.1


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS), seed=st.integers(0, 2**40), wildness=st.floats(1e-6, 0.05),
    hole=st.integers(0, 400), price=st.floats(0.001, 90_000.0),
)
def test_bars_are_always_valid(kind: NullKind, seed: int, wildness: float, hole: int, price: float) -> None:
    """Whatever the source does: finite positive prices, the range around open and close, every slot there."""
    chance = np.random.default_rng(seed)
    count = 9 * BARS_A_DAY
    logs = np.cumsum(chance.standard_t(3, count) * wildness)
    closes = price * np.exp(np.clip(logs, -3, 3))
    opens = closes * np.exp(chance.standard_normal(count) * wildness / 3)
    times = START.timestamp() * 1000 + np.arange(count) * Tier.M5.ms
    rows = np.stack([
        times, opens, np.maximum(opens, closes) * (1 + wildness * chance.random(count)),
        np.minimum(opens, closes) / (1 + wildness * chance.random(count)), closes, chance.random(count),
    ]).T
    kept = np.concatenate([rows[:900], rows[900 + hole :]])
    made = null_market(History(m5={"ABC/USD": to_frame(kept)}), kind=kind, seed=seed, start=START, days=7)
    frame = made.m5["ABC/USD"]
    values = rows_of(frame)
    assert np.isfinite(values).all() and (values[:, 1:5] > 0).all()
    assert frame.height == 7 * BARS_A_DAY
    assert frame["timestamp"][-1] == START + timedelta(days=7) - timedelta(minutes=5)
    report = check_frame("ABC/USD", Tier.M5, frame, wick_pct=None).report
    assert report.clean_rows == report.rows, report.sentences()


def test_what_cannot_be_made_is_refused_with_a_sentence() -> None:
    short = synthetic_market(1, ["BTC/USD"], START, 3)
    with pytest.raises(DataError, match=r"3\.0 days of 5m bars in common"):
        null_market(short, kind=NullKind.MARTINGALE, seed=1, start=START, days=2)
    with pytest.raises(DataError, match="of 61 days needs as many"):
        null_market(SOURCE, kind=NullKind.PHASE_RANDOMISED, seed=1, start=START, days=61)
    with pytest.raises(DataError, match="no null market"):
        null_market(SOURCE, kind="flat", seed=1, start=START, days=1)
    with pytest.raises(DataError, match="5-minute mark"):
        null_market(SOURCE, kind=NullKind.MARTINGALE, seed=1, start=START + timedelta(seconds=1), days=1)
