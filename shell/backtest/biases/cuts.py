"""Where histories are cut: at decisions, because that is where a strategy that knew more would have shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shell.backtest.biases.subject import SIGNALS_MIN, Baseline
from shell.contract import Action

# Places in the list of decisions, early ones: what decides is whether a cut lies at a decision, and early cuts cost less.
ENTRY_CUTS = (0.1, 0.3)
EXIT_CUTS = (0.2,)
QUIET_CUTS = (0.15,)
POISON_ENTRY_CUTS = (0.1,)
POISON_EXIT_CUTS = (0.25,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Moments to cut at, in order; each is a scan of the plain run."""

    truncation: tuple[datetime, ...]
    poisoning: tuple[datetime, ...]


def cuts_of(baseline: Baseline) -> Cuts:
    """Cuts at entries, at exits, and one a bar before an entry, where nothing was decided. Empty without decisions."""
    entries = baseline.decided(Action.BUY) or baseline.decided()
    exits = baseline.decided(Action.SELL, Action.CLOSE, Action.MODIFY) or entries
    busy = set(baseline.decided())
    quiet = [
        moment - baseline.rhythm for moment in entries
        if moment - baseline.rhythm not in busy and moment - baseline.rhythm > baseline.result.start
    ]
    return Cuts(
        truncation=_picked((entries, ENTRY_CUTS), (exits, EXIT_CUTS), (quiet, QUIET_CUTS)),
        poisoning=_picked((entries, POISON_ENTRY_CUTS), (exits, POISON_EXIT_CUTS)),
    )


def _picked(*choices: tuple[Sequence[datetime], Sequence[float]]) -> tuple[datetime, ...]:
    """Each moment once. Where there are few, no earlier than that enough decisions lie before the cut to be compared."""
    picked = set()
    for moments, places in choices:
        for place in places if moments else ():
            last = len(moments) - 1
            picked.add(moments[min(max(int(place * last), SIGNALS_MIN), last)])
    return tuple(sorted(picked))
