"""The sandbox test's verdicts, over real processes, and that it leaves none behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shell.config import HostConfig
from shell.host.port import StrategySource
from shell.host.sandbox import SandboxReport, run_sandbox
from tests.shell.host.sources import BODY_LINE, LIMITS, strategy

CONFIG = HostConfig(call_timeout=timedelta(seconds=2), start_timeout=timedelta(seconds=20))

TREND = """
held = {position.symbol for position in portfolio.positions}
signals = []
for symbol, data in markets.items():
    fast, slow = indicators.last(indicators.ema(data, "1h", 8)), indicators.last(indicators.ema(data, "1h", 34))
    if symbol not in held and fast > slow:
        signals.append(Signal(symbol, Action.BUY, 0.1, reasoning=f"{fast:.4f} above {slow:.4f}"))
    elif symbol in held and fast < slow:
        signals.append(Signal(symbol, Action.CLOSE))
return signals
"""


def sandbox(source: StrategySource, *, policy: bool = False) -> SandboxReport:
    return run_sandbox(source, policy=policy, config=CONFIG, limits=LIMITS)


def children() -> set[int]:
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children", encoding="ascii") as file:
        return {int(pid) for pid in file.read().split()}


@pytest.fixture(autouse=True)
def _no_process_is_left_behind() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def test_an_honest_trend_rule_passes_and_its_trades_are_shown() -> None:
    report = sandbox(strategy(TREND), policy=True)
    assert (report.verdict, report.errors) == ("passed", [])
    assert {signal["action"] for signal in report.signals} == {"BUY", "CLOSE"}
    assert set(report.signals[0]) >= {"timestamp", "symbol", "action", "size_pct", "reasoning"}
    assert len(report.answers_hash) == 16
    assert report.isolation["policy"] is True
    assert report.isolation["seccomp"] is False
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_refused_file_is_never_run() -> None:
    report = sandbox(strategy("import os\nos._exit(1)"), policy=True)
    assert report.verdict == "rejected"
    assert report.errors[0] == {
        "line": BODY_LINE,
        "code": "IMPORT",
        "message": f"strategy.py line {BODY_LINE}: the module os may not be imported; "
        "a strategy has no files and no environment",
    }


@pytest.mark.parametrize(
    ("body", "verdict", "code", "says"),
    [
        ("return 5", "error", "BAD_REPLY", "sample market, scan 1: analyze returned a int"),
        ("1 / (self.count - 3)", "error", "ERROR", "sample market, scan 3: line"),
        ("while self.count == 2: pass", "timeout", "TIMEOUT", "scan 2: analyze did not answer within 2 s"),
        ("import os\nif self.count == 2: os.abort()", "killed", "KILLED", "SIGABRT"),
        ("1 / len(markets['BTC/USD'].candles_5m)", "error", "ERROR", "awkward markets"),
        ("return [Signal(s, Action.CLOSE) for s in {'BTC/USD', 'ETH/USD'}]", "nondeterministic", "NONDETERMINISTIC",
         "differ at scan 1"),
        ("self.hidden = getattr(self, 'hidden', 0) + 1\nif self.hidden == 40: return [Signal('BTC/USD', Action.BUY)]",
         "error", "STATE", "a restart after scan 30 changes the signals of scan 40"),
    ],
)  # fmt: skip
def test_each_fault_gets_its_verdict_and_a_sentence(body: str, verdict: str, code: str, says: str) -> None:
    report = sandbox(strategy(body))
    assert report.verdict == verdict
    (error,) = report.errors
    assert error["code"] == code
    assert says in error["message"]
    assert not report.passed


def test_state_that_does_not_come_back_is_found() -> None:
    source = strategy()
    forgetful = source.code.replace('self.count, self.seen = state["count"], state["seen"]', "pass")
    (error,) = sandbox(StrategySource(code=forgetful)).errors
    assert error["message"] == "load_state does not restore what get_state returned"
