"""The truth about a book over a period: the account's figures, and those of its trades by symbol, intent and version. Pure.

The report, the chat and a model's prompt are written from this alone, so that no two of them can disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from shell.money import NO_MONEY, QuoteAmount
from shell.orders import Fill
from shell.portfolio.ledger import CapitalEvent, TradeClosed
from shell.truth.account import account_figures, later_flows
from shell.truth.definitions import DEFINITIONS
from shell.truth.figure import Figure, reasons_of, values_of
from shell.truth.trades import trade_figures


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFacts:
    """What is counted. `marks` are in time order; `starting` is the money before the first of them; `capital` may hold every
    event there is, those up to the first mark are left out."""

    marks: Sequence[tuple[datetime, Decimal]]
    starting: QuoteAmount
    trades: Sequence[TradeClosed]
    fills: Sequence[Fill] = ()
    capital: Sequence[CapitalEvent] = ()
    open_since: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Figures by name, those of the whole book and those of each group's trades."""

    book: Mapping[str, Figure]
    by_symbol: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    by_intent: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    by_version: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The book's figures by name (None without an answer), `unanswered` why, and the groups' figures."""
        return {
            **values_of(self.book), "unanswered": reasons_of(self.book),
            **{
                name: {key: values_of(figures) for key, figures in groups.items()}
                for name, groups in (
                    ("by_symbol", self.by_symbol), ("by_intent", self.by_intent), ("by_version", self.by_version)
                )
            },
        }


def truth_of(facts: BookFacts) -> Truth:
    """Every figure of a book, in the order of its definitions."""
    trades = facts.trades
    found = {
        **account_figures(
            facts.marks, facts.starting, later_flows(facts.marks, facts.capital), trades, facts.open_since
        ),
        **trade_figures(trades),
        "fees": Figure(sum((fill.fee for fill in facts.fills), start=NO_MONEY).value),
    }
    fees = _fees_of(facts.fills)
    return Truth(
        book={name: found[name] for name in DEFINITIONS if name in found},
        by_symbol=_grouped(trades, lambda trade: trade.symbol, fees),
        by_intent=_grouped(trades, lambda trade: trade.horizon.value, {}),
        by_version=_grouped(trades, lambda trade: trade.version, {}),
    )


def _grouped(
    trades: Sequence[TradeClosed], key: Callable[[TradeClosed], str], fees: Mapping[str, QuoteAmount]
) -> dict[str, dict[str, Figure]]:
    """Each group's figures. Fees are those of its closed trades, where those of its fills are not known."""
    groups: dict[str, list[TradeClosed]] = {}
    for trade in trades:
        groups.setdefault(key(trade), []).append(trade)
    found = {}
    for name in sorted({*groups, *fees}):
        members = groups.get(name, [])
        paid = fees.get(name, sum((trade.fees for trade in members), start=NO_MONEY))
        found[name] = {**trade_figures(members), "fees": Figure(paid.value)}
    return found


def _fees_of(fills: Sequence[Fill]) -> dict[str, QuoteAmount]:
    found: dict[str, QuoteAmount] = {}
    for fill in fills:
        found[fill.symbol] = found.get(fill.symbol, NO_MONEY) + fill.fee
    return found
