"""Books checked against their facts: capital events and fills replayed through the ledger, compared exactly. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shell.errors import Fatal
from shell.money import NO_QTY, BaseQty
from shell.orders import Fill
from shell.portfolio.ledger import CapitalEvent, Ledger, Position, TradeClosed, apply_capital, apply_fill
from shell.store.order_rows import StoredOrder

_AMOUNTS = ("cash", "capital", "fees_paid", "realised_pnl", "trades_closed", "consecutive_losses")
# Stops and targets are left out: a strategy moves them without a fill, so fills do not determine them.
_HOLDING = ("qty", "entered_qty", "cost", "proceeds", "fees", "horizon", "opened_at", "version", "tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFacts:
    """What determines a ledger, each with its event's number; `loss_counts_reset` are lifted halts of a loss streak."""

    capital: Sequence[tuple[int, CapitalEvent]]
    fills: Sequence[tuple[int, Fill]]
    loss_counts_reset: Sequence[int] = ()


def replayed(facts: BookFacts) -> tuple[Ledger, list[TradeClosed]]:
    """The ledger and completed trades that the facts give, in their order. Raises Fatal where one is impossible."""
    ordered: list[tuple[int, CapitalEvent | Fill | None]] = [*facts.capital, *facts.fills]
    ordered.extend((seq, None) for seq in facts.loss_counts_reset)
    ledger, trades = Ledger(), []
    for _, fact in sorted(ordered, key=lambda numbered: numbered[0]):
        match fact:
            case CapitalEvent():
                ledger = apply_capital(ledger, fact)
            case Fill():
                ledger, trade = apply_fill(ledger, fact)
                if trade is not None:
                    trades.append(trade)
            case None:
                ledger = replace(ledger, consecutive_losses=0)
    return ledger, trades


def differences(
    book: str,
    *,
    stored: Ledger | None,
    trades: Sequence[TradeClosed],
    orders: Sequence[StoredOrder],
    facts: BookFacts,
) -> list[str]:
    """One sentence for each way in which what is stored differs from what the facts give."""
    try:
        ledger, closed = replayed(facts)
    except Fatal as error:
        return [f"{book}: its capital events and fills cannot be replayed: {error}"]
    if stored is None:
        return [f"{book}: there are facts but no balances"] if facts.capital or facts.fills else []
    return [
        *_amounts_differ(book, stored, ledger),
        *_positions_differ(book, stored.positions, ledger.positions),
        *_trades_differ(book, trades, closed),
        *_fills_differ(book, orders, facts.fills),
    ]


def _amounts_differ(book: str, stored: Ledger, ledger: Ledger) -> list[str]:
    return [
        f"{book}: {name} is stored as {getattr(stored, name)}, its facts give {getattr(ledger, name)}"
        for name in _AMOUNTS
        if getattr(stored, name) != getattr(ledger, name)
    ]


def _positions_differ(book: str, stored: Mapping[str, Position], given: Mapping[str, Position]) -> list[str]:
    sentences = []
    for symbol in sorted({*stored, *given}):
        if symbol not in stored or symbol not in given:
            where = "its fills give none" if symbol in stored else "none is stored although its fills give one"
            sentences.append(f"{book}: a position in {symbol}: {where}")
            continue
        sentences.extend(
            f"{book}: {name} of {symbol} is stored as {getattr(stored[symbol], name)}, "
            f"its fills give {getattr(given[symbol], name)}"
            for name in _HOLDING
            if getattr(stored[symbol], name) != getattr(given[symbol], name)
        )
    return sentences


def _trades_differ(book: str, stored: Sequence[TradeClosed], given: Sequence[TradeClosed]) -> list[str]:
    if list(stored) == list(given):
        return []
    return [f"{book}: {len(stored)} trades are stored, its fills give {len(given)}, and they are not the same"]


def _fills_differ(book: str, orders: Sequence[StoredOrder], fills: Sequence[tuple[int, Fill]]) -> list[str]:
    filled: dict[str, BaseQty] = {}
    for _, fill in fills:
        filled[fill.intent.intent_id] = filled.get(fill.intent.intent_id, NO_QTY) + fill.qty
    return [
        f"{book}: order {order.intent.intent_id} says {order.filled_qty} filled, its fills add up to "
        f"{filled.get(order.intent.intent_id, NO_QTY)}"
        for order in orders
        if order.filled_qty != filled.get(order.intent.intent_id, NO_QTY)
    ]
