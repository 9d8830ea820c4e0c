"""Windows without holes, fits that cannot see their tests, and one account of all tests."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from shell.backtest.job import BacktestJob
from shell.backtest.result import EquityCurve
from shell.backtest.search import plan_search
from shell.backtest.walk_forward import out_of_sample, stitched, walk_forward, windows_of
from shell.errors import BadInput, DataError
from shell.host.port import StrategySource
from shell.market.history import History
from tests.shell.backtest.test_search import HOLDER, SETTINGS
from tests.shell.scripted import BTC, START, candles, flat

DAY_BARS = 288
# Nothing, or two tenths of the account.
CODE = HOLDER.replace("(0.0, 0.2, 0.1, 0.1)", "(0.1, 0.1, 0.1, 0.1)").replace("(0, 4, 1, 1)", "(0, 2, 2, 0)")
JOB = BacktestJob(source=StrategySource(code=CODE), settings=SETTINGS)
RISING = [(100.0 + at, 101.0 + at, 100.0 + at, 101.0 + at) for at in range(2 * DAY_BARS)]
TOP = RISING[-1][3]
FALLING = [(TOP - at / 2, TOP - at / 2, TOP - at / 2 - 0.5, TOP - at / 2 - 0.5) for at in range(2 * DAY_BARS)]


def test_tests_follow_one_another_each_right_behind_its_training() -> None:
    windows = windows_of(START, START + timedelta(days=35), 10, 7)
    assert len(windows) == 3
    assert [(each.train_start - START).days for each in windows] == [0, 7, 14]
    assert [each.test_start for each in windows[1:]] == [each.test_end for each in windows[:-1]]
    assert {(each.test_start - each.train_start, each.test_end - each.test_start) for each in windows} == {
        (timedelta(days=10), timedelta(days=7))
    }
    anchored = windows_of(START, START + timedelta(days=35), 10, 7, anchored=True)
    assert {each.train_start for each in anchored} == {START}
    assert [each.test_start for each in anchored] == [each.test_start for each in windows]


def test_a_window_begins_on_the_five_minute_grid() -> None:
    (window,) = windows_of(START + timedelta(minutes=2), START + timedelta(days=2, minutes=6), 1, 1)
    assert window.train_start == START + timedelta(minutes=5)
    with pytest.raises(BadInput, match="do not fit"):
        windows_of(START + timedelta(minutes=6), START + timedelta(days=2, minutes=6), 1, 1)


@pytest.mark.parametrize(("train", "test"), [(0, 1), (1, 0), (4000, 1), (1, -3)])
def test_days_out_of_range_are_refused(train: int, test: int) -> None:
    with pytest.raises(BadInput, match="days are out of range: 1 to 3,650"):
        windows_of(START, START + timedelta(days=9000), train, test)


def test_one_account_goes_on_where_the_test_before_ended() -> None:
    first = EquityCurve(times_ms=np.array([0, 5, 10]), values=np.array([100.0, 110.0, 150.0]))
    second = EquityCurve(times_ms=np.array([10, 15, 20]), values=np.array([100.0, 80.0, 120.0]))
    whole = stitched([first, second, second], 100.0)
    assert whole.times_ms.tolist() == [0, 5, 10, 15, 20, 15, 20]
    assert whole.values.tolist() == [100.0, 110.0, 150.0, 120.0, 180.0, 144.0, 216.0]


def test_what_is_fitted_does_not_depend_on_the_days_it_is_tested_on() -> None:
    (window,) = windows_of(START, START + timedelta(days=4), 2, 2)
    plan = plan_search(JOB.source, 10, seed=0)
    results = {}
    for name, after in (("falls", FALLING), ("stands", flat(TOP, 2 * DAY_BARS))):
        history = History(m5={BTC: candles([*RISING, *after])})
        (results[name],) = walk_forward(JOB, history, plan, [window], trades_needed=1, workers=1)
        together = out_of_sample([results[name]], history, SETTINGS)
        assert together.metrics.total_return_pct == results[name].result.metrics.total_return_pct  # type: ignore[union-attr]
    falls, stands = results["falls"], results["stands"]
    assert falls.values == stands.values == {"parts": 2, "after": 0.1}
    assert falls.fitted == stands.fitted
    assert falls.fitted.metrics is not None
    assert falls.fitted.metrics.total_return_pct > 0.1
    assert falls.result is not None
    assert stands.result is not None
    assert falls.result.metrics.total_return_pct < 0.0 == stands.result.metrics.total_return_pct
    assert (falls.result.start, falls.result.end) == (window.test_start, window.test_end)


def test_a_window_without_bars_is_told_by_its_own_sentence() -> None:
    history = History(m5={BTC: candles([*flat(100.0, 10), *[None] * 3 * DAY_BARS, *flat(100.0, 10)])})
    window = windows_of(START + timedelta(days=1), START + timedelta(days=3), 1, 1)
    with pytest.raises(DataError, match="there are no bars between 2023-03-02"):
        walk_forward(JOB, history, plan_search(JOB.source, 10, seed=0), window, trades_needed=1, workers=1)
