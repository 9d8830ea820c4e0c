"""What the probes are made of: comparing decisions, other histories, files of deeper tiers, the rules on numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from shell.backtest.biases.cuts import cuts_of
from shell.backtest.biases.decisions import Comparison, compare
from shell.backtest.biases.finding import BiasVerdict
from shell.backtest.biases.histories import begins_at, ends_at, poisoned_from, stranger_from
from shell.backtest.biases.hosts import RepeatingHost
from shell.backtest.biases.lag import judge_lag, lag_figures
from shell.backtest.biases.replaced import known_returns
from shell.backtest.biases.subject import run_baseline, run_on
from shell.backtest.biases.tier_files import check_files
from shell.backtest.biases.tiers import judge_tiers
from shell.backtest.biases.warm_up import WarmUp, judge_warm_up, lengths_of
from shell.backtest.biases.witness import SOURCE, Sighting
from shell.clock import to_ms
from shell.contract import Action
from shell.host.policy import check_policy
from shell.market.aggregate import aggregate
from shell.market.bars import TIERS, Tier
from shell.market.frames import rows_of, to_frame
from shell.market.history import History
from tests.shell.backtest.biases_stage import BTC, HONEST, START, market, subject

BIASED, CLEAN, UNKNOWN = BiasVerdict.BIASED, BiasVerdict.CLEAN, BiasVerdict.UNKNOWN
CUT = START + timedelta(days=1, hours=7, minutes=35)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def deep() -> History:
    """Three days of 5m bars, and the hours and days that they make."""
    plain = market(3)
    frame = plain.m5[BTC]
    return replace(plain, h1={BTC: aggregate(frame, Tier.H1)}, d1={BTC: aggregate(frame, Tier.D1)})


# --- decisions --------------------------------------------------------------------------------------------------------


def test_decisions_differ_by_what_was_decided_not_by_how_it_was_worded() -> None:
    answers = run_baseline(subject(HONEST, market(1))).answers
    first = answers[0]
    assert compare(answers, answers) == Comparison(compared=len(answers), differing=0)
    assert compare(answers, [replace(first, reasoning="other words"), *answers[1:]]).agree
    assert compare(answers, [replace(first, size_pct=first.size_pct * (1 + 1e-12)), *answers[1:]]).agree
    for changed, words in (
        ([*answers[1:]], "is missing"),
        ([replace(first, size_pct=first.size_pct * 1.01), *answers[1:]], "other numbers"),
        ([*answers, replace(first, symbol="ETH/USD")], "is new"),
    ):
        found = compare(answers, changed)
        assert found.differing == 1
        assert words in found.first
    other = [replace(first, stop_loss=1.0), *answers[1:]]
    assert not compare(answers, other).agree
    refused = [replace(first, approved=not first.approved), *answers[1:]]
    assert not compare(answers, refused).agree
    assert compare(answers, refused, answers=False).agree


def test_signals_repeated_without_delay_give_the_same_books_to_the_last_cent() -> None:
    what = subject(HONEST, market(2))
    baseline = run_baseline(what)
    again = run_on(
        what, what.history, baseline.result.start, baseline.result.end, host=RepeatingHost(baseline.answers, timedelta(0))
    )
    assert again.result is not None
    assert again.result.equity_hash == baseline.result.equity_hash
    assert len(again.kept.fills) > 10


def test_cuts_lie_at_entries_at_exits_and_where_nothing_was_decided() -> None:
    baseline = run_baseline(subject(HONEST, market(2)))
    cuts = cuts_of(baseline)
    entries, exits = set(baseline.decided(Action.BUY)), set(baseline.decided(Action.CLOSE))
    assert len(cuts.truncation) >= 3
    assert entries & set(cuts.truncation) and exits & set(cuts.truncation)
    assert set(cuts.truncation) - entries - exits
    assert entries & set(cuts.poisoning) and exits & set(cuts.poisoning)


# --- histories --------------------------------------------------------------------------------------------------------


def test_a_history_cut_short_holds_what_had_closed_and_one_bar_without_news(deep: History) -> None:
    cut = ends_at(deep, to_ms(CUT))
    before = deep.m5[BTC].filter(pl.col("timestamp") < CUT)
    assert cut.m5[BTC].head(-1).equals(before)
    *_, last = cut.m5[BTC].iter_rows()
    close = before["close"][-1]
    assert last == (CUT, close, close, close, close, 0.0)
    assert cut.h1[BTC]["timestamp"][-1] == START + timedelta(days=1, hours=6)
    assert cut.d1[BTC]["timestamp"].to_list() == [START]


@pytest.mark.parametrize("rising", [True, False])
def test_poison_changes_nothing_before_and_everything_after(deep: History, rising: bool) -> None:
    poisoned = poisoned_from(deep, to_ms(CUT), rising=rising)
    for tier in TIERS:
        frames = {Tier.M5: (deep.m5, poisoned.m5), Tier.H1: (deep.h1, poisoned.h1), Tier.D1: (deep.d1, poisoned.d1)}
        plain, changed = (rows_of(frames[tier][side][BTC]) for side in (0, 1))
        closed = plain[:, 0] + (0 if tier is Tier.M5 else tier.ms) <= to_ms(CUT) - (tier is Tier.M5)
        assert np.array_equal(plain[:, 0], changed[:, 0])
        assert np.array_equal(plain[closed], changed[closed])
        assert not np.isclose(plain[~closed, 4], changed[~closed, 4], rtol=0.1).any()
    m5 = rows_of(poisoned.m5[BTC])
    assert (m5[:, 3] <= np.minimum(m5[:, 1], m5[:, 4])).all() and (m5[:, 2] >= np.maximum(m5[:, 1], m5[:, 4])).all()
    assert (m5[-1, 4] > 50 * m5[0, 4]) if rising else (m5[-1, 4] < m5[0, 4] / 50)


def test_a_stranger_looks_like_the_market_and_is_another(deep: History) -> None:
    plain, other = rows_of(deep.m5[BTC]), rows_of(stranger_from(deep, to_ms(CUT), 1).m5[BTC])
    at = int(np.searchsorted(plain[:, 0], to_ms(CUT)))
    assert np.array_equal(plain[:at], other[:at]) and np.array_equal(plain[:, 0], other[:, 0])
    moves, strange = (np.diff(np.log(rows[at - 1 :, 4])) for rows in (plain, other))
    assert 0.5 < strange.std() / moves.std() < 2
    assert abs(np.corrcoef(moves, strange)[0, 1]) < 0.2
    assert np.allclose(other[at:, 1], other[at - 1 : -1, 4], rtol=1e-3)
    assert (other[:, 3] <= np.minimum(other[:, 1], other[:, 4])).all()
    assert np.array_equal(other, rows_of(stranger_from(deep, to_ms(CUT), 1).m5[BTC]))
    assert not np.array_equal(other, rows_of(stranger_from(deep, to_ms(CUT), 2).m5[BTC]))


def test_a_history_that_begins_later_has_less_of_every_tier(deep: History) -> None:
    later = begins_at(deep, to_ms(START + DAY))
    assert [frame[BTC]["timestamp"][0] for frame in (later.m5, later.h1, later.d1)] == [START + DAY] * 3


# --- files of deeper tiers --------------------------------------------------------------------------------------------


def moved(frame: pl.DataFrame, by: timedelta) -> pl.DataFrame:
    return frame.with_columns(pl.col("timestamp") + by)


def test_deeper_files_that_say_the_same_pass(deep: History) -> None:
    files = check_files(deep)
    assert [(each.tier, each.overlap, each.equal, each.fault) for each in files] == [
        (Tier.H1, 72, 72, ""), (Tier.D1, 3, 3, ""),
    ]
    assert [bool(each.doubt) for each in files] == [False, True]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda history: replace(history, h1={BTC: moved(history.h1[BTC], timedelta(hours=1))}), "of the closes"),
        (lambda history: replace(history, h1={BTC: moved(history.h1[BTC], -timedelta(hours=1))}), "which is the future"),
        (lambda history: replace(history, m5={BTC: moved(history.m5[BTC], timedelta(minutes=5))}), "5m bars are those of the closes"),
    ],
    ids=["hours named by their close", "hours one hour early", "5m bars named by their close"],
)
def test_files_whose_clocks_differ_are_caught(change: object, words: str, deep: History) -> None:
    changed = change(deep)  # type: ignore[operator]
    hours = next(each for each in check_files(changed) if each.tier is Tier.H1)
    assert words in hours.fault
    verdict, sentence = judge_tiers(Sighting(scans=10, candles=50, matching=50), check_files(changed), "")
    assert verdict is BIASED
    assert words in sentence


def test_a_file_with_unfinished_hours_is_caught(deep: History) -> None:
    rows = rows_of(deep.h1[BTC]).copy()
    m5 = rows_of(deep.m5[BTC])
    for hour in (20, 40):
        part = m5[12 * hour : 12 * hour + 5]
        rows[hour, 1:] = part[0, 1], part[:, 2].max(), part[:, 3].min(), part[-1, 4], part[:, 5].sum()
    hours = check_files(replace(deep, h1={BTC: to_frame(rows)}))[0]
    assert (hours.overlap, hours.equal, hours.unfinished) == (72, 70, 2)
    assert "unfinished" in hours.fault


def test_a_file_of_another_source_is_doubted_not_accused(deep: History) -> None:
    other = deep.h1[BTC].with_columns(pl.col("close") * 1.0005, pl.col("high") * 1.001)
    hours = check_files(replace(deep, h1={BTC: other}))[0]
    assert hours.fault == ""
    assert "another source?" in hours.doubt
    assert judge_tiers(Sighting(scans=10, candles=50, matching=50), [hours], "")[0] is UNKNOWN


def test_what_was_shown_is_judged() -> None:
    good = Sighting(scans=100, candles=500, matching=50)
    assert judge_tiers(good, [], "")[0] is CLEAN
    assert judge_tiers(good, [], "it broke")[0] is UNKNOWN
    assert judge_tiers(replace(good, matching=9), [], "")[0] is UNKNOWN
    for fault in ({"unfinished": 1}, {"differing": 1}, {"late": 1}):
        assert judge_tiers(replace(good, **fault), [], "it broke")[0] is BIASED


def test_the_witness_obeys_the_policy_like_any_strategy() -> None:
    assert check_policy(SOURCE) == []


# --- rules on numbers -------------------------------------------------------------------------------------------------


def gained(mean: float, count: int, spread: float = 0.01) -> list[float]:
    """`count` gains of this mean that alternate around it."""
    return [mean + (spread if number % 2 else -spread) for number in range(count)]


@pytest.mark.parametrize(
    ("plain", "later", "verdict"),
    [
        (gained(0.02, 19), gained(0.0, 19), UNKNOWN),
        (gained(0.02, 40), gained(0.0, 40), BIASED),
        (gained(0.02, 40), gained(-0.01, 40), BIASED),
        (gained(0.02, 40), [], BIASED),
        (gained(0.02, 40), gained(0.004, 40), BIASED),
        (gained(0.02, 40), gained(0.006, 40), CLEAN),
        (gained(0.02, 40), gained(0.03, 40), CLEAN),
        (gained(0.004, 40), gained(0.0, 40), CLEAN),
        (gained(-0.02, 40), gained(-0.03, 40), CLEAN),
        # A gain that is there and a loss of it that may be chance.
        (gained(0.01, 20), gained(0.0, 20, spread=0.1), CLEAN),
    ],
    ids=["too few", "gone", "turned", "not to be had", "a fifth left", "a third left", "better", "no edge", "a loss", "chance"],
)
def test_the_lag_rule(plain: list[float], later: list[float], verdict: BiasVerdict) -> None:
    figures = lag_figures(plain, later)
    assert judge_lag(figures, 5)[0] is verdict, figures


@pytest.mark.parametrize(
    ("longest", "days"),
    [(1, [0.5, 1]), (4, [1, 2, 4]), (15, [1, 7.5, 15]), (60, [1, 7, 30, 60]), (400, [1, 7, 30, 200, 400])],
)
def test_warm_ups_are_tried_up_to_half_of_the_longest(longest: float, days: list[float]) -> None:
    assert [length / DAY for length in lengths_of(longest * DAY)] == days


def tried(*disagreements: int, longest: timedelta) -> list[WarmUp]:
    """Half of the longest warm-up last, with so many of ten decisions that differ; 10: none was made."""
    lengths = [longest / 2 ** (len(disagreements) - place) for place in range(len(disagreements))]
    return [
        WarmUp(length=length, decisions=10 if odd < 10 else 0, found=Comparison(compared=10 - odd, differing=odd, first="BUY" if odd else ""))
        for length, odd in zip(lengths, disagreements, strict=True)
    ]


@pytest.mark.parametrize(
    ("disagreements", "days", "decisions", "verdict", "enough"),
    [
        ((0, 0, 0), 8, 10, CLEAN, 1.0),
        ((9, 4, 0), 8, 10, CLEAN, 4.0),
        ((9, 0, 4), 8, 10, UNKNOWN, None),
        ((8, 4, 2), 8, 10, UNKNOWN, None),
        ((8, 8, 8), 8, 10, BIASED, None),
        ((8, 4, 2), 60, 10, UNKNOWN, None),
        ((8, 4, 2), 800, 10, BIASED, None),
        ((10, 10, 10), 60, 10, UNKNOWN, None),
        ((10, 10, 4), 60, 10, UNKNOWN, None),
        ((10, 4, 4), 60, 10, BIASED, None),
        ((0, 0, 0), 8, 4, UNKNOWN, 1.0),
        ((8, 8, 8), 8, 4, UNKNOWN, None),
        ((8,), 8, 10, UNKNOWN, None),
    ],
    ids=["any is enough", "half is enough", "settled by chance", "settling", "never", "settling late", "not even a full window", "waiting",
        "just begun", "begun and not settling", "few", "few differ", "one other only"],
)
def test_the_warm_up_rule(
    disagreements: tuple[int, ...], days: int, decisions: int, verdict: BiasVerdict, enough: float | None
) -> None:
    longest = timedelta(days=days)
    finding = judge_warm_up(tried(*disagreements, longest=longest), longest=longest, decisions=decisions)
    assert finding.verdict is verdict, finding.sentence
    assert finding.evidence["enough_days"] == enough


def test_holding_always_or_at_set_hours_is_no_knowledge_of_dates() -> None:
    history = market(4)
    what = subject(HONEST, history)
    fills = run_baseline(what).run.kept.fills
    buy = next(fill for fill in fills if fill.side.value == "buy")
    sell = next(fill for fill in fills if fill.side.value == "sell")
    always = [replace(buy, filled_at=START)]
    assert known_returns(history, always, to_ms(START), 4).tolist() == [0.0] * 4
    hours = [
        replace(fill, qty=buy.qty, filled_at=START + day * DAY + timedelta(hours=at))
        for day in range(4) for fill, at in ((buy, 9), (sell, 15))
    ]
    assert np.abs(known_returns(history, hours, to_ms(START), 4)).max() < 1e-12
    # One day only: what is held more than usual earns that day's return.
    once = hours[:2]
    opens = history.m5[BTC]["open"]
    bars = [opens[at + 1] / opens[at] - 1 for at in range(9 * 12, 15 * 12)]
    assert known_returns(history, once, to_ms(START), 4)[0] == pytest.approx(0.75 * sum(bars))
