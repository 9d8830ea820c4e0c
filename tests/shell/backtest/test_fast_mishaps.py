"""What goes wrong around a fast run is told as it is, and the next run on the same bench knows nothing of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import IO

import pytest

from shell.backtest import fast
from shell.backtest.driver import run_backtest
from shell.backtest.fast import GRACE_SECONDS, FastBench, run_fast
from shell.backtest.ground import Ground
from shell.backtest.result import BacktestResult
from shell.config import HostConfig
from shell.errors import DataError
from shell.host.port import StrategySource
from shell.market.history import History
from tests.shell.backtest.test_fast import ONE, SETTINGS, SMALL, strategy
from tests.shell.scripted import BTC, START, STEP, candles, flat

IDLE = strategy("return []")
BUYER = replace(
    source := strategy('return [Signal("BTC/USD", Action.CLOSE if portfolio.positions else Action.BUY)]'),
    code="from shell.contract import Action, Signal\n" + source.code,
)
SLOW = strategy("for _ in range(500_000): pass\nreturn []")


def test_a_bench_over_a_window_without_bars_says_so_every_time() -> None:
    hole = History(m5={BTC: candles([*flat(100.0, 2), *[None] * 20, *flat(100.0, 2)])})
    with FastBench(hole, start=START + 5 * STEP, end=START + 10 * STEP, settings=SETTINGS) as bench:
        for _ in range(2):
            with pytest.raises(DataError, match="no bars between"):
                bench.run(IDLE)


def test_a_bench_whose_ground_could_not_be_written_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_ground: Ground, _file: IO[bytes]) -> None:
        raise OSError(28, "No space left on device")

    with FastBench(ONE, start=None, end=None, settings=SETTINGS) as bench:
        with monkeypatch.context() as patched:
            patched.setattr(fast, "write_ground", full)
            with pytest.raises(OSError, match="No space"):
                bench.run(IDLE)
        assert bench.run(IDLE).fills == ()


def test_a_bench_whose_caller_gave_up_in_its_progress_begins_anew() -> None:
    def give_up(_done: int, _total: int) -> None:
        raise RuntimeError("as planted")

    with FastBench(ONE, start=None, end=None, settings=SETTINGS) as bench:
        with pytest.raises(RuntimeError, match="as planted"):
            bench.run(SLOW, give_up)
        assert bench.run(IDLE).fills == ()


@pytest.mark.parametrize("run", [run_backtest, run_fast])
def test_a_window_may_end_between_two_steps(run: Callable[..., BacktestResult]) -> None:
    """As in `brain backtest --end 2023-03-02T00:02`: a bar that opens before the end and closes after it is no part of it."""
    whole, beyond = (run(BUYER, ONE, end=START + timedelta(days=1, minutes=more), settings=SETTINGS) for more in (0, 2))
    assert (beyond.fills, beyond.bars, beyond.steps) == (whole.fills, whole.bars, whole.steps)
    assert beyond.equity_hash == whole.equity_hash
    assert whole.fills


def test_progress_goes_ever_onwards_when_a_run_begins_again() -> None:
    told: list[int] = []
    source: StrategySource = strategy("for _ in range(500_000): pass\nif timestamp.day == 3: __import__('polars')\nreturn []")
    with FastBench(ONE, start=None, end=None, settings=SETTINGS) as bench:
        bench.run(source, lambda done, _: told.append(done), check_policy=False)
    assert told == sorted(told)


def test_the_time_of_who_hears_of_the_progress_is_not_the_strategys() -> None:
    quick = replace(SETTINGS, host=HostConfig(call_timeout=timedelta(seconds=0.2)))
    heard: list[int] = []

    def slow(done: int, _total: int) -> None:
        heard.append(done)
        # The second word is of a strategy at work. Longer than a call and the grace that is given on top of it.
        if len(heard) == 2:
            time.sleep(GRACE_SECONDS + 0.4)

    assert not run_fast(SLOW, ONE, settings=quick, progress=slow).faults
    assert len(heard) > 2


def test_a_character_may_be_written_by_its_name() -> None:
    named = strategy('return [] if "\\N{BULLET}" == chr(0x2022) else None')
    assert not run_fast(named, SMALL, settings=SETTINGS).faults
