"""Which settings a search tries, which it calls the best, and how much of that it calls luck."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.job import BacktestJob
from shell.backtest.metrics import ReturnMoments
from shell.backtest.overfitting import deflated_sharpe_ratio
from shell.backtest.parameters import Parameter, declared_parameters
from shell.backtest.result import BacktestSettings, Metrics
from shell.backtest.search import Trial, best_of, luck_of, plan_search, search, steps_of, with_settings
from shell.errors import BadInput, StrategyFault
from shell.host.port import StrategySource
from shell.market.history import History
from shell.money import QuoteAmount
from tests.shell.scripted import BTC, FREE, WIDE, candles

HOLDER = '''
from shell.contract import Action, Signal

PARAMETERS = {
    "parts": (0, 4, 1, 1),  # of a tenth
    "after": (0.0, 0.2, 0.1, 0.1),
}
VALUE = {name: spec[3] for name, spec in PARAMETERS.items()}


class Strategy:
    scan_interval_minutes = 60

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        if portfolio.positions or not VALUE["parts"]:
            return []
        return [Signal(symbol, Action.BUY, VALUE["parts"] / 10) for symbol in markets]

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
'''
SOURCE = StrategySource(code=HOLDER)
SETTINGS = BacktestSettings(cash=QuoteAmount(10_000), paper=FREE, risk=WIDE, zone=ZoneInfo("UTC"))


def trial(sharpe: float, trades: int = 10, *, days: int = 30) -> Trial:
    names = Metrics.__dataclass_fields__
    figures: dict[str, Any] = {**dict.fromkeys(names, 0.0), "trades": trades, "daily_sharpe": sharpe, "days": days}
    moments = ReturnMoments(n_obs=days, sharpe=sharpe, skew=0.0, kurtosis=3.0)
    return Trial(values={}, metrics=Metrics(**figures), moments=moments)


def test_few_combinations_are_all_tried_once_the_declared_one_first() -> None:
    plan = plan_search(SOURCE, 15, seed=1)
    assert (plan.combinations, plan.exhaustive, len(plan.settings)) == (15, True, 15)
    assert plan.settings[0] == {"parts": 1, "after": 0.1}
    assert {tuple(values.values()) for values in plan.settings} == {(a, b) for a in range(5) for b in (0.0, 0.1, 0.2)}


def test_many_combinations_are_drawn_by_the_seed_alone() -> None:
    first, again, other = (plan_search(SOURCE, 9, seed=seed).settings for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[0] == other[0] == {"parts": 1, "after": 0.1}
    assert len({tuple(values.values()) for values in first}) == 9
    assert plan_search(SOURCE, 9, seed=1).exhaustive is False


def test_a_declared_value_off_its_own_steps_is_tried_besides_them() -> None:
    off = StrategySource(code='PARAMETERS = {"x": (0, 10, 5, 7)}')
    assert [values["x"] for values in plan_search(off, 50, seed=0).settings] == [7, 0, 5, 10]


@pytest.mark.parametrize(
    ("code", "trials", "words"),
    [("x = 1\n", 5, "strategy.py declares no parameters"), (HOLDER, 0, "0 trials are out of range"),
     (HOLDER, 10**6, "1000000 trials are out of range: 1 to 100,000")],
)
def test_what_cannot_be_searched_is_explained(code: str, trials: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        plan_search(StrategySource(code=code), trials, seed=0)


@given(low=st.integers(-50, 50), steps=st.integers(0, 30), step=st.sampled_from([1, 3, 0.1, 0.25, 0.0005]))
def test_the_steps_of_a_parameter_reach_its_end_and_go_no_further(low: int, steps: int, step: float) -> None:
    parameter = Parameter(name="x", low=low, high=low + steps * step, step=step, value=low)
    values = steps_of(parameter)
    assert len(values) == steps + 1
    assert values[0] == low
    assert values[-1] == pytest.approx(parameter.high, abs=1e-9)
    assert len(set(values)) == len(values)


def test_settings_are_written_where_the_values_stand_and_its_own_change_no_byte() -> None:
    assert with_settings(SOURCE, {"parts": 1, "after": 0.1}) == SOURCE
    changed = with_settings(SOURCE, {"parts": 3, "after": 0.1})
    assert changed.code == HOLDER.replace("(0, 4, 1, 1)", "(0, 4, 1, 3)")
    assert {each.name: each.value for each in declared_parameters(changed.code)} == {"parts": 3, "after": 0.1}


def test_the_best_has_the_highest_ratio_less_what_its_missing_trades_cost() -> None:
    assert best_of([trial(0.1), trial(0.3), trial(0.2)], 10) == 1
    assert best_of([trial(0.1), trial(0.3, trades=0), trial(0.2)], 10) == 2
    assert best_of([trial(0.1), trial(0.1)], 10) == 0
    broken = Trial(values={}, metrics=None, moments=None, error=StrategyFault("error", "it broke"))
    assert best_of([broken, trial(-0.4)], 10) == 1
    with pytest.raises(StrategyFault, match="it broke"):
        best_of([broken, broken], 10)


def test_the_more_was_tried_the_less_the_best_is_worth_and_broken_tries_count() -> None:
    few = [trial(0.2), trial(-0.1), trial(0.0)]
    luck = luck_of(few, 0)
    # Their sample variance, 0.0233, is below 1/29 = 0.0345, what luck alone gives over 30 days.
    assert luck.probability == deflated_sharpe_ratio(0.2, 30, 0.0, 3.0, 3, 1 / 29)
    broken = replace(few[0], metrics=None, moments=None, error=StrategyFault("error", "it broke"))
    more = luck_of([*few, broken], 0)
    assert (luck.tried, more.tried) == (3, 4)
    assert more.probability is not None
    assert more.probability < luck.probability
    alone = luck_of([trial(0.2, days=1)], 0)
    assert alone.probability is None
    assert "at least 2 observations" in alone.reason


def test_a_search_finds_that_more_of_a_rising_market_is_better_and_keeps_every_trial() -> None:
    rising = [(100.0 + at, 101.0 + at, 100.0 + at, 101.0 + at) for at in range(2 * 288)]
    history = History(m5={BTC: candles(rising)})
    code = HOLDER.replace("(0.0, 0.2, 0.1, 0.1)", "(0.1, 0.1, 0.1, 0.1)").replace("(0, 4, 1, 1)", "(0, 4, 2, 0)")
    plan = plan_search(StrategySource(code=code), 10, seed=0)
    result = search(
        BacktestJob(source=StrategySource(code=code), settings=SETTINGS), history, plan, trades_needed=1, workers=1
    )
    assert [values.values["parts"] for values in result.trials] == [0, 2, 4]
    gains = [each.metrics.total_return_pct for each in result.trials if each.metrics]
    assert gains[0] == 0.0 < gains[1] < gains[2]
    assert result.luck.tried == 3
    # Nothing was sold, so no trade was completed and each is marked down alike; a ratio above none still wins.
    assert result.best in (1, 2)
