"""The workspace as shipped: v000 holds nothing, v001 is what its archive says, readable, declared and honest."""

from __future__ import annotations

import ast
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import strategy.active.strategy as v001
import strategy.archive.strategy_v000 as v000
from shell.contract import Action, Intent, OpenPosition, OrderType, Portfolio, RiskLimits, SymbolData
from shell.host.policy import check_policy
from shell.host.port import StrategySource
from strategy.skills.regime import is_panic, volatility_ratio
from strategy.skills.sizing import daily_volatility, volatility_scaled_size
from strategy.skills.trend import trend_begins, trend_is_over, trend_strength

WORKSPACE = Path(v001.__file__).parents[1]
LIMITS = RiskLimits(
    max_trade_pct=0.1, default_trade_pct=0.05, max_positions=5, max_daily_loss_pct=0.03, max_drawdown_pct=0.15
)
NOON = datetime(2023, 3, 1, 12, 0, tzinfo=UTC)
SYMBOL = "BTC/USD"
PRICES = ("open", "high", "low", "close", "volume")
CANDLES = {"timestamp": pl.Datetime("ms", "UTC"), **dict.fromkeys(PRICES, pl.Float64)}


def data_of(closes: list[float], now: datetime = NOON) -> SymbolData:
    """Hourly bars that end at `now`, each 1 % of the price wide."""
    opened = [now - timedelta(hours=len(closes) - number) for number in range(len(closes))]
    hourly = pl.DataFrame(
        {
            "timestamp": opened, "open": closes, "high": [price * 1.005 for price in closes],
            "low": [price * 0.995 for price in closes], "close": closes, "volume": [1.0] * len(closes),
        },
        schema=CANDLES,
    )
    nothing = pl.DataFrame(schema=CANDLES)
    return SymbolData(
        symbol=SYMBOL, current_price=closes[-1] if closes else 100.0, candles_5m=nothing, candles_1h=hourly,
        candles_1d=nothing, spread=0.0, volume_24h=24.0,
    )


def portfolio_of(*held: str) -> Portfolio:
    positions = [
        OpenPosition(
            symbol=symbol, side="long", qty=1.0, avg_entry=100.0, current_price=100.0, unrealized_pnl=0.0,
            unrealized_pnl_pct=0.0, intent=Intent.POSITION,
        )
        for symbol in held
    ]
    return Portfolio(
        cash=9000.0, total_value=10_000.0, positions=positions, recent_trades=[], daily_pnl=0.0, total_pnl=0.0, fees=0.0
    )


def started(module: ModuleType = v001) -> Any:
    strategy = module.Strategy()
    strategy.initialize(LIMITS, [SYMBOL])
    return strategy


def rising(bars: int = 600) -> list[float]:
    return [100 * 1.001**number for number in range(bars)]


def falling(bars: int = 600) -> list[float]:
    return [100 * 0.999**number for number in range(bars)]


def source_of(file: Path) -> StrategySource:
    skills = {
        skill.stem: skill.read_text(encoding="utf-8")
        for skill in sorted((WORKSPACE / "skills").glob("*.py")) if skill.stem != "__init__"
    }
    return StrategySource(code=file.read_text(encoding="utf-8"), skills=skills)


@pytest.mark.parametrize("name", ["active/strategy.py", "archive/strategy_v000.py", "archive/strategy_v001.py"])
def test_every_version_may_run(name: str) -> None:
    assert check_policy(source_of(WORKSPACE / name)) == []


def test_the_archive_holds_the_active_version_byte_for_byte() -> None:
    assert (WORKSPACE / "archive/strategy_v001.py").read_bytes() == (WORKSPACE / "active/strategy.py").read_bytes()


@pytest.mark.parametrize("closes", [rising(), falling(), [], [100.0]])
def test_v000_holds_nothing_whatever_the_market(closes: list[float]) -> None:
    strategy = started(v000)
    for hour in range(48):
        now = NOON + timedelta(hours=hour)
        assert strategy.analyze({SYMBOL: data_of(closes, now)}, portfolio_of(), now) == []


def test_parameters_are_a_literal_with_values_on_their_grid() -> None:
    tree = ast.parse((WORKSPACE / "active/strategy.py").read_text(encoding="utf-8"))
    assigned = next(
        node.value for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "PARAMETERS"
    )
    declared = ast.literal_eval(assigned)
    assert declared == v001.PARAMETERS
    for low, high, step, value in declared.values():
        assert low <= value <= high
        assert ((value - low) / step) == pytest.approx(round((value - low) / step))
    text = ast.unparse(tree)
    assert all(f"VALUE['{name}']" in text for name in declared)


def test_v001_enters_a_rising_market_below_the_price_with_a_wide_stop() -> None:
    (signal,) = started().analyze({SYMBOL: data_of(rising())}, portfolio_of(), NOON)
    price = rising()[-1]
    assert (signal.action, signal.order_type, signal.intent) == (Action.BUY, OrderType.LIMIT, Intent.POSITION)
    assert price * 0.99 < signal.limit_price < price
    assert signal.stop_loss < price * 0.93
    assert 0 < signal.size_pct <= LIMITS.max_trade_pct
    assert 0 <= signal.confidence <= 1


@pytest.mark.parametrize("closes", [falling(), rising(100), [100.0] * 600, [], [100.0]])
def test_v001_stays_out_without_a_trend_or_without_enough_bars(closes: list[float]) -> None:
    assert started().analyze({SYMBOL: data_of(closes)}, portfolio_of(), NOON) == []


def test_v001_leaves_when_the_trend_is_over_and_not_before() -> None:
    (signal,) = started().analyze({SYMBOL: data_of(falling())}, portfolio_of(SYMBOL), NOON)
    assert (signal.action, signal.symbol) == (Action.CLOSE, SYMBOL)
    assert started().analyze({SYMBOL: data_of(rising())}, portfolio_of(SYMBOL), NOON) == []
    assert started().analyze({SYMBOL: data_of(falling(30))}, portfolio_of(SYMBOL), NOON) == []


def test_v001_stays_out_of_a_panic() -> None:
    wild = data_of(rising())
    last_day = pl.int_range(pl.len()) >= pl.len() - 24
    candles = wild.candles_1h.with_columns(low=pl.when(last_day).then(pl.col("low") * 0.9).otherwise(pl.col("low")))
    assert started().analyze({SYMBOL: replace(wild, candles_1h=candles)}, portfolio_of(), NOON) == []


def test_v001_asks_again_only_when_its_resting_entry_has_expired_or_filled() -> None:
    strategy = started()
    asked = [
        bool(strategy.analyze({SYMBOL: data_of(rising(), NOON)}, portfolio_of(), NOON + timedelta(hours=hour)))
        for hour in range(26)
    ]
    assert [hour for hour, yes in enumerate(asked) if yes] == [0, 24]
    strategy.on_fill(SYMBOL, Action.BUY, 1.0, 100.0, Intent.POSITION)
    assert strategy.analyze({SYMBOL: data_of(rising())}, portfolio_of(), NOON + timedelta(hours=26))


def test_v001_looks_once_an_hour_and_otherwise_asks_for_nothing() -> None:
    strategy = started()
    markets = {SYMBOL: data_of(rising())}
    assert strategy.analyze(markets, portfolio_of(), NOON + timedelta(minutes=10))
    strategy.on_position_closed(SYMBOL, 1.0, 0.01)
    for minutes in range(15, 60, 5):
        assert strategy.analyze(markets, portfolio_of(), NOON + timedelta(minutes=minutes)) == []
    assert strategy.analyze(markets, portfolio_of(), NOON + timedelta(minutes=60))


def test_state_survives_json_and_changes_nothing() -> None:
    whole, parted = started(), started()
    for hour in range(50):
        now = NOON + timedelta(hours=hour)
        markets = {SYMBOL: data_of(rising(), now)}
        assert whole.analyze(markets, portfolio_of(), now) == parted.analyze(markets, portfolio_of(), now)
        state = json.loads(json.dumps(parted.get_state(), allow_nan=False))
        parted = started()
        parted.load_state(state)
        assert parted.get_state() == whole.get_state()


def test_an_empty_state_is_a_fresh_start() -> None:
    strategy = started()
    strategy.load_state({})
    assert strategy.get_state() == started().get_state()


def test_trend_strength_is_measured_in_noise_and_unknown_is_neither_begun_nor_over() -> None:
    assert trend_strength(110.0, 100.0, 5.0) == 2.0
    for unknown in (trend_strength(math.nan, 100.0, 5.0), trend_strength(110.0, math.nan, 5.0),
                    trend_strength(110.0, 100.0, 0.0), trend_strength(110.0, 100.0, math.nan)):
        assert not trend_begins(unknown, 1.0)
        assert not trend_is_over(unknown, 5.0)


def test_panic_needs_a_known_usual_range() -> None:
    assert volatility_ratio(3.0, 1.5) == 2.0
    assert is_panic(3.1, 1.0, 3.0)
    assert not is_panic(2.9, 1.0, 3.0)
    assert not is_panic(math.nan, 1.0, 3.0)
    assert not is_panic(1.0, 0.0, 3.0)


@pytest.mark.parametrize(
    ("volatility", "size"), [(0.03, 0.1), (0.06, 0.05), (0.001, 0.1), (0.0, 0.0), (-1.0, 0.0)]
)
def test_size_halves_when_volatility_doubles_and_stops_at_the_limit(volatility: float, size: float) -> None:
    assert volatility_scaled_size(0.003, volatility, 0.1) == pytest.approx(size)


def test_daily_volatility_is_the_hourly_range_scaled_by_time() -> None:
    assert daily_volatility(1.0, 100.0) == pytest.approx(0.01 * math.sqrt(24))
    assert daily_volatility(math.nan, 100.0) == daily_volatility(1.0, 0.0) == 0.0


def test_the_document_is_short_enough_to_be_read() -> None:
    words = (WORKSPACE / "strategy_document.md").read_text(encoding="utf-8").split()
    assert 200 < len(words) < 2000


def test_skills_are_pure_numbers() -> None:
    """No skill imports more than arithmetic, so any version may use any of them."""
    for file in sorted((WORKSPACE / "skills").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= {"math", "numpy", "statistics"}, file.name
            elif isinstance(node, ast.ImportFrom):
                assert node.module == "__future__", file.name
