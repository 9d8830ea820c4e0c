"""Staged capital: a new version begins on a part of the account's value and earns the rest by days without a breach. Pure.

The part bounds three things alike (`risk.sizing`): the size of one entry, the room of one coin, and all that is held, being
bought and asked for together. What an earlier version left behind counts, and is never sold for it.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from shell.money import CONTEXT, ZERO, Price, QuoteAmount
from shell.risk.view import RiskView, reserved, working_entries

WHOLE = Decimal(1)
_PLACES = Decimal("0.0001")


def earned_share(first: Decimal, days: int, days_needed: int) -> Decimal:
    """The part of the capital after `days` of `days_needed` without a breach: evenly from `first` to the whole, never rounded
    up. Raises ValueError for numbers that make no such line."""
    if not ZERO < first <= WHOLE or days < 0 or days_needed < 1:
        raise ValueError(f"no share is earned from {first} by {days} of {days_needed} days")
    if days >= days_needed:
        return WHOLE
    step = CONTEXT.divide(CONTEXT.multiply(WHOLE - first, Decimal(days)), Decimal(days_needed))
    return max(first, (first + step).quantize(_PLACES, rounding=ROUND_DOWN))


def in_market(view: RiskView, symbol: str, price: Price) -> QuoteAmount:
    """What is held and being bought of everything; of `symbol`, about to be bought, at `price` where that is dearer."""
    total = reserved(working_entries(view))
    for name, position in view.positions.items():
        known = view.prices.get(name, position.avg_entry)
        total = total + position.qty.times(max(known, price) if name == symbol else known)
    return total
