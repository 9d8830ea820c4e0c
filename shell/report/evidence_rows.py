"""The evidence clock as the report and `brain strategy show` tell it: the incumbent, the nearest refused, the trials made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from shell.backtest.metrics import daily_returns
from shell.backtest.result import EquityCurve
from shell.clock import to_ms
from shell.report.data import EvidenceRow
from shell.store.store import Store
from shell.trials.candidate import Verdict
from shell.trials.count import TrialCount, trial_count
from shell.trials.evidence import Evidence, evidence_of, evidence_of_scores
from shell.trials.segments import SegmentName

REFUSED_SHOWN = 3


def evidence_rows(store: Store, confidence: float, end: datetime, book: str = "main") -> tuple[EvidenceRow, ...]:
    """The active version on its own account, then the refused candidates nearest to a decision."""
    incumbent = account_evidence(store, confidence, end, book)
    refused = [
        each.candidate_id for each in store.candidates.list()
        if each.verdict is Verdict.REFUSED and each.proposed_at <= end
    ]
    nearest = evidence_of_scores(store.candidates.scores(SegmentName.SELECTION), confidence, refused)[:REFUSED_SHOWN]
    return tuple(evidence_row(each) for each in (*([incumbent] if incumbent else []), *nearest))


def account_evidence(store: Store, confidence: float, end: datetime, book: str = "main") -> Evidence | None:
    """The clock of the active version: the account's daily returns since it trades. None before there is any."""
    if not store.strategies.list():
        return None
    active = store.strategies.active()
    marks = [
        mark for mark in store.history.equity(book)
        if mark[0] <= end and (active.promoted_at is None or mark[0] >= active.promoted_at)
    ]
    if not marks:
        return None
    curve = EquityCurve(
        times_ms=np.array([to_ms(at) for at, _ in marks], dtype=np.int64),
        values=np.array([float(value) for _, value in marks], dtype=np.float64),
    )
    return evidence_of(f"{active.version} on the account", daily_returns(curve).tolist(), confidence=confidence)


def evidence_row(found: Evidence) -> EvidenceRow:
    """One clock for a table."""
    return EvidenceRow(
        name=found.name, have_days=found.have_days, daily_sharpe=found.daily_sharpe, bar_sharpe=found.bar_sharpe,
        more_days=found.more_days, paper_power=found.paper_power, sentence=found.sentence,
    )


def count_of(store: Store) -> TrialCount:
    """All trials ever scored on selection, whoever proposed them."""
    return trial_count(store.candidates.scores(SegmentName.SELECTION))


def trials_told(count: TrialCount, providers: Sequence[str] = ()) -> str:
    """The trials in a sentence; "" when none was made."""
    if not count.scored:
        return ""
    by = f" (by {', '.join(sorted(set(providers)))})" if providers else ""
    if count.average_correlation is None:
        return f"1 trial has been scored on the selection segment{by}."
    return (
        f"{count.scored} distinct trials have been scored on the selection segment{by}. Their daily returns correlate by "
        f"{count.average_correlation:.2f} on average, which makes them {count.effective:.1f} independent ones; luck is "
        "measured by the larger number."
    )
