"""Orders, fills and ledger rows as REST tells them: strings with the pair's decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shell.exchange.simulator.accounts import LedgerRow
from shell.exchange.simulator.moments import seconds
from shell.exchange.simulator.names import Listing
from shell.exchange.simulator.orders import MARKET, Order, OrderRequest, PriceTerm, Relative, Trade
from shell.exchange.simulator.precision import ZERO, fixed
from shell.exchange.simulator.venue import Venue


def order_view(venue: Venue, order: Order, *, trades: bool = False, closed: bool = False) -> dict[str, Any]:
    """One order of OpenOrders, ClosedOrders or QueryOrders."""
    request, pair = order.request, order.pair
    price, lot = pair.price_decimals, pair.lot_decimals
    shown: dict[str, Any] = {"refid": order.refid, "userref": request.userref}
    if request.cl_ord_id is not None:
        shown["cl_ord_id"] = request.cl_ord_id
    shown |= {
        "status": order.status.value, "opentm": seconds(order.opened_ns, 6),
        "starttm": seconds(request.start_ns, 0), "expiretm": seconds(request.expire_ns, 0),
        "descr": description(order), "vol": fixed(_asked(order), lot), "vol_exec": fixed(order.filled, lot),
        "cost": fixed(order.cost, pair.cost_decimals), "fee": fixed(order.fee, pair.cost_decimals),
        "price": fixed(order.average, price), "stopprice": fixed(_stop_price(order), pair.cost_decimals),
        "limitprice": fixed(_triggered_limit(order), pair.cost_decimals), "misc": _misc(order),
        "oflags": ",".join(flags(request)),
    }
    if order.kind not in (MARKET, "limit"):
        shown["trigger"] = request.trigger_by
    if trades:
        shown["trades"] = list(order.trades)
    if closed or not order.alive:
        shown["reason"] = order.reason
        shown["closetm"] = seconds(order.closed_ns, 6)
    return shown


def description(order: Order) -> dict[str, Any]:
    """`descr` of an order: what it is, in fields and in Kraken's sentence."""
    request, pair = order.request, order.pair
    first, second = prices(request)
    if order.limit is not None and order.kind == "limit":
        first = fixed(order.limit, pair.price_decimals)
    elif order.trigger is not None and not isinstance(request.price, Relative):
        first = fixed(order.trigger, pair.price_decimals)
        if order.limit is not None:
            second = fixed(order.limit, pair.price_decimals)
    return {
        "pair": pair.altname, "type": order.side, "ordertype": order.kind, "price": first, "price2": second,
        "leverage": "none", "order": sentence(order.side, _asked(order), pair, order.kind, first, second),
        "close": close_sentence(request),
    }


def request_view(request: OrderRequest) -> dict[str, Any]:
    """`descr` of AddOrder's answer."""
    first, second = prices(request)
    volume = request.volume if request.cash is None else request.cash
    shown = {"order": sentence(request.side, volume, request.pair, request.kind, first, second)}
    close = close_sentence(request)
    return shown | ({"close": close} if close else {})


def prices(request: OrderRequest) -> tuple[str, str]:
    """Both prices as asked for; "0" for none."""
    return _term(request.price, request.pair), _term(request.price2, request.pair)


def sentence(side: str, volume: Decimal, pair: Listing, kind: str, first: str, second: str) -> str:
    """`buy 1.25000000 XBTUSD @ limit 37500.0`."""
    return f"{side} {fixed(volume, pair.lot_decimals)} {pair.altname} @ {_terms(kind, first, second)}"


def close_sentence(request: OrderRequest) -> str:
    """`close position @ stop loss 30000.0`; empty without a conditional close."""
    close = request.close
    if close is None:
        return ""
    return f"close position @ {_terms(close.kind, _term(close.price, request.pair), _term(close.price2, request.pair))}"


def flags(request: OrderRequest) -> list[str]:
    """The flags of an order as Kraken shows them: where the fee is taken always among them."""
    shown = [*(["post"] if request.post_only else []), "fcib" if request.fee_in_base else "fciq"]
    return shown + [flag for flag in request.flags if flag not in {"post", "fcib", "fciq"}]


def trade_view(trade: Trade) -> dict[str, Any]:
    """One fill of TradesHistory."""
    order, pair = trade.order, trade.order.pair
    return {
        "ordertxid": order.txid, "postxid": "TKH2SE-M7IF5-CFI7LT", "pair": pair.key, "aclass": "forex",
        "time": seconds(trade.at_ns, 7), "type": order.side, "ordertype": order.kind,
        "price": fixed(trade.price, pair.price_decimals + 4), "cost": fixed(trade.cost, pair.cost_decimals),
        "fee": fixed(trade.fee_quote, pair.cost_decimals), "vol": fixed(trade.qty, pair.lot_decimals),
        "margin": fixed(ZERO, pair.cost_decimals), "leverage": "0", "misc": "", "trade_id": trade.number,
        "maker": trade.maker, "ledgers": list(trade.ledger_ids),
    }


def ledger_view(venue: Venue, row: LedgerRow) -> dict[str, Any]:
    """One row of Ledgers."""
    decimals = venue.directory.split(row.asset)[0].decimals
    return {
        "refid": row.ref_id, "time": seconds(row.at_ns, 7), "type": row.kind, "subtype": "", "aclass": "currency",
        "asset": row.asset, "amount": fixed(row.amount, decimals), "fee": fixed(row.fee, decimals),
        "balance": fixed(row.balance, decimals), "wallet": "spot / main",
    }


def _asked(order: Order) -> Decimal:
    return order.volume if order.request.cash is None else order.request.cash


def _stop_price(order: Order) -> Decimal:
    return order.trigger if order.trigger is not None else ZERO


def _triggered_limit(order: Order) -> Decimal:
    """The limit that a trigger brought about."""
    return order.limit if order.triggered and order.limit is not None else ZERO


def _misc(order: Order) -> str:
    if not order.triggered:
        return ""
    return "touched" if order.kind.startswith("take-profit") else "stopped"


def _term(term: PriceTerm | None, pair: Listing) -> str:
    if term is None:
        return "0"
    if isinstance(term, Relative):
        return f"{term.sign}{fixed(term.amount, pair.price_decimals)}{'%' if term.percent else ''}"
    return fixed(term, pair.price_decimals)


def _terms(kind: str, first: str, second: str) -> str:
    words = kind.replace("-", " ").removesuffix(" limit") if kind != "limit" else kind
    if kind == MARKET:
        return kind
    return f"{words} {first}" + (f" -> limit {second}" if kind.endswith("-limit") else "")
