"""Comparing what two runs decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shell.orders import Fill, SignalAnswer

# Two processes may sum the same numbers in another order; a real difference is never this small.
NUMBER_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two lists of decisions compare. `first` describes the earliest difference, empty when there is none."""

    compared: int
    differing: int
    first: str = ""
    first_at: datetime | None = None

    @property
    def agree(self) -> bool:
        return not self.differing

    @property
    def disagreement(self) -> float:
        """Share of all decisions of both runs that the other did not make."""
        both = self.compared + self.differing
        return self.differing / both if both else 0.0


def compare(
    expected: Iterable[SignalAnswer], found: Iterable[SignalAnswer], *, tolerance: float = NUMBER_TOLERANCE,
    answers: bool = True,
) -> Comparison:
    """Every field of a decision but its wording, and what risk answered unless `answers` is False.

    Sizes, prices and confidence may differ by the fraction `tolerance`. `compared` counts decisions that both made,
    `differing` those that one made and the other did not.
    """
    left, right = _by_key(expected, answers), _by_key(found, answers)
    common = 0
    odd: list[tuple[SignalAnswer, str]] = []
    for key in left.keys() | right.keys():
        mine, theirs = left.get(key, []), right.get(key, [])
        pairs = list(zip(mine, theirs, strict=False))
        near = sum(_near(one, other, tolerance) for one, other in pairs)
        common += near
        odd += [(one, "comes with other numbers") for one, other in pairs if not _near(one, other, tolerance)]
        odd += [(one, "is missing") for one in mine[len(theirs) :]] + [(one, "is new") for one in theirs[len(mine) :]]
    if not odd:
        return Comparison(compared=common, differing=0)
    answer, how = min(odd, key=lambda each: (each[0].decided_at, each[0].symbol, each[0].action.value, each[1]))
    return Comparison(
        compared=common, differing=len(odd), first_at=answer.decided_at,
        first=f"{answer.action.value} {answer.symbol} of {answer.decided_at:%Y-%m-%d %H:%M} {how}",
    )


def same_fills(expected: Iterable[Fill], found: Iterable[Fill]) -> bool:
    """True when both runs had the same executions."""
    return Counter(map(_execution, expected)) == Counter(map(_execution, found))


def fills_before(fills: Iterable[Fill], moment: datetime) -> list[Fill]:
    """The fills before a moment."""
    return [fill for fill in fills if fill.filled_at < moment]


def _execution(fill: Fill) -> tuple[object, ...]:
    return fill.filled_at, fill.symbol, fill.side, fill.qty, fill.price


def _by_key(decisions: Iterable[SignalAnswer], answers: bool) -> dict[tuple[object, ...], list[SignalAnswer]]:
    table: dict[tuple[object, ...], list[SignalAnswer]] = {}
    for each in decisions:
        said = (each.approved, each.code) if answers else ()
        key = (each.decided_at, each.symbol, each.action, each.order_type, each.horizon, each.tag, *said)
        table.setdefault(key, []).append(each)
    return table


def _near(one: SignalAnswer, other: SignalAnswer, tolerance: float) -> bool:
    pairs = (
        (one.size_pct, other.size_pct), (one.limit_price, other.limit_price), (one.stop_loss, other.stop_loss),
        (one.take_profit, other.take_profit), (one.confidence, other.confidence),
    )
    return all(_close(left, right, tolerance) for left, right in pairs)


def _close(left: float | None, right: float | None, tolerance: float) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) <= tolerance * max(abs(left), abs(right))
