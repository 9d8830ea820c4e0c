"""The fast path: the certified run's books to the last fill, from a process that nothing is believed of.

Method: the same strategies over the same markets both ways; then strategies that hang, reach out, forge and break the
engine they share a process with. Each of those is let past the policy, so that only the process and the reader stand.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import mmap
import os
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from typer.testing import CliRunner

from compiled.runs import with_holes
from deployments.cli.main import app
from shell.backtest import fast
from shell.backtest.driver import run_backtest
from shell.backtest.fast import FastBench, read_only, run_fast
from shell.backtest.history_file import history_file
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.contract import OrderType
from shell.errors import DataError, StrategyFault, StrategyRejected, UsageError
from shell.host.port import StrategySource
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from shell.orders import Purpose, Side
from tests.shell.scripted import BTC, ETH, START, candles, flat

SOL = "SOL/USD"
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes in /proc")

# Costs, a spread, a local day that begins inside the period, and limits that are met now and then.
SETTINGS = BacktestSettings(
    cash=QuoteAmount("10000.50"), paper=PaperConfig(limit_entry_expiry=timedelta(hours=3)), zone=ZoneInfo("America/New_York"),
    risk=RiskConfig(
        max_daily_trades=40, max_daily_loss_pct=Decimal("0.01"), max_consecutive_losses=9, price_collar_pct=Decimal("0.05")
    ),
    host=HostConfig(max_consecutive_faults=3),
)
QUICK = replace(SETTINGS, host=HostConfig(call_timeout=timedelta(seconds=0.2)))

SKILL = """
asked = []


def lot(step):
    asked.append(step)
    return 0.02 + 0.01 * (len(asked) % 5)
"""
# Everything an order can be, at moments drawn by a seeded generator; module globals of the file and of its skill count.
BUSY = StrategySource(skills={"sizes": SKILL}, code='''
import random
from datetime import datetime

from shell.contract import Action, Intent, OrderType, Signal
from strategy.skills.sizes import lot

RAISES_AT = (90, 91)
scans = 0


class Strategy:
    scan_interval_minutes = 10

    def initialize(self, risk_limits, symbols):
        self.random = random.Random(len(symbols))
        self.limits, self.symbols, self.heard = risk_limits, symbols, 0

    def analyze(self, markets, portfolio, timestamp):
        global scans
        scans += 1
        elapsed = int(timestamp.timestamp()) // 600 % 400
        if elapsed in RAISES_AT:
            raise ValueError(f"as planted at {elapsed} after {scans} scans, é")
        held = {position.symbol: position for position in portfolio.positions}
        signals = []
        for symbol in sorted(markets):
            price, chance = markets[symbol].current_price, self.random.random()
            if symbol in held:
                signals += self.leave_or_move(held[symbol], price, chance)
            elif chance < 0.06:
                signals.append(Signal(symbol, Action.BUY, lot(elapsed), stop_loss=price * 0.995, take_profit=price * 1.005,
                                      intent=Intent.DAY, tag="at once"))
            elif chance < 0.10:
                signals.append(Signal(symbol, Action.BUY, lot(elapsed), OrderType.LIMIT, price * 0.999, price * 0.98))
            elif chance < 0.11:
                signals.append(Signal(symbol, Action.SELL, 0.01, reasoning="nothing is held"))
        if portfolio.recent_trades and portfolio.daily_pnl < -50 and self.heard % 2:
            return signals[:1]
        return signals

    def leave_or_move(self, position, price, chance):
        if chance < 0.05:
            yield Signal(position.symbol, Action.SELL, 0.01, tag="part")
        elif chance < 0.08:
            yield Signal(position.symbol, Action.MODIFY, stop_loss=price * 0.997, take_profit=price * 1.01)
        elif chance < 0.10:
            yield Signal(position.symbol, Action.CLOSE)

    def on_fill(self, symbol, action, qty, price, intent):
        self.heard += 1

    def on_position_closed(self, symbol, pnl, pnl_pct):
        self.heard += 10

    def get_state(self):
        return {"heard": self.heard}

    def load_state(self, state):
        self.heard = state["heard"]
''')


def strategy(body: str) -> StrategySource:
    """A strategy whose analyze is `body`."""
    code = textwrap.dedent("""
        class Strategy:
            scan_interval_minutes = 60

            def initialize(self, risk_limits, symbols):
                pass

            def analyze(self, markets, portfolio, timestamp):
                {body}

            def on_fill(self, symbol, action, qty, price, intent):
                pass

            def on_position_closed(self, symbol, pnl, pnl_pct):
                pass

            def get_state(self):
                return {{}}

            def load_state(self, state):
                pass
    """)
    return StrategySource(code=code.format(body=textwrap.indent(textwrap.dedent(body).strip(), " " * 8).lstrip()))


ONE = synthetic_market(5, [BTC], START, 5)
THREE = with_holes(synthetic_market(6, [BTC, ETH, SOL], START, 4))
SMALL = synthetic_market(3, [BTC], START, 1)


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def children() -> set[str]:
    """Ids of this process's children, ended ones that nobody waited for included."""
    return {pid for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()}


def assert_same_books(quick: BacktestResult, certified: BacktestResult) -> None:
    assert quick.fills == certified.fills
    assert quick.trades == certified.trades
    assert quick.equity_hash == certified.equity_hash
    assert np.array_equal(quick.curve.values, certified.curve.values)
    assert np.array_equal(quick.curve.times_ms, certified.curve.times_ms)
    assert np.array_equal(quick.daily_returns, certified.daily_returns)
    for name in (
        "metrics", "final_value", "bars", "steps", "signals", "refusals", "faults", "halts", "start", "end",
    ):
        assert getattr(quick, name) == getattr(certified, name), name


@pytest.mark.parametrize(
    ("history", "start"), [(ONE, None), (THREE, START + timedelta(days=1, minutes=7))], ids=["one symbol", "three with holes"]
)
def test_a_fast_run_has_the_certified_runs_books_to_the_last_fill(history: History, start: datetime | None) -> None:
    told: list[tuple[int, int]] = []
    quick = run_fast(
        BUSY, history, start=start, settings=SETTINGS, progress=lambda done, total: told.append((done, total))
    )
    certified = run_backtest(BUSY, history, start=start, settings=SETTINGS)
    assert_same_books(quick, certified)
    assert (quick.certified, certified.certified) == (False, True)
    # What is compared is worth comparing.
    assert {fill.intent.purpose for fill in quick.fills} == set(Purpose) - {Purpose.EXTERNAL}
    assert {fill.intent.order_type for fill in quick.fills} == set(OrderType)
    sold = {trade.symbol: 0 for trade in quick.trades}
    for fill in quick.fills:
        if fill.side is Side.SELL:
            sold[fill.symbol] += 1
    assert sum(sold.values()) > len(quick.trades) > 10
    assert quick.refusals
    assert len(quick.faults) >= 2
    # Slots, ever onwards, up to the end.
    assert [total for _, total in told] == [quick.steps] * len(told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (quick.steps, quick.steps)


def test_a_bench_runs_one_strategy_after_another_as_a_process_each_would() -> None:
    """BUSY counts in module globals and in its skill's: what one run leaves behind must not reach the next. Between them one
    breaks, which ends the process and not the bench, and one is refused before it comes near it."""
    alone = run_fast(BUSY, ONE, settings=SETTINGS)
    broken = strategy("raise ValueError('as planted')")
    with FastBench(ONE, start=None, end=None, settings=SETTINGS) as bench:
        first, second = bench.run(BUSY), bench.run(BUSY)
        with pytest.raises(StrategyFault, match="as planted"):
            bench.run(broken)
        with pytest.raises(StrategyRejected):
            bench.run(StrategySource(code="import os\n"))
        third = bench.run(BUSY)
    for result in (first, second, third):
        assert (result.equity_hash, result.fills, result.faults) == (alone.equity_hash, alone.fills, alone.faults)
        assert not result.certified


def test_a_strategy_that_fails_again_and_again_ends_the_run_as_it_does_a_certified_one() -> None:
    source = strategy("raise KeyError('nowhere')")
    with pytest.raises(StrategyFault) as quick:
        run_fast(source, SMALL, settings=SETTINGS)
    with pytest.raises(StrategyFault) as certified:
        run_backtest(source, SMALL, settings=SETTINGS)
    assert (quick.value.kind, str(quick.value)) == (certified.value.kind, str(certified.value))
    assert "3 times in a row: error: line 9: KeyError: nowhere" in str(quick.value)


def test_a_refused_strategy_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "ChildProcess", None)
    with pytest.raises(StrategyRejected):
        run_fast(StrategySource(code="import os\n" + BUSY.code), SMALL, settings=SETTINGS)


def test_the_ground_is_written_while_the_process_starts_and_before_it_is_told_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened: list[str] = []

    class Child:
        last_words = ""

        def __init__(self, *_: object) -> None:
            happened.append("started")

        def exchange(self, *_: object) -> bytes:
            happened.append("told")
            raise StrategyFault("timeout", "enough")

        def kill(self) -> None:
            happened.append("ended")

    monkeypatch.setattr(fast, "ChildProcess", Child)
    monkeypatch.setattr(fast, "write_ground", lambda *_: happened.append("written"))
    with pytest.raises(StrategyFault, match="enough"):
        run_fast(BUSY, SMALL, settings=SETTINGS)
    assert happened == ["started", "written", "told", "ended"]


def test_a_reversed_or_empty_window_is_explained_as_ever() -> None:
    with pytest.raises(UsageError, match="is empty; the history runs from 2023-03-01 00:00 to 2023-03-02 00:00"):
        run_fast(BUSY, SMALL, start=START + timedelta(hours=9), end=START + timedelta(hours=8), settings=SETTINGS)
    hole = History(m5={BTC: candles([*flat(100.0, 2), *[None] * 20, *flat(100.0, 2)])})
    with pytest.raises(DataError, match="no bars between"):
        run_fast(
            BUSY, hole, start=START + timedelta(minutes=25), end=START + timedelta(minutes=50), settings=SETTINGS
        )


def test_a_strategy_that_does_not_return_is_killed() -> None:
    with pytest.raises(StrategyFault, match="did not go on for 0.2 s; it was last heard of at 2023-03-01 0[01]:") as fault:
        run_fast(strategy("while timestamp.hour: pass\nreturn []"), SMALL, settings=QUICK)
    assert fault.value.kind == "timeout"


def test_beats_without_progress_do_not_keep_a_run_alive() -> None:
    forged = """
        import sys
        frame = sys._getframe()
        while "heart" not in frame.f_locals:
            frame = frame.f_back
        while True:
            frame.f_locals["heart"].beat(0)
    """
    with pytest.raises(StrategyFault, match="progress that is none") as fault:
        run_fast(strategy(forged), SMALL, settings=SETTINGS, check_policy=False)
    assert fault.value.kind == "bad_reply"


@needs_proc
def test_an_attempt_to_get_out_is_named_as_such() -> None:
    with pytest.raises(StrategyFault) as fault:
        run_fast(strategy("import os; os.fork()"), SMALL, settings=SETTINGS, check_policy=False)
    assert fault.value.kind == "attempt"


@needs_proc
def test_no_file_is_within_reach() -> None:
    reach = """
        import os
        found = []
        for path in ("/etc/passwd", shell_file, "/proc/self/maps"):
            try:
                os.open(path, os.O_RDONLY)
            except PermissionError:
                found.append("denied")
        raise ValueError(" ".join(found))
    """.replace("shell_file", repr(fast.__file__))
    once = replace(SETTINGS, host=HostConfig(max_consecutive_faults=1))
    with pytest.raises(StrategyFault, match="denied denied denied"):
        run_fast(strategy(reach), SMALL, settings=once, check_policy=False)


def test_the_history_that_is_handed_over_cannot_be_mapped_to_write() -> None:
    with history_file(SMALL) as descriptor, read_only(descriptor) as handed:
        if not Path("/proc/self/fd").exists():
            pytest.skip("needs /proc to open the file anew")
        assert fcntl.fcntl(handed, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        mmap.mmap(handed, 0, access=mmap.ACCESS_READ).close()
        with pytest.raises(PermissionError):
            mmap.mmap(handed, 0, access=mmap.ACCESS_WRITE)


# What a strategy may put in the place of the result's encoder, and what the caller then gets.
FORGERIES = {
    "nested lists": ("[struct.pack('<Q', 90_000), b'[' * 90_000, bytes(8 * 289)]", "another form"),
    "too much": ("[bytes(1 << 22)]", "at most"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_result_is_refused(name: str) -> None:
    parts, words = FORGERIES[name]
    forged = f"""
        import struct
        import shell.backtest.fast_child
        shell.backtest.fast_child.encode_result = lambda *_: {parts}
        return []
    """
    with pytest.raises(StrategyFault, match=words) as fault:
        run_fast(strategy(forged), SMALL, settings=SETTINGS, check_policy=False)
    assert fault.value.kind == "bad_reply"


def test_what_breaks_the_engine_in_there_is_told_and_harms_nobody_here() -> None:
    broken = """
        from shell.engine import Engine
        Engine.passed = None
        return []
    """
    with pytest.raises(StrategyFault, match="ended during the backtest: TypeError: 'NoneType' object is not callable") as fault:
        run_fast(strategy(broken), SMALL, settings=SETTINGS, check_policy=False)
    assert fault.value.kind == "killed"


def test_a_wall_that_is_missing_is_told_once_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = itertools.count()
    monkeypatch.setattr(fast, "isolation_is_complete", lambda _: f"no wall {next(counted) // 2}")
    for _ in range(2):
        assert run_fast(strategy("return []"), SMALL, settings=SETTINGS).fills == ()
    assert capsys.readouterr().err.count("no wall 0") == 1


def test_the_command_answers_the_same_either_way_and_calls_a_fast_run_no_evidence(tmp_path: Path) -> None:
    for symbol, frame in SMALL.m5.items():
        frame.write_parquet(tmp_path / f"{symbol.replace('/', '-')}_5m.parquet")
    file = tmp_path / "hourly.py"
    file.write_text(strategy('return [Signal("BTC/USD", Action.CLOSE if timestamp.hour % 2 else Action.BUY)]').code.replace(
        "class Strategy", "from shell.contract import Action, Signal\n\n\nclass Strategy"
    ))
    command = ["backtest", "--strategy", str(file), "--data", str(tmp_path)]
    answers = []
    for more in ([], ["--fast"]):
        done = CliRunner().invoke(app, [*command, *more, "--json"])
        assert done.exit_code == 0, done.output
        answers.append(json.loads(done.stdout.splitlines()[-1]))
    certified, quick = answers
    assert (certified.pop("certified"), quick.pop("certified")) == (True, False)
    assert len(quick["fills"]) > 10
    for facts in answers:
        del facts["seconds"], facts["bars_per_second"]
    assert quick == certified
    shown = CliRunner().invoke(app, [*command, "--fast"])
    assert "fast run: not evidence for the gate" in shown.stdout
