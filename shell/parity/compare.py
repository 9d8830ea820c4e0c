"""Two runs of one book over one window, scan by scan. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from shell.execution.record import ScanDone
from shell.orders import Fill, SignalAnswer
from shell.promotion.conformance import fill_pairs, signal_key

Fact = TypeVar("Fact")
# A fraction of the price: about what sizes may differ by and still be of one order.
SLIP_PCT = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a book did in a window: its scans, the answers to their signals, its fills, its strategy's faults."""

    scans: Sequence[ScanDone]
    answers: Sequence[SignalAnswer]
    fills: Sequence[Fill]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One scan at which the two runs parted: signals and fills that only one of them had, fills counted from the scan before.

    `missing` is set when only one of the runs scanned at all: "main" or "replay" is the one that did not.
    """

    slot: datetime
    before: datetime
    only_main: tuple[str, ...] = ()
    only_replay: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()
    missing: str = ""
    codes: frozenset[str] = frozenset()
    scan: ScanDone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    scans: int
    scans_equal: int
    fills: int
    fills_equal: int
    differences: tuple[Difference, ...] = field(default_factory=tuple)
    # When main's fill had another price than the second run's by SLIP_PCT or more, and a sentence.
    slips: tuple[tuple[datetime, str], ...] = ()


def compare_runs(main: Run, replay: Run, since: datetime, until: datetime) -> Compared:
    """Compare what happened after `since` up to `until`. A scan is equal when both scanned, with the same signals and the same
    fates, and the same fills since the scan before. Fills after the last scan are compared as those of `until`."""
    scans = {scan.slot: scan for scan in main.scans}
    again = {scan.slot: scan for scan in replay.scans}
    slots = sorted({*scans, *again})
    edges = [*slots, until] if slots and slots[-1] < until else slots
    answers = [_by_slot(run.answers, lambda answer: answer.decided_at, edges) for run in (main, replay)]
    fills = [_by_slot(run.fills, lambda fill: fill.filled_at, edges) for run in (main, replay)]
    differences, slips, equal_fills, before = [], [], 0, since
    for slot in edges:
        mine, theirs = fills[0].get(slot, []), fills[1].get(slot, [])
        pairs = fill_pairs(mine, theirs)
        equal_fills += len(pairs)
        slips += [slip for pair in pairs if (slip := _slip(*pair)) is not None]
        found = _difference(
            slot, before, (answers[0].get(slot, []), answers[1].get(slot, [])), (mine, theirs), pairs,
            scans.get(slot), again.get(slot), scanned=slot in scans or slot in again,
        )
        if found is not None:
            differences.append(found)
        before = slot
    parted = {each.slot for each in differences}
    return Compared(
        scans=len(slots), scans_equal=sum(slot not in parted for slot in slots),
        fills=max(len(main.fills), len(replay.fills)), fills_equal=equal_fills, differences=tuple(differences),
        slips=tuple(slips),
    )


def _difference(
    slot: datetime, before: datetime, answers: tuple[list[SignalAnswer], list[SignalAnswer]],
    fills: tuple[list[Fill], list[Fill]], pairs: Sequence[tuple[Fill, Fill]], scan: ScanDone | None,
    again: ScanDone | None, *, scanned: bool,
) -> Difference | None:
    keys = [Counter(map(signal_key, each)) for each in answers]
    only = [_unmatched(each, keys[1 - side]) for side, each in enumerate(answers)]
    filled = [[fill for fill in each if not any(fill is pair[side] for pair in pairs)] for side, each in enumerate(fills)]
    missing = "" if not scanned or (scan and again) else "main" if scan is None else "replay"
    faulty = bool(scan and again and bool(scan.fault) != bool(again.fault))
    if not (only[0] or only[1] or filled[0] or filled[1] or missing or faulty):
        return None
    told = [
        tuple([_signal(answer) for answer in signals] + [_fill(fill) for fill in parts])
        for signals, parts in zip(only, filled, strict=True)
    ]
    symbols = {answer.symbol for each in only for answer in each} | {fill.symbol for each in filled for fill in each}
    return Difference(
        slot=slot, before=before, only_main=told[0], only_replay=told[1], missing=missing,
        symbols=frozenset(symbols), codes=frozenset(answer.code for answer in only[0]), scan=scan,
    )


def _slip(fill: Fill, other: Fill) -> tuple[datetime, str] | None:
    """A price so far from the second run's that the books are no longer the same, as of a stop in a crash."""
    apart = float(fill.price) / float(other.price) - 1
    if abs(apart) < SLIP_PCT:
        return None
    return fill.filled_at, (
        f"the exchange filled the {fill.side.value} of {fill.symbol} at {fill.filled_at:%H:%M} UTC at {fill.price}, "
        f"{apart:+.1%} from the second run's {other.price}"
    )


def _by_slot(
    facts: Sequence[Fact], moment: Callable[[Fact], datetime], edges: Sequence[datetime]
) -> dict[datetime, list[Fact]]:
    """Facts by the first of `edges` at or after them."""
    found: dict[datetime, list[Fact]] = {}
    for fact in facts:
        place = bisect_left(edges, moment(fact))
        if place < len(edges):
            found.setdefault(edges[place], []).append(fact)
    return found


def _unmatched(answers: Sequence[SignalAnswer], others: Counter[tuple[object, ...]]) -> list[SignalAnswer]:
    left = Counter(others)
    found = []
    for answer in answers:
        key = signal_key(answer)
        if left[key]:
            left[key] -= 1
        else:
            found.append(answer)
    return found


def _signal(answer: SignalAnswer) -> str:
    fate = "approved" if answer.approved else f"refused {answer.code}"
    return f"signal {answer.action.value} {answer.symbol} {fate}"


def _fill(fill: Fill) -> str:
    return f"fill {fill.side.value} {fill.qty} {fill.symbol} at {fill.price}"
