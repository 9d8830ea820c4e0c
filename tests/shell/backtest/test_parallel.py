"""Many backtests side by side: the same outcomes in the same order, one death costs one job, nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from polars.testing import assert_frame_equal

from shell.backtest.crew import WorkerLost
from shell.backtest.driver import run_backtest
from shell.backtest.history_file import history_file, read_history
from shell.backtest.job import BacktestJob, history_until, run_job
from shell.backtest.parallel import Outcome, run_many, run_short, workers_for, workers_worth
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.worker import error_of, refusal_of
from shell.config import HostConfig
from shell.errors import DataError, StrategyFault, StrategyRejected, UsageError
from shell.host.port import StrategySource
from shell.market.aggregate import aggregate
from shell.market.bars import Tier
from shell.market.frames import empty_frame
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from tests.shell.scripted import BTC, ETH, FREE, START, STEP, WIDE, candles, flat
from tests.thorough import THOROUGH

# A call may last so long that nothing here ends by its own deadline.
SETTINGS = BacktestSettings(
    cash=QuoteAmount(10_000), paper=FREE, risk=WIDE, zone=ZoneInfo("UTC"),
    host=HostConfig(max_consecutive_faults=1, call_timeout=timedelta(minutes=10)),
)
DAYS = 3
MARKET = synthetic_market(3, [BTC, ETH], START, DAYS)
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at processes in /proc")

TREND = '''
from shell.contract import Action, Signal

BARS = 12


class Strategy:
    scan_interval_minutes = 60

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        held = {position.symbol for position in portfolio.positions}
        signals = []
        for symbol in sorted(markets):
            close = markets[symbol].candles_5m["close"].tail(BARS)
            rising = len(close) > 0 and close[-1] > close.mean()
            if rising and symbol not in held:
                signals.append(Signal(symbol, Action.BUY, 0.2))
            elif not rising and symbol in held:
                signals.append(Signal(symbol, Action.CLOSE))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
'''
ENDLESS = TREND.replace("signals = []", "while True: pass")


def job(code: str = TREND, **changes: Any) -> BacktestJob:
    return BacktestJob(source=StrategySource(code=code), settings=SETTINGS, **changes)


def told(outcome: Outcome) -> tuple[Any, ...]:
    """Everything of an outcome but how long it took."""
    if isinstance(outcome, BacktestResult):
        return (
            outcome.equity_hash, outcome.fills, outcome.trades, outcome.metrics, outcome.daily_returns.tobytes(),
            outcome.refusals, outcome.faults, outcome.halts, outcome.start, outcome.end, outcome.steps, outcome.certified,
        )
    return type(outcome), str(outcome), vars(outcome)


def test_any_number_of_workers_gives_the_same_outcomes_in_the_order_of_the_jobs() -> None:
    long = TREND.replace("BARS = 12", "BARS = 48")
    jobs = [
        job(long), job("import os\n" + TREND), job(TREND.replace("held = {", "held = 1 / 0; {")),
        job(start=START - timedelta(days=9), end=START - timedelta(days=8)), job(end=START + timedelta(days=1)), job(),
        job(fast=True),
    ]
    shares: dict[int, list[tuple[float, int]]] = {1: [], 3: []}
    outcomes = {
        count: list(run_many(jobs, MARKET, workers=count, progress=lambda *share, at=count: shares[at].append(share)))
        for count in shares
    }
    for count in shares:
        assert [number for number, _ in outcomes[count]] == list(range(len(jobs)))
        assert shares[count][-1] == (7.0, 7)
    alone, together = ([told(outcome) for _, outcome in outcomes[count]] for count in shares)
    assert together == alone
    assert [outcome[0] for outcome in alone[1:4]] == [StrategyRejected, StrategyFault, DataError]
    direct = run_backtest(StrategySource(code=TREND), MARKET, settings=SETTINGS)
    assert alone[5] == told(direct)
    assert len(direct.fills) > 4
    assert alone[6] == told(replace(direct, certified=False))


def test_short_fast_jobs_give_what_they_give_in_turn_in_the_same_order() -> None:
    jobs = [
        job(fast=True), job("import os\n" + TREND, fast=True), job(TREND.replace("held = {", "held = 1 / 0; {"), fast=True),
        job(start=START - timedelta(days=9), end=START - timedelta(days=8), fast=True), job(end=START + timedelta(days=1), fast=True),
    ]
    alone = [told(outcome) for _, outcome in run_many(jobs, MARKET, workers=1)]
    assert [told(outcome) for outcome in run_short(jobs, MARKET)] == alone
    assert [outcome[0] for outcome in alone[1:4]] == [StrategyRejected, StrategyFault, DataError]
    assert run_short([], MARKET) == []
    with pytest.raises(AssertionError, match="a certified run"):
        run_short([job(fast=True), job()], MARKET)


def test_short_jobs_run_as_many_at_a_time_as_there_are_cores_and_who_gives_up_waits_for_no_others(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shell.backtest.parallel.available_cores", lambda: 2)
    both, begun = threading.Barrier(2, timeout=20), []

    def met(job: BacktestJob, *_: Any) -> Any:
        begun.append(job)
        both.wait()
        raise DataError("met")

    monkeypatch.setattr("shell.backtest.parallel.run_job", met)
    jobs = [job(fast=True) for _ in range(4)]
    assert [str(outcome) for outcome in run_short(jobs, MARKET)] == ["met"] * 4, "each waits for another one"

    def interrupted(job: BacktestJob, *_: Any) -> Any:
        begun.append(job)
        time.sleep(0.2)
        raise KeyboardInterrupt

    begun.clear()
    monkeypatch.setattr("shell.backtest.parallel.run_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_short(jobs * 4, MARKET)
    assert len(begun) <= 4


def test_no_jobs_give_no_outcomes_and_a_number_of_workers_out_of_range_is_refused_at_once() -> None:
    assert list(run_many([], MARKET, workers=2)) == []
    with pytest.raises(UsageError, match="0 workers are out of range: 1 to"):
        run_many([job()], MARKET, workers=0)


def test_without_a_number_a_fast_run_takes_one_core_and_a_certified_one_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, fast, certified in ((1, 1, 1), (2, 2, 1), (8, 8, 4), (500, 128, 128)):
        monkeypatch.setattr("shell.backtest.parallel.available_cores", lambda cores=cores: cores)
        assert (workers_for(None, fast=True), workers_for(None, fast=False)) == (fast, certified)
        assert workers_for(3, fast=False) == 3


def test_workers_are_started_only_for_jobs_that_repay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shell.backtest.parallel.available_cores", lambda: 4)
    year = synthetic_market(3, [BTC], START, 365)
    assert workers_worth([job(fast=True)] * 4, year) == 4
    assert workers_worth([job()] * 4, year) == 2
    assert workers_worth([job(fast=True, start=START + timedelta(days=9), end=START + timedelta(days=12))] * 4, year) == 1


def test_errors_cross_with_all_they_carry() -> None:
    for error in (StrategyFault("timeout", "slow", 7), StrategyRejected("no", ["line 3: os"]), DataError("none")):
        back = error_of(refusal_of(error))
        assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_a_history_comes_out_of_its_file_as_it_went_in_and_the_file_has_no_name(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep = {BTC: aggregate(MARKET.m5[BTC], Tier.D1)}
    whole = History(m5={ETH: MARKET.m5[ETH], BTC: MARKET.m5[BTC], "NEW/USD": empty_frame()}, d1=deep, source="a b", real=True)
    with history_file(whole) as descriptor:
        assert list(tmp_path.iterdir()) == []
        back = read_history(descriptor)
    assert (back.symbols, back.source, back.real, list(back.h1), list(back.d1)) == (whole.symbols, "a b", True, [], [BTC])
    for symbol in whole.symbols:
        assert_frame_equal(back.m5[symbol], whole.m5[symbol], check_exact=True)
    assert_frame_equal(back.d1[BTC], deep[BTC], check_exact=True)


def test_a_sealed_job_holds_no_bar_that_closes_after_its_end() -> None:
    end = START + timedelta(days=1, hours=3)
    deep = {tier: {BTC: aggregate(MARKET.m5[BTC], tier)} for tier in (Tier.H1, Tier.D1)}
    left = history_until(History(m5=MARKET.m5, h1=deep[Tier.H1], d1=deep[Tier.D1]), end)
    for frames, tier in ((left.m5, Tier.M5), (left.h1, Tier.H1), (left.d1, Tier.D1)):
        length = timedelta(milliseconds=tier.ms)
        assert {frame["timestamp"][-1] + length <= end < frame["timestamp"][-1] + 2 * length for frame in frames.values()} == {True}
    # What comes later may be anything: it is not there.
    poisoned = History(m5={
        symbol: frame.with_columns(close=frame["close"] * (frame["timestamp"] >= end).cast(float) * 50 + frame["close"])
        for symbol, frame in MARKET.m5.items()
    })
    sealed = [run_job(job(end=end, sealed=True), history) for history in (MARKET, poisoned)]
    assert told(sealed[0]) == told(sealed[1]) == told(run_job(job(end=end), MARKET))


def test_the_seal_is_put_on_before_the_run() -> None:
    """A run that could see later bars would go on to its end across a hole; a sealed one ends with its last bar."""
    history = History(m5={BTC: candles([*flat(100.0, 20), *[None] * 10, *flat(100.0, 5)])})
    end = START + 25 * STEP
    assert run_job(job(start=START, end=end), history).end == end
    assert run_job(job(start=START, end=end, sealed=True), history).end == START + 20 * STEP
    with pytest.raises(DataError, match="there are no bars between 2023-03-01 01:45 and 2023-03-01 02:05 UTC"):
        run_job(job(start=START + 21 * STEP, end=end, sealed=True), history)


@needs_proc
def test_a_worker_that_dies_costs_its_job_and_no_other() -> None:
    orphans: list[int] = []
    killer = threading.Thread(target=kill_busy_workers, args=(os.getpid(), 2, orphans))
    killer.start()
    outcomes = [outcome for _, outcome in run_many([job(ENDLESS), job(ENDLESS), job(), job()], MARKET, workers=2)]
    killer.join()
    assert [type(outcome) for outcome in outcomes] == [WorkerLost, WorkerLost, BacktestResult, BacktestResult]
    assert "ended before it answered (SIGKILL, as when memory runs out)" in str(outcomes[0])
    assert len(orphans) == 2
    assert soon(lambda: not any(map(alive, orphans)))


@needs_proc
def test_a_worker_knows_nothing_of_this_environment_and_closing_early_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KRAKEN_API_SECRET", "do-not-tell")
    outcomes = run_many([job(end=START + timedelta(hours=2)), job(ENDLESS), job(ENDLESS)], MARKET, workers=2)
    number, first = next(outcomes)
    assert (number, type(first)) == (0, BacktestResult)
    workers = children(os.getpid(), "backtest.worker")
    assert workers
    assert not any("do-not-tell" in Path(f"/proc/{pid}/environ").read_text() for pid in workers)
    started = {*workers, *(pid for worker in workers for pid in children(worker))}
    outcomes.close()
    assert soon(lambda: not any(map(alive, started)))


@needs_proc
# SIGTERM ends a caller as SIGKILL does, without a word; SIGINT lets it unwind.
@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=THOROUGH), signal.SIGKILL], ids=lambda each: each.name)
def test_a_caller_that_is_stopped_takes_every_process_with_it_and_leaves_no_file(
    how: signal.Signals, tmp_path: Path, project: Path
) -> None:
    script = (
        "from shell.backtest.parallel import run_many\n"
        "from tests.shell.backtest.test_parallel import ENDLESS, MARKET, job\n"
        "list(run_many([job(ENDLESS)] * 3, MARKET, workers=2))\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", script], cwd=project, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL
    )
    started: set[int] = set()
    try:
        assert soon(lambda: len(busy_workers(caller.pid)) == 2)
        started = {*(each for pair in busy_workers(caller.pid) for each in pair)}
        caller.send_signal(how)
        assert caller.wait(20) != 0
        assert soon(lambda: not any(map(alive, started)))
        assert list(tmp_path.iterdir()) == []
    finally:
        for pid in (caller.pid, *started):
            end(pid)
        caller.wait()


def kill_busy_workers(caller: int, count: int, orphans: list[int]) -> None:
    """Kill the first `count` workers whose strategy computes, each once; what they leave behind goes into `orphans`."""
    done: set[int] = set()
    deadline = time.monotonic() + 60
    while len(done) < count and time.monotonic() < deadline:
        for worker, strategy in busy_workers(caller):
            if worker not in done:
                done.add(worker)
                orphans.append(strategy)
                end(worker)
        time.sleep(0.02)


def busy_workers(caller: int) -> list[tuple[int, int]]:
    """(worker, its strategy's process) for every worker of `caller` whose strategy computes."""
    pairs = [(worker, each) for worker in children(caller, "backtest.worker") for each in children(worker)]
    return [(worker, each) for worker, each in pairs if computing(each)]


def children(parent: int, named: str = "") -> list[int]:
    """The process ids below `parent`, those whose command line holds `named`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                line = stat.with_name("cmdline").read_text()
                if named in line and line:
                    found.append(int(stat.parent.name))
    return found


def computing(pid: int) -> bool:
    """True when the process has worked for longer than a start takes: it is in the endless loop."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 0.7
    return False


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def soon(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait until something is true; False when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


