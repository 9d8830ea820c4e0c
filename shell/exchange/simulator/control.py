"""The control endpoint of a simulated exchange: time, states, faults, trades and deposits from outside, and its books.

`POST /control/NAME` with a JSON object, or GET; none of it exists at Kraken. The books are there for an oracle to compare.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from shell.errors import UsageError
from shell.exchange.simulator.accounts import CUSTOMER, FEES, MARKET, WORLD
from shell.exchange.simulator.auth import Tokens
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.faults import read_plan
from shell.exchange.simulator.moments import parse_rfc3339, rfc3339, span_ns
from shell.exchange.simulator.order_view import order_view, trade_view
from shell.exchange.simulator.pace import Pace
from shell.exchange.simulator.precision import encode, number
from shell.exchange.simulator.refusal import Refusal
from shell.exchange.simulator.rest import Rest
from shell.exchange.simulator.rest_orders import cancelled, meant, read_order
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.ws import Session


class Desk(Protocol):
    """What is controlled."""

    exchange: Exchange
    pace: Pace
    rest: Rest
    tokens: Tokens
    sessions: list[Session]


def answer(desk: Desk, name: str, body: bytes) -> tuple[int, str]:
    """HTTP status and JSON of one control request."""
    handler = HANDLERS.get(name)
    if handler is None:
        return 404, encode({"error": f"no control {name!r}: {', '.join(HANDLERS)} are known"})
    try:
        given = json.loads(body, parse_float=Decimal) if body.strip() else {}
    except ValueError:
        return 400, encode({"error": "the body is no JSON"})
    if not isinstance(given, dict):
        return 400, encode({"error": "the body is no JSON object"})
    return 200, encode(handler(desk, given))


def time(desk: Desk, given: Mapping[str, Any]) -> Any:
    due = desk.exchange.next_event_ns()
    return {
        "now": rfc3339(desk.exchange.now_ns), "now_ns": desk.exchange.now_ns, "lockstep": desk.pace.lockstep,
        "next_event_ns": due,
    }


def advance(desk: Desk, given: Mapping[str, Any]) -> Any:
    if "to_ns" in given:
        to_ns: int | None = int(given["to_ns"])
    else:
        to_ns = parse_rfc3339(given.get("to"))
    now_ns = desk.pace.tell(to_ns=to_ns, seconds=_decimal(given, "seconds") if "seconds" in given else None)
    return {"now": rfc3339(now_ns), "now_ns": now_ns}


def status(desk: Desk, given: Mapping[str, Any]) -> Any:
    if "status" in given:
        try:
            state = SystemState(given["status"])
        except ValueError:
            allowed = ", ".join(each.value for each in SystemState)
            raise UsageError(f"{given['status']!r} is no state of an exchange: {allowed} are") from None
        desk.exchange.set_state(state, span_ns(_decimal(given, "seconds")) if "seconds" in given else 0)
    return {"status": desk.exchange.venue.state.value}


def faults(desk: Desk, given: Mapping[str, Any]) -> Any:
    """A new plan if one is given; what struck so far under the one there was."""
    struck = [{"at_ns": at_ns, "kind": kind, "on": place} for at_ns, kind, place in desk.rest.plan.struck]
    if given:
        desk.rest.plan = read_plan(given)
    return {"struck": struck}


def trade(desk: Desk, given: Mapping[str, Any]) -> Any:
    made = desk.exchange.print_trade(
        str(given.get("pair")), _decimal(given, "price"), _decimal(given, "qty") if "qty" in given else Decimal(1),
        str(given.get("side", "s")),
    )
    return {"trade_id": made.trade_id, "price": str(made.price)}


def deposit(desk: Desk, given: Mapping[str, Any]) -> Any:
    row = desk.exchange.deposit(str(given.get("asset")), _decimal(given, "amount"))
    return {"ledger_id": row.ledger_id, "balance": str(row.balance)}


def order(desk: Desk, given: Mapping[str, Any]) -> Any:
    """An order by hand, as from Kraken's own page: fields of AddOrder, or `cancel` with a txid."""
    try:
        if "cancel" in given:
            return {"count": len(cancelled(desk.exchange, meant(desk.exchange, str(given["cancel"]), None)))}
        pair = desk.exchange.venue.directory.pair(given.get("pair"))
        return {"txid": desk.exchange.place(read_order(desk.exchange, given, pair))}
    except Refusal as refusal:
        raise UsageError(", ".join(refusal.errors)) from None


def clock_step(desk: Desk, given: Mapping[str, Any]) -> Any:
    desk.exchange.venue.skew_ns += span_ns(_decimal(given, "seconds"))
    return {"told": rfc3339(desk.exchange.venue.told_ns)}


def expire_tokens(desk: Desk, given: Mapping[str, Any]) -> Any:
    desk.tokens.void()
    return {}


def drop(desk: Desk, given: Mapping[str, Any]) -> Any:
    """Cut every WebSocket connection."""
    sessions = list(desk.sessions)
    for session in sessions:
        session.drop()
    return {"dropped": len(sessions)}


def books(desk: Desk, given: Mapping[str, Any]) -> Any:
    """All orders, all fills, all balances, and what is wrong with the ledger: nothing, if it is right."""
    venue = desk.exchange.venue
    accounts = venue.accounts
    return {
        "now_ns": venue.now_ns,
        "balances": {asset: f"{accounts.balance(asset):f}" for asset in accounts.assets()},
        "held": {asset: f"{accounts.held(asset):f}" for asset in accounts.assets()},
        "counterparties": {
            name: {asset: f"{accounts.balance(asset, name):f}" for asset in accounts.assets()}
            for name in (CUSTOMER, MARKET, FEES, WORLD)
        },
        "orders": {each.txid: order_view(venue, each, trades=True) for each in venue.orders.values()},
        "trades": {each.trade_id: trade_view(each) for each in venue.trades.values()},
        "wrong": accounts.check(),
    }


HANDLERS: Mapping[str, Callable[[Desk, Mapping[str, Any]], Any]] = {
    "time": time,
    "advance": advance,
    "status": status,
    "faults": faults,
    "trade": trade,
    "deposit": deposit,
    "order": order,
    "clock_step": clock_step,
    "expire_tokens": expire_tokens,
    "drop": drop,
    "books": books,
}


def _decimal(given: Mapping[str, Any], name: str) -> Decimal:
    """A number, negative ones too. Raises UsageError."""
    value = number(given.get(name))
    if value is None:
        raise UsageError(f"{name} {given.get(name)!r} is no plain number")
    return value
