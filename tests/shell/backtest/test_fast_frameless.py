"""A fast backtest's process has polars where its strategy needs it, and says the same either way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shell.backtest import fast
from shell.backtest.driver import run_backtest
from shell.backtest.fast import FAST_BACKTEST, FRAMELESS_BACKTEST, FastBench, run_fast
from shell.host.port import StrategySource
from shell.host.process import ChildProcess
from shell.host.spawn import Program
from tests.shell.backtest.test_fast import SETTINGS, SMALL, assert_same_books, strategy

QUIET = """
    data = markets["BTC/USD"]
    {touch}
    return [Signal("BTC/USD", Action.CLOSE if portfolio.positions else Action.BUY)]
"""


def quiet(touch: str) -> StrategySource:
    source = strategy(QUIET.format(touch=touch))
    return replace(source, code="from shell.contract import Action, Signal\n" + source.code)


def programs_used(monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    used: list[Program] = []

    class Seen(ChildProcess):
        def __init__(self, seed: str, program: Program, extra: tuple[int, ...]) -> None:
            used.append(program)
            super().__init__(seed, program, extra)

    monkeypatch.setattr(fast, "ChildProcess", Seen)
    return used


@pytest.mark.parametrize(
    ("touch", "programs"),
    [
        ("data.current_price", [FRAMELESS_BACKTEST]),
        ("data.candles_5m", [FAST_BACKTEST]),
        ("if timestamp.hour == 9: str(data)", [FRAMELESS_BACKTEST, FAST_BACKTEST]),
    ],
    ids=["no frame", "a frame by name", "a frame unforeseen"],
)
def test_a_process_has_polars_when_its_strategy_needs_it(
    touch: str, programs: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = programs_used(monkeypatch)
    quick = run_fast(quiet(touch), SMALL, settings=SETTINGS)
    assert used == programs
    assert_same_books(quick, run_backtest(quiet(touch), SMALL, settings=SETTINGS))
    assert len(quick.fills) > 20


def test_a_bench_goes_on_with_polars_once_a_strategy_needed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    used = programs_used(monkeypatch)
    with FastBench(SMALL, start=None, end=None, settings=SETTINGS) as bench:
        runs = [bench.run(quiet(touch)) for touch in ("data.spread", "data.spread", "data.candles_1h", "data.spread")]
    assert used == [FRAMELESS_BACKTEST, FAST_BACKTEST]
    assert len({run.equity_hash for run in runs}) == 1
