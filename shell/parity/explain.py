"""Why main and replay parted: the first known reason that fits, or none, which is an alarm. Pure.

Known reasons are recorded facts: another version, a strategy that failed, a restart, a bar that came late or not at all, an
order the venue refused, an exchange that did not answer or filled far from where a backtest does, a halt a person set or lifted
or that came inside a bar, money put in or out. What comes after a difference follows from it: the books are no longer the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shell.parity.compare import Difference

# A bar or a start just before a scan still belongs to it.
BAR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is on record about a window. `late` maps (symbol, open time of a 5m bar) to a sentence; `gaps` are open times of
    bars that the store does not hold, by symbol; `rejected` maps symbol to the times and reasons of refused orders. `early` are
    halts that arithmetic raised at a price inside a bar: a second run comes to them when the bar has closed. `outages` are the
    first and last moments at which the exchange did not answer; `slips` fills far from the second run's price."""

    version: str
    starts: Sequence[datetime] = ()
    late: Sequence[tuple[str, datetime, str]] = ()
    gaps: Sequence[tuple[str, datetime]] = ()
    rejected: Sequence[tuple[str, datetime, str]] = ()
    halts: Sequence[tuple[datetime, str]] = ()
    early: Sequence[tuple[datetime, str]] = ()
    outages: Sequence[tuple[datetime, datetime, str]] = ()
    slips: Sequence[tuple[datetime, str]] = ()
    capital: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A difference with its reason; `known` is False for one that nothing on record explains."""

    difference: Difference
    reason: str
    known: bool

    def as_dict(self) -> Mapping[str, object]:
        told = self.difference
        return {
            "slot": told.slot.isoformat(), "only_main": list(told.only_main), "only_replay": list(told.only_replay),
            "missing": told.missing, "reason": self.reason, "known": self.known,
        }


def explain(differences: Sequence[Difference], facts: Circumstances) -> list[Explained]:
    """Each difference with its reason, in order."""
    found: list[Explained] = []
    for difference in differences:
        reason = _reason(difference, facts)
        if reason:
            found.append(Explained(difference=difference, reason=reason, known=True))
        elif found:
            first = found[0]
            reason = f"follows from the difference at {first.difference.slot:%Y-%m-%d %H:%M} UTC"
            found.append(Explained(difference=difference, reason=reason, known=first.known))
        else:
            found.append(Explained(difference=difference, reason="nothing on record explains it", known=False))
    return found


def _reason(difference: Difference, facts: Circumstances) -> str:
    """The first reason that fits; empty without one."""
    scan, begins, ends = difference.scan, difference.before, difference.slot
    if scan is not None and scan.version != facts.version:
        return f"the version changed to {scan.version}"
    if scan is not None and scan.fault:
        return f"the strategy failed in this scan: {scan.fault}"
    # After an outage the shell is up again a scan or more later: a start explains what was missed before it.
    starts = [at for at in facts.starts if begins < at + BAR and (at <= ends or difference.missing == "main")]
    if starts:
        return f"the shell was started at {starts[0]:%Y-%m-%d %H:%M} UTC"
    for symbol, opened, sentence in facts.late:
        if _concerns(difference, symbol) and begins <= opened + BAR <= ends:
            return f"late data: {sentence}"
    for symbol, opened in facts.gaps:
        if _concerns(difference, symbol) and begins <= opened + BAR <= ends:
            return f"no bar of {symbol} opened at {opened:%H:%M} UTC is stored"
    for symbol, at, sentence in facts.rejected:
        if _concerns(difference, symbol) and begins <= at <= ends:
            return f"an order was refused by the venue: {sentence}"
    for at, sentence in facts.early:
        if begins < at + BAR and at <= ends:
            return sentence
    for first, last, sentence in facts.outages:
        if begins <= last and first <= ends:
            return sentence
    for at, sentence in (*facts.halts, *facts.slips):
        if at <= ends:
            return sentence
    for at in facts.capital:
        if at <= ends:
            return f"money was put in or taken out at {at:%Y-%m-%d %H:%M} UTC"
    return ""


def _concerns(difference: Difference, symbol: str) -> bool:
    return not difference.symbols or symbol in difference.symbols
