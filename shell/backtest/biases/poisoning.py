"""Future poisoning: absurd bars after a moment change nothing that was decided up to it."""

from __future__ import annotations

from shell.backtest.biases.cuts import cuts_of
from shell.backtest.biases.finding import Finding
from shell.backtest.biases.histories import poisoned_from
from shell.backtest.biases.subject import Baseline, Subject
from shell.backtest.biases.truncation import prefix_finding
from shell.clock import to_ms

CHECK = "future_poisoning"


def poisoning(subject: Subject, baseline: Baseline) -> Finding:
    """Let prices soar and, again, collapse after several decisions: whoever looks ahead can like only one of the two."""
    changed = [
        (
            f"prices {'soar' if rising else 'collapse'} after {cut:%Y-%m-%d %H:%M}", cut,
            lambda cut=cut, rising=rising: poisoned_from(subject.history, to_ms(cut), rising=rising),
        )
        for cut in cuts_of(baseline).poisoning for rising in (True, False)
    ]
    return prefix_finding(CHECK, subject, baseline, changed)
