"""The sandbox test's verdicts and sentences, over real processes, and that it leaves none behind."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shell.config import HostConfig
from shell.contract import Signal
from shell.errors import StrategyFault
from shell.host import sandbox_bench
from shell.host.faults import panicked
from shell.host.port import ScanRequest, StrategySource
from shell.host.sandbox import SandboxReport, run_sandbox
from shell.host.sandbox_clock import under_another_clock
from shell.host.sandbox_edges import LISTED, MANY, OLD, Case, edge_stories
from shell.host.sandbox_report import ADVICE
from shell.host.supervisor import HostedStrategy
from shell.market.bars import Tier
from tests.shell.host.sources import BODY_LINE, LIMITS, SYMBOLS, scan, strategy, windows

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


def sandbox(source: StrategySource, *, policy: bool = False, config: HostConfig = CONFIG) -> SandboxReport:
    return run_sandbox(source, policy=policy, config=config, limits=LIMITS)


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
    assert (report.isolation_gap == "") == (report.isolation["seccomp"] and report.isolation["landlock_abi"] > 0)
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_refused_file_is_never_run() -> None:
    report = sandbox(strategy("import os\nos._exit(1)"), policy=True)
    assert report.verdict == "rejected"
    assert report.errors[0] == {
        "line": BODY_LINE,
        "code": "IMPORT",
        "message": f"strategy.py line {BODY_LINE}: the module os may not be imported; "
        "a strategy has no files and no environment",
        "advice": ADVICE["IMPORT"],
    }


@pytest.mark.parametrize(
    ("body", "verdict", "code", "says"),
    [
        ("return 5", "error", "BAD_REPLY", "sample market, scan 1: analyze returned a int"),
        ("1 / (self.count - 3)", "error", "ERROR", "sample market, scan 3: ZeroDivisionError: division by zero"),
        ("while self.count == 2: pass", "timeout", "TIMEOUT", "scan 2: analyze did not answer within 2 s"),
        ("import os\nif self.count == 2: os.abort()", "killed", "KILLED", "SIGABRT"),
        ("return [Signal(s, Action.CLOSE) for s in {'BTC/USD', 'ETH/USD'}]", "nondeterministic", "NONDETERMINISTIC",
         "differ at scan 1: CLOSE"),
        ("import os\nself.seen = [os.urandom(4).hex()]", "nondeterministic", "NONDETERMINISTIC",
         "in the state at the end: state['seen'][0] is"),
        ("self.hidden = getattr(self, 'hidden', 0) + 1\nif self.hidden == 40: return [Signal('BTC/USD', Action.BUY)]",
         "error", "STATE", "a restart after scan 30 changes what follows at scan 40: BUY BTC/USD and no signal"),
    ],
)  # fmt: skip
def test_each_fault_gets_its_verdict_a_sentence_and_advice(body: str, verdict: str, code: str, says: str) -> None:
    report = sandbox(strategy(body))
    assert report.verdict == verdict
    (error,) = report.errors
    assert error["code"] == code
    assert says in error["message"]
    assert error["advice"]
    assert not report.passed


def test_a_call_that_ends_a_process_is_told_as_an_attempt() -> None:
    report = sandbox(strategy("import os, signal\nos.kill(os.getpid(), signal.SIGSYS)"))
    assert (report.verdict, [error["code"] for error in report.errors]) == ("killed", ["ATTEMPT"])
    assert "sample market, scan 1" in report.attempt
    assert sandbox(strategy("import os\nos.abort()")).attempt == ""


def test_a_scan_interval_out_of_range_is_named_so() -> None:
    source = strategy()
    daft = source.code.replace("class Strategy:", "class Strategy:\n    scan_interval_minutes = 0")
    (error,) = sandbox(StrategySource(code=daft), policy=True).errors
    assert error["code"] == "INTERVAL"
    assert "scan_interval_minutes is 0; a whole number from 1 to 1440 is needed" in error["message"]


def test_a_file_that_hangs_when_loaded_ends_with_the_start_timeout() -> None:
    report = sandbox(
        StrategySource(code="while True: pass"), config=HostConfig(call_timeout=timedelta(seconds=1), start_timeout=timedelta(seconds=3))
    )
    assert (report.verdict, report.errors[0]["code"]) == ("timeout", "TIMEOUT")


def test_state_that_does_not_come_back_is_found() -> None:
    source = strategy()
    forgetful = source.code.replace('self.count, self.seen = state["count"], state["seen"]', "pass")
    (error,) = sandbox(StrategySource(code=forgetful)).errors
    assert error["code"] == "STATE"
    assert error["message"] == "load_state does not restore what get_state returned: state['count'] is 30 and 0"


def test_a_get_state_that_changes_what_follows_is_told_from_chance() -> None:
    source = strategy("if self.count == 45: return [Signal('BTC/USD', Action.BUY)]")
    meddling = source.code.replace('return {"count"', 'self.count += 1\n        return {"count"')
    report = sandbox(StrategySource(code=meddling))
    assert (report.verdict, report.errors[0]["code"]) == ("error", "STATE")
    assert "calling get_state after scan 30 changes what follows at scan 44" in report.errors[0]["message"]


@pytest.mark.parametrize("read", ["np.datetime64('now')", "__import__('time').time() // 3600"])
def test_an_answer_that_goes_by_the_clock_is_found_even_if_rounded(read: str) -> None:
    report = sandbox(strategy(f"return [Signal('BTC/USD', Action.CLOSE, tag=str({read}))]"))
    assert report.verdict == "nondeterministic"
    assert "at scan 1: CLOSE BTC/USD has tag" in report.errors[0]["message"]


# Each rounds to hours or days, so that two processes within a second would agree but for the other clock.
CLOCKS = """
import datetime as dt, time, time as t
from datetime import UTC, datetime
from time import localtime, strftime
tags = [time.time() // 3600, t.gmtime().tm_yday, localtime().tm_hour, strftime("%Y-%m-%d"), t.ctime()[:13], time.time_ns() // 10**13]
tags += [datetime.now(UTC).date(), dt.date.today(), dt.datetime.utcnow().date(), datetime.now().hour, datetime.today().date()]
return [Signal("BTC/USD", Action.CLOSE, tag=str(tag)) for tag in tags]
"""


def test_every_way_to_read_the_clock_leads_astray_under_another_clock_and_again_at_each_reading() -> None:
    plain = strategy(CLOCKS)
    told = []
    for source in (plain, under_another_clock(plain, checked=False)):
        with HostedStrategy(source, CONFIG, check_policy=False) as host:
            host.start(symbols=list(SYMBOLS), limits=LIMITS, windows=windows(), state=None)
            told.append([[signal.tag for signal in host.analyze(scan(number))] for number in (1, 2)])
    (once, again), (astray, further) = told
    assert once == again
    assert [tag for tag, other in zip(once, astray, strict=True) if tag == other] == []
    assert astray != further


def test_dates_are_reckoned_as_ever_where_the_clock_is_another() -> None:
    honest = """
    from dataclasses import dataclass
    from datetime import UTC, date, datetime, timedelta

    @dataclass(frozen=True)
    class Mark:
        at: datetime

    assert isinstance(timestamp, datetime) and isinstance(timestamp, date) and not isinstance(5, datetime)
    begun = datetime(2024, 1, 1, tzinfo=UTC)
    mark = Mark(begun + (timestamp - begun))
    assert mark.at == timestamp and max(begun, timestamp) == timestamp and datetime.fromisoformat(timestamp.isoformat()) == timestamp
    frame = markets["ETH/USD"].candles_1h if "ETH/USD" in markets else None
    if frame is not None and len(frame):
        later = frame.filter(pl.col("timestamp") > begun - timedelta(days=1)).with_columns(day=pl.col("timestamp").dt.date())
        assert later["day"][-1] >= date(2024, 1, 1)
    match timestamp:
        case datetime(hour=hour): return [Signal("ETH/USD", Action.CLOSE, tag=f"{timestamp:%Y-%m-%d} {hour}")]
    """
    assert sandbox(strategy(honest)).errors == []


# --- edge cases -------------------------------------------------------------------------------------------------------


def test_one_fault_in_several_edge_cases_is_told_once_and_others_are_told_beside_it() -> None:
    fragile = """
    if len(markets) < 2: raise LookupError("absent")
    if min(len(data.candles_5m) for data in markets.values()) < 60: 1 / 0
    if portfolio.cash == 0: raise ArithmeticError("broke")
    """
    report = sandbox(strategy(fragile))
    assert report.verdict == "error"
    assert [(error["message"], error["line"]) for error in report.errors] == [
        ("a symbol without any bar yet, and with a symbol with a single bar, and with a symbol with a few bars: "
         "ZeroDivisionError: division by zero", BODY_LINE + 1),
        ("a symbol that is not in markets: LookupError: absent", BODY_LINE),
        ("no cash left, and with an empty account: ArithmeticError: broke", BODY_LINE + 2),
    ]  # fmt: skip
    assert [error["advice"] for error in report.errors] == [
        f"check the divisor before dividing: ranges, volumes, cash and total value can be 0; {Case.NO_BARS.advice}",
        Case.ABSENT.advice,
        Case.NO_CASH.advice,
    ]


def requests_of(case: Case) -> list[ScanRequest]:
    return [request for story in edge_stories(3) for told, request in story.requests() if told is case]


def test_the_stories_hold_what_their_titles_say() -> None:
    listing, crowd = edge_stories(3)
    assert {told.case for story in (listing, crowd) for told in story.circumstances} == set(Case)
    assert all(len(listing.sample.windows[LISTED, tier]) == 0 for tier in Tier)
    shown = [tuple(request.facts) for request in requests_of(Case.ABSENT)]
    assert shown == [(LISTED,), (), (OLD,)]
    assert all(bar.symbol == LISTED for request in requests_of(Case.HALTED) for bar in request.new_bars if bar.tier is Tier.M5)
    flat = [bar for bar in requests_of(Case.FLAT)[-1].new_bars if bar.symbol == OLD and bar.tier is Tier.H1]
    assert len(flat) == 24
    assert {(bar.high - bar.low, bar.volume) for bar in flat} == {(0.0, 0.0)}
    high, low = (request.facts[OLD].quote.last for request in requests_of(Case.EXTREME))
    assert high > 1e8
    assert low < 2e-8
    crowded = requests_of(Case.MANY)[0].facts
    assert len(crowded) == len(MANY) > LIMITS.max_positions
    assert crowded[MANY[0]].quote.last > 1e8
    assert crowded[MANY[-1]].quote.last < 2e-8
    for number in range(1, len(listing.circumstances)):
        known, rest = listing.after(number)
        assert known[LISTED, Tier.M5].tolist() == sorted(known[LISTED, Tier.M5].tolist())
        assert [case for case, _ in rest.requests()] == [told.case for told in listing.circumstances[number:]]


# --- panics -----------------------------------------------------------------------------------------------------------


class PanicsOnce(HostedStrategy):
    """A host whose library panics at one scan of one process, and never again."""

    left = 0

    def analyze(self, request: ScanRequest) -> list[Signal]:
        if PanicsOnce.left:
            PanicsOnce.left -= 1
            self.close()
            raise StrategyFault("error", "line 7: PanicException: async-executor: WouldBlock", 7)
        return super().analyze(request)


@pytest.mark.parametrize(("panics", "verdict"), [(1, "passed"), (2, "error")])
def test_a_library_may_panic_once_and_not_twice(panics: int, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_bench, "HostedStrategy", PanicsOnce)
    PanicsOnce.left = panics
    assert sandbox(strategy(TREND)).verdict == verdict


def test_a_panic_is_told_from_other_errors() -> None:
    def said(text: str, kind: str = "error") -> Any:
        return panicked(StrategyFault(kind, text))

    assert said("PanicException: called `Option::unwrap()` on a `None` value")
    assert said("line 12: PanicException")
    assert said("line 12: strategy/skills/trend.py line 3: PanicException: x")
    assert not said("ValueError: PanicException")
    assert not said("line 3: PanicExceptional: x")
    assert not said("PanicException", "killed")
    assert not panicked(None)


# --- the manual -------------------------------------------------------------------------------------------------------


def test_the_manual_lists_every_code_and_every_edge_case(project: Path) -> None:
    manual = (project / "docs" / "sandbox.md").read_text()
    assert [code for code, advice in ADVICE.items() if f"| `{code}` | {advice} |" not in manual] == []
    assert [case for case in Case if f"| {case.title} | {case.advice} |" not in manual] == []


def test_every_code_of_the_policy_has_advice(project: Path) -> None:
    codes = set(re.findall(r'"([A-Z_]{4,})"', (project / "shell" / "host" / "policy.py").read_text()))
    assert len(codes) > 8
    assert codes <= ADVICE.keys()
