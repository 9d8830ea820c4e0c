"""Truncation invariance: what was decided up to a moment is the same when the history ends there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from shell.backtest.biases.cuts import cuts_of
from shell.backtest.biases.decisions import Comparison, compare, fills_before, same_fills
from shell.backtest.biases.finding import BiasVerdict, Finding, Numbers
from shell.backtest.biases.histories import ends_at
from shell.backtest.biases.subject import SIGNALS_MIN, Baseline, Run, Subject, run_on
from shell.backtest.run import STEP
from shell.clock import to_ms
from shell.market.history import History

CHECK = "truncation"


def truncation(subject: Subject, baseline: Baseline) -> Finding:
    """Cut the history at several decisions and compare everything decided up to each cut."""
    changed = [
        (f"the history ends at {cut:%Y-%m-%d %H:%M}", cut, lambda cut=cut: ends_at(subject.history, to_ms(cut)))
        for cut in cuts_of(baseline).truncation
    ]
    return prefix_finding(CHECK, subject, baseline, changed)


def prefix_finding(
    check: str, subject: Subject, baseline: Baseline, changed: Iterable[tuple[str, datetime, Callable[[], History]]]
) -> Finding:
    """Run each changed history (what it is like, where it begins to differ, how to make it) up to its cut; decisions up to
    the cut, and fills before it, must be those of the plain run."""
    decisions = runs = 0
    for condition, cut, make in changed:
        # One step further, because the last slot of a window is never asked.
        run = run_on(subject, make(), baseline.result.start, cut + STEP)
        runs += 1
        found = prefix_comparison(baseline, run, cut)
        decisions = max(decisions, found.compared)
        evidence: Numbers = {
            "histories": runs, "compared": found.compared, "differing": found.differing, "cut": cut.isoformat(),
            "first_difference": found.first_at.isoformat() if found.first_at else None,
        }
        if run.complaint and not baseline.run.complaint:
            sentence = f"when {condition}, the strategy breaks although nothing earlier changed: {run.complaint}"
            return Finding(check=check, verdict=BiasVerdict.BIASED, sentence=sentence, evidence=evidence)
        if not found.agree:
            sentence = (
                f"when {condition}, decisions made up to then change ({found.differing} of "
                f"{found.compared + found.differing}): {found.first}; so the strategy, or what feeds it, uses later bars"
            )
            return Finding(check=check, verdict=BiasVerdict.BIASED, sentence=sentence, evidence=evidence)
        if not same_fills(fills_before(baseline.run.kept.fills, cut), fills_before(run.kept.fills, cut)):
            sentence = f"when {condition}, orders fill otherwise before then, so fills use later bars"
            return Finding(check=check, verdict=BiasVerdict.BIASED, sentence=sentence, evidence=evidence)
    numbers: Numbers = {"histories": runs, "compared": decisions, "differing": 0}
    if decisions < SIGNALS_MIN:
        sentence = f"only {decisions} decisions could be compared, {SIGNALS_MIN} are needed: use a longer window"
        return Finding(check=check, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence=numbers)
    sentence = f"{runs} changed futures left every earlier decision (up to {decisions}) and fill as it was"
    return Finding(check=check, verdict=BiasVerdict.CLEAN, sentence=sentence, evidence=numbers)


def prefix_comparison(baseline: Baseline, run: Run, until: datetime) -> Comparison:
    """What the plain run and another decided up to and including `until`."""
    return compare(
        (answer for answer in baseline.answers if answer.decided_at <= until),
        (answer for answer in run.answers if answer.decided_at <= until),
    )
