"""Window-length invariance: how much history before the start do the decisions after it depend on?

An average over the last 34 hours is settled once it has 34 hours; a recursive one comes arbitrarily close; a strategy that
counts the bars it was given, or measures from the first of them, never settles, and means something else in every
backtest and again live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shell.backtest.biases.decisions import Comparison, compare
from shell.backtest.biases.finding import BiasVerdict, Finding, Numbers
from shell.backtest.biases.histories import begins_at
from shell.backtest.biases.subject import SIGNALS_MIN, Baseline, Run, Subject, run_on
from shell.backtest.run import STEP
from shell.clock import to_ms
from shell.errors import DataError
from shell.market.bars import Tier
from shell.market.book import period_of
from shell.orders import SignalAnswer

CHECK = "warm_up"
# Tried as far as they are well below half of what there is, then half of it, then all of it.
LADDER = (timedelta(days=1), timedelta(days=7), timedelta(days=30), timedelta(days=182))
HORIZON = timedelta(days=4)
# In a quiet strategy the comparison reaches as far as this many decisions.
HORIZON_SIGNALS = 10
WARM_UP_MIN = timedelta(days=1)
# A recursive average forgets its start only gradually; a thousandth of a price or size is no other decision.
NUMBER_TOLERANCE = 1e-3
# A full window of hours: whoever still decides otherwise with twice as much does not settle.
FULL_WINDOW = timedelta(milliseconds=Tier.H1.kept_ms)
# The disagreement must at least halve from the shortest warm-up to half of the longest to be called settling.
SETTLING_MAX = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """One warm-up tried, how many decisions it gave, and how they compare with those of the longest."""

    length: timedelta
    decisions: int
    found: Comparison

    @property
    def days(self) -> float:
        return self.length / timedelta(days=1)


def warm_up(subject: Subject, baseline: Baseline) -> Finding:
    """Start in the middle of the window with more and more of what lies before, and compare with all of it."""
    first, _ = period_of(subject.history.m5.values())
    start = _middle(baseline, first)
    longest = start - first
    if longest < WARM_UP_MIN:
        sentence = f"only {_days(longest)} of history lie before the middle of the window, 1 day is needed"
        return Finding(check=CHECK, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence={"longest_days": 0.0})
    end = _end(baseline, start)
    runs = [(length, _run_with(subject, start, end, length)) for length in lengths_of(longest)]
    whole = runs[-1][1]
    if whole is None or whole.failed:
        sentence = f"the strategy breaks when started in the middle of the window: {whole.failed if whole else 'no bars'}"
        return Finding(check=CHECK, verdict=BiasVerdict.UNKNOWN, sentence=sentence)
    tried = [_tried(length, whole.answers, [] if run is None else run.answers) for length, run in runs[:-1]]
    return judge_warm_up(tried, longest=longest, decisions=len(whole.answers))


def lengths_of(longest: timedelta) -> list[timedelta]:
    """The warm-ups to try, shortest first; the last is `longest`. None but that is above half: what hardly differs from
    all there is would agree with it whatever the strategy does."""
    half = longest / 2
    return [*(length for length in LADDER if length < half / 1.5), half, longest]


def judge_warm_up(tried: Sequence[WarmUp], *, longest: timedelta, decisions: int) -> Finding:
    """The verdict from the warm-ups tried, shortest first, all compared with the longest one's decisions."""
    enough = _enough(tried, longest)
    evidence: Numbers = {
        "compared": decisions, "longest_days": round(longest / timedelta(days=1), 3),
        "enough_days": round(enough / timedelta(days=1), 3) if enough is not None else None,
    }
    for each in tried:
        evidence[f"disagreement_{each.days:.3g}_days"] = round(each.found.disagreement, 4)
    last = tried[-1]
    if enough is not None:
        if decisions < SIGNALS_MIN:
            sentence = f"only {decisions} decisions could be compared, {SIGNALS_MIN} are needed: use a longer window"
            return Finding(check=CHECK, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence=evidence)
        sentence = (
            f"{_days(enough)} of history before the start is enough: longer warm-ups, up to {_days(longest)}, gave the "
            f"same {decisions} decisions"
        )
        return Finding(check=CHECK, verdict=BiasVerdict.CLEAN, sentence=sentence, evidence=evidence)
    facts = (
        f"with {_days(last.length)} of history before the start, {last.found.disagreement:.0%} of the decisions differ from "
        f"those with {_days(longest)} ({last.found.first})"
    )
    # With too little history an honest strategy waits; what it does once it has begun shows whether it settles.
    begun = [each for each in tried if each.decisions]
    settling = len(begun) < 2 or last.found.disagreement <= SETTLING_MAX * begun[0].found.disagreement
    if last.length < FULL_WINDOW and (settling or decisions < SIGNALS_MIN):
        sentence = f"{facts}; it may settle with more: give at least {_days(2 * longest)} before the start"
        return Finding(check=CHECK, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence=evidence)
    sentence = f"{facts}, and more of it does not settle them: the decisions depend on how much history was loaded"
    return Finding(check=CHECK, verdict=BiasVerdict.BIASED, sentence=sentence, evidence=evidence)


def _enough(tried: Sequence[WarmUp], longest: timedelta) -> timedelta | None:
    """The shortest warm-up from which on all agree; None when even the second longest does not."""
    enough = None
    for each in reversed(tried):
        if not each.found.agree:
            break
        enough = each.length
    return enough


def _middle(baseline: Baseline, first: datetime) -> datetime:
    """The middle of the window, or its start when at least half a window of history lies before that."""
    start, half = baseline.result.start, (baseline.result.end - baseline.result.start) / 2
    if start - first >= half:
        return start
    # Whole hours, so that no warm-up begins inside the first one.
    return (start + half).replace(minute=0, second=0, microsecond=0)


def _end(baseline: Baseline, start: datetime) -> datetime:
    later = sorted({answer.decided_at for answer in baseline.answers if answer.decided_at >= start})
    reached = later[min(HORIZON_SIGNALS, len(later)) - 1] + 2 * STEP if later else start
    return min(max(reached, start + HORIZON), baseline.result.end)


def _run_with(subject: Subject, start: datetime, end: datetime, length: timedelta) -> Run | None:
    history = begins_at(subject.history, to_ms(start - length))
    try:
        return run_on(subject, history, start, end)
    except DataError:
        return None


def _tried(length: timedelta, whole: Sequence[SignalAnswer], answers: Sequence[SignalAnswer]) -> WarmUp:
    found = compare(whole, answers, tolerance=NUMBER_TOLERANCE, answers=False)
    return WarmUp(length=length, decisions=len(answers), found=found)


def _days(length: timedelta) -> str:
    days = length / timedelta(days=1)
    return f"{days:.3g} day{'' if days == 1 else 's'}"
