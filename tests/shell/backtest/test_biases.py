"""The look-ahead and warm-up probes: each catches a planted cheater and lets an honest strategy pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from shell.backtest.biases.finding import BiasReport, BiasVerdict, Finding
from shell.backtest.biases.lag import lag
from shell.backtest.biases.poisoning import poisoning
from shell.backtest.biases.probe import CHECKS, run_biases
from shell.backtest.biases.replaced import replaced
from shell.backtest.biases.restart import restart
from shell.backtest.biases.subject import Baseline, Subject, run_baseline
from shell.backtest.biases.tiers import tiers
from shell.backtest.biases.truncation import truncation
from shell.backtest.biases.warm_up import warm_up
from shell.errors import StrategyFault
from shell.host.port import StrategySource
from shell.market.bars import DAY_MS
from shell.market.history import History
from shell.money import Price
from tests.shell.backtest.biases_stage import (
    BTC,
    HONEST,
    HONEST_HOURLY,
    PEEKS,
    PEEKS_AT_THE_HOUR,
    SETTINGS,
    SILENT,
    START,
    market,
    strategy,
    subject,
)
from tests.shell.scripted import candles

BIASED, CLEAN, UNKNOWN = BiasVerdict.BIASED, BiasVerdict.CLEAN, BiasVerdict.UNKNOWN
Probe = Callable[[Subject, Baseline], Any]


@pytest.fixture(scope="module")
def days2() -> History:
    return market(2)


@pytest.fixture(scope="module")
def days8() -> History:
    return market(8)


@pytest.fixture(scope="module")
def days14() -> History:
    return market(14)


def waves(days: int) -> History:
    """A wave of five hours, no part of a day, which an average of two hours follows with gain."""
    wave = 100 + 5 * np.sin(np.arange(days * 288 + 1) / 60 * 2 * np.pi)
    closes, opens = wave[1:], wave[:-1]
    bars = list(zip(opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, strict=True))
    return History(m5={BTC: candles(bars)})


def found(probe: Probe, what: Subject) -> Finding:
    answer = probe(what, run_baseline(what))
    return answer if isinstance(answer, Finding) else answer[-1]


# --- truncation and poisoning -----------------------------------------------------------------------------------------


def test_an_honest_strategy_decides_the_same_whatever_comes_later(days2: History) -> None:
    what = subject(HONEST, days2)
    baseline = run_baseline(what)
    for probe in (truncation, poisoning):
        finding = probe(what, baseline)
        assert finding.verdict is CLEAN, finding.sentence
        assert finding.evidence["compared"] >= 5


@pytest.mark.parametrize(
    ("code", "leak"), [(PEEKS, {"ahead": 1}), (PEEKS, {"ahead": 12}), (PEEKS_AT_THE_HOUR, {"open_hour": True})],
    ids=["the next bar", "the next hour", "the open hour"],
)
def test_a_host_that_shows_the_future_is_caught(code: str, leak: dict[str, Any], days2: History) -> None:
    what = subject(code, days2, **leak)
    baseline = run_baseline(what)
    for probe in (truncation, poisoning):
        finding = probe(what, baseline)
        assert finding.verdict is BIASED, finding.sentence
        assert "later bars" in finding.sentence
        assert finding.evidence["differing"] > 0
        assert finding.evidence["first_difference"] is not None


def test_a_strategy_that_sets_the_whole_history_against_each_bar_is_caught(days2: History) -> None:
    # Normalising by the mean of everything is the commonest leak of notebooks.
    what = subject(strategy("wanted = data.current_price > data.candles_5m['close'].mean()"), days2, ahead=10_000)
    baseline = run_baseline(what)
    for probe in (truncation, poisoning):
        finding = probe(what, baseline)
        assert finding.verdict is BIASED, finding.sentence


def test_a_strategy_that_breaks_on_a_shorter_history_is_caught(days2: History) -> None:
    counts = strategy("wanted = 1 // (len(data.candles_5m) // 576) > 0 and self.scans % 9 < 4")
    finding = found(truncation, subject(counts, days2, ahead=10_000))
    assert finding.verdict is BIASED
    assert "breaks" in finding.sentence


def test_a_fill_that_a_later_bar_has_changed_is_caught(days2: History) -> None:
    what = subject(HONEST, days2)
    baseline = run_baseline(what)
    # An engine that looked ahead: its first fill had another price than the same engine gives without the later bars.
    first, *rest = baseline.run.kept.fills
    kept = replace(baseline.run.kept, fills=[replace(first, price=Price(first.price.value + 1)), *rest])
    finding = truncation(what, replace(baseline, run=replace(baseline.run, kept=kept)))
    assert finding.verdict is BIASED
    assert "fill otherwise" in finding.sentence


def test_a_handful_of_decisions_says_nothing(days2: History) -> None:
    what = subject(HONEST, days2, end=START + timedelta(hours=4))
    baseline = run_baseline(what)
    assert 0 < len(baseline.answers) < 5
    for probe in (truncation, poisoning):
        finding = probe(what, baseline)
        assert finding.verdict is UNKNOWN
        assert "5 are needed" in finding.sentence


# --- one bar later ----------------------------------------------------------------------------------------------------


def test_a_strategy_that_knows_the_close_of_the_bar_it_buys_loses_its_gain_one_bar_later(days2: History) -> None:
    finding = found(lag, subject(PEEKS, days2, ahead=1))
    assert finding.verdict is BIASED, finding.sentence
    assert finding.evidence["gain_t"] > 3
    assert finding.evidence["sharpe"] > 0
    assert finding.evidence["lag_minutes"] == 5


def test_an_edge_that_lasts_keeps_its_gain_one_bar_later() -> None:
    finding = found(lag, subject(HONEST, waves(6)))
    assert finding.verdict is CLEAN, finding.sentence
    assert finding.evidence["gain_t"] > 3
    assert 0.5 < finding.evidence["kept_pct"] < 1.0


def test_without_a_gain_there_is_nothing_a_look_ahead_could_have_made(days2: History) -> None:
    finding = found(lag, subject(HONEST, days2))
    assert finding.verdict is CLEAN
    assert "within chance" in finding.sentence


def test_too_few_trades_say_nothing_of_a_lag(days2: History) -> None:
    finding = found(lag, subject(HONEST, days2, end=START + timedelta(hours=12)))
    assert finding.verdict is UNKNOWN
    assert "20 are needed" in finding.sentence


# --- warm-up ----------------------------------------------------------------------------------------------------------


def test_the_warm_up_that_is_enough_is_told(days8: History) -> None:
    two_days = HONEST_HOURLY.replace("24", "48")
    finding = found(warm_up, subject(two_days, days8))
    assert finding.verdict is CLEAN, finding.sentence
    # One day and two are tried, and all four that there are.
    assert finding.evidence["enough_days"] == 2.0
    assert finding.evidence["longest_days"] == 4.0
    assert finding.evidence["disagreement_1_days"] > 0


@pytest.mark.parametrize(
    "body",
    ["wanted = len(data.candles_5m) % 7 < 3", "wanted = data.current_price > data.candles_5m['close'][0]"],
    ids=["counts its bars", "measures from its first bar"],
)
def test_a_strategy_that_never_settles_is_caught(body: str, days8: History) -> None:
    finding = found(warm_up, subject(strategy(body, interval=30), days8))
    assert finding.verdict is BIASED, finding.sentence
    assert finding.evidence["enough_days"] is None


def test_a_window_without_history_before_it_says_nothing_of_warm_up(days2: History) -> None:
    finding = found(warm_up, subject(HONEST, days2, end=START + timedelta(days=1)))
    assert finding.verdict is UNKNOWN


# --- restarts ---------------------------------------------------------------------------------------------------------

COUNTED = strategy("wanted = self.scans % 11 < 5", state='{"scans": self.scans}', load='self.scans = state["scans"]')
FORGETFUL = strategy("wanted = self.scans % 11 < 5")
IN_A_GLOBAL = strategy("SEEN.append(1)\nwanted = len(SEEN) % 11 < 5")


def test_restarts_change_nothing_for_a_strategy_that_keeps_its_state(days2: History) -> None:
    finding = found(restart, subject(COUNTED, days2))
    assert finding.verdict is CLEAN, finding.sentence
    assert finding.evidence["restarts"] == 3


def test_restarts_that_never_came_about_prove_nothing(days2: History) -> None:
    finding = found(restart, subject(strategy("wanted = True", interval=60), days2))
    assert finding.verdict is UNKNOWN
    assert "0 of 1 restarts" in finding.sentence


@pytest.mark.parametrize("code", [FORGETFUL, IN_A_GLOBAL], ids=["forgets", "keeps it in a global"])
def test_state_that_a_restart_loses_is_caught(code: str, days2: History) -> None:
    finding = found(restart, subject(code, days2))
    assert finding.verdict is BIASED
    assert "get_state" in finding.sentence


def test_a_state_that_cannot_be_read_back_is_caught(days2: History) -> None:
    broken = strategy("wanted = self.scans % 11 < 5", load='raise KeyError("scans")')
    what = subject(broken, days2)
    inner = what.make_host

    def raising(source: StrategySource, history: History) -> Any:
        assert inner is not None
        host = inner(source, history)
        start = host.start

        def guarded(**facts: Any) -> int:
            try:
                return start(**facts)
            except KeyError as error:
                raise StrategyFault("error", f"KeyError: {error}") from None

        host.start = guarded  # type: ignore[method-assign]
        return host

    finding = found(restart, Subject(source=what.source, history=days2, settings=SETTINGS, make_host=raising))
    assert finding.verdict is BIASED
    assert "could not be restarted" in finding.sentence


def test_a_strategy_that_is_not_the_same_twice_is_told_apart_from_one_that_looks_ahead(days2: History) -> None:
    # A table that outlives the process it should die with, as a file or a clock would.
    outside: list[int] = []
    drifting = strategy("OUTSIDE.append(1)\nwanted = len(OUTSIDE) % 13 < 6")
    what = subject(drifting, days2, names={"OUTSIDE": outside})
    end = START + timedelta(days=1)
    report = run_biases(what.source, days2, end=end, settings=SETTINGS, make_host=what.make_host)
    by_check = {finding.check: finding for finding in report.findings}
    assert by_check["repeatability"].verdict is BIASED
    assert by_check["truncation"].verdict is UNKNOWN
    assert "proves nothing of its own" in by_check["truncation"].sentence


# --- higher tiers -----------------------------------------------------------------------------------------------------


def test_an_honest_host_shows_only_closed_candles(days2: History) -> None:
    finding = found(tiers, subject(HONEST, days2))
    assert finding.verdict is CLEAN, finding.sentence
    assert finding.evidence["matching"] == 2 * 24 - 1 + 1


def test_holes_in_the_data_are_no_bias_of_the_real_host(days2: History) -> None:
    # Single bars, half an hour, a whole hour and more.
    frame = days2.m5[BTC].with_row_index()
    gone = {7, 30, *range(66, 72), *range(150, 162), *range(200, 230), *range(400, 440)}
    holed = frame.filter(~pl.col("index").is_in(gone)).drop("index")
    what = Subject(source=StrategySource(code=SILENT), history=History(m5={BTC: holed}), settings=SETTINGS)
    finding = found(tiers, what)
    assert finding.verdict is CLEAN, finding.sentence
    assert finding.evidence["candles"] > 500


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"open_hour": True}, "before they had closed"), ({"ahead": 1}, "before they had closed"),
        ({"misnamed_hours": True}, "contradict the 5m bars"), ({"late_hours": True}, "that had closed was not shown"),
    ],
    ids=["the open hour", "the next bar", "hours by another's name", "hours that come late"],
)
def test_candles_that_a_host_should_not_show_like_this_are_caught(
    host: dict[str, Any], words: str, days2: History
) -> None:
    finding = found(tiers, subject(HONEST, days2, **host))
    assert finding.verdict is BIASED
    assert words in finding.sentence


# --- the future by heart ----------------------------------------------------------------------------------------------


def memorised(history: History) -> str:
    """A strategy with the good hours of a history written into it."""
    opens = history.m5[BTC]["open"].to_list()[::12]
    good = [at for at in range(len(opens) - 1) if opens[at + 1] > opens[at]]
    first = int(START.timestamp()) // 3600
    return strategy(f"wanted = int(timestamp.timestamp()) // 3600 - {first} in {good!r}", interval=60)


def test_a_table_of_good_dates_is_caught_on_prices_it_was_not_made_from(days14: History) -> None:
    what = subject(memorised(days14), days14)
    baseline = run_baseline(what)
    assert baseline.result.metrics.total_return_pct > 0.5
    assert truncation(what, baseline).verdict is CLEAN
    finding = replaced(what, baseline)
    assert finding.verdict is BIASED, finding.sentence
    assert finding.evidence["known_pct"] > 0.5


def seldom(history: History) -> str:
    """The same for the best six hours of nine days, and no others: too few entries for one market to tell."""
    opens = history.m5[BTC]["open"].to_list()[::12]
    best = [max(range(24 * day, 24 * day + 18), key=lambda at: opens[at + 6] / opens[at]) for day in range(9)]
    first = int(START.timestamp()) // 3600
    good = [at + hour for at in best for hour in range(6)]
    return strategy(f"wanted = int(timestamp.timestamp()) // 3600 - {first} in {good!r}", interval=60)


def test_a_few_good_dates_are_caught_on_the_prices_of_several_markets(days14: History) -> None:
    what = subject(seldom(days14), days14)
    finding = replaced(what, run_baseline(what))
    assert finding.evidence["markets"] == 2
    assert finding.verdict is BIASED, finding.sentence


def test_a_slow_strategy_is_shown_more_markets_and_one_that_never_enters_is_unknown(days14: History) -> None:
    window = run_baseline(subject(SILENT, days14))
    # By price alone, some three days in and three days out.
    slow = strategy("wanted = int(data.current_price * 0.15) % 2 == 0", interval=1440)
    finding = replaced(subject(slow, days14), window)
    assert finding.verdict is CLEAN, finding.sentence
    assert finding.evidence["entries"] >= 10 and 1 < finding.evidence["markets"] <= 5
    silent = replaced(subject(SILENT, days14), window)
    assert silent.verdict is UNKNOWN
    assert "on the prices of 5 other markets it entered nothing" in silent.sentence


@pytest.mark.parametrize(
    "code", [HONEST_HOURLY, strategy("wanted = 9 <= timestamp.hour < 15", interval=60), strategy("wanted = True", interval=1440)],
    ids=["follows the trend", "keeps office hours", "always holds"],
)
def test_a_strategy_that_knows_no_dates_passes_on_replaced_prices(code: str, days14: History) -> None:
    # Of the plain run this probe needs the window alone, so that of the quickest strategy will do.
    finding = replaced(subject(code, days14), run_baseline(subject(SILENT, days14)))
    assert finding.verdict is not BIASED, finding.sentence
    assert abs(finding.evidence["known_t"]) < 3


def test_a_gain_that_comes_from_the_bars_shown_is_no_knowledge_of_dates() -> None:
    what = subject(HONEST.replace("scan_interval_minutes = 5", "scan_interval_minutes = 15"), waves(14))
    baseline = run_baseline(what)
    assert baseline.result.metrics.total_return_pct > 0.5
    finding = replaced(what, baseline)
    assert finding.verdict is CLEAN, finding.sentence


# --- the whole report -------------------------------------------------------------------------------------------------


def test_an_honest_strategy_gets_a_whole_report(days2: History) -> None:
    steps: list[tuple[str, int, int]] = []
    what = subject(HONEST, days2)
    report = run_biases(
        what.source, days2, settings=SETTINGS, make_host=what.make_host, progress=lambda *step: steps.append(step)
    )
    assert tuple(finding.check for finding in report.findings) == CHECKS
    assert report.of(BIASED) == (), report.of(BIASED)
    assert {finding.check for finding in report.of(CLEAN)} >= {
        "repeatability", "restart", "truncation", "future_poisoning", "warm_up", "higher_tiers",
    }
    assert [number for _, number, _ in steps] == list(range(len(steps)))
    assert steps[-1][1] == steps[-1][2]
    assert report.as_dict()["verdict"] == report.verdict.value


def test_a_strategy_without_signals_is_unknown_and_never_clean(days2: History) -> None:
    what = subject(SILENT, days2)
    report = run_biases(what.source, days2, settings=SETTINGS, make_host=what.make_host)
    assert report.verdict is UNKNOWN
    assert [finding.check for finding in report.of(CLEAN)] == ["higher_tiers"]
    assert all("no signal" in finding.sentence for finding in report.of(UNKNOWN))


def test_the_worst_finding_is_the_verdict() -> None:
    def report(*verdicts: BiasVerdict) -> BiasReport:
        findings = tuple(Finding(check="any", verdict=verdict, sentence="") for verdict in verdicts)
        return BiasReport(findings=findings, signals=1, trades=1, start=START, end=START + timedelta(milliseconds=DAY_MS))

    assert report(CLEAN, UNKNOWN, BIASED, CLEAN).verdict is BIASED
    assert report(CLEAN, UNKNOWN).verdict is UNKNOWN
    assert report(CLEAN, CLEAN).verdict is CLEAN
    assert report().verdict is UNKNOWN
