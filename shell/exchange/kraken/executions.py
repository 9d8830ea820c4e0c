"""What the private socket tells of orders, fills and balances, once each and joined: pure.

Kraken repeats fills in snapshots and after reconnects, and writes canceled rows short. So fills are told by their trade id
once, and short rows are joined, by order id, to what was known of the order.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from shell.exchange.kraken.errors import MalformedAnswer
from shell.exchange.kraken.events import BalanceSeen, ExecKind, FillSeen, OrderSeen
from shell.exchange.kraken.feed_read import read_side
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.wire import Fields
from shell.orders import Liquidity

FILLS_REMEMBERED = 50_000
ORDERS_REMEMBERED = 10_000
FINAL = frozenset({"filled", "canceled", "expired"})
NONE = Decimal(0)
V = TypeVar("V")


class Executions:
    """Everything told so far of one account's orders and fills."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._fills: OrderedDict[str, None] = OrderedDict()
        self._orders: OrderedDict[str, OrderSeen] = OrderedDict()

    def take(self, row: Fields) -> list[FillSeen | OrderSeen]:
        """One row of `executions`. The fill comes before the order's new state."""
        order_id = row.text("order_id")
        kind = ExecKind.of(row.text("exec_type", ""))
        before = self._orders.get(order_id)
        told: list[FillSeen | OrderSeen] = []
        # A row that tells a trade is one, whatever it is called: exec_id is its key.
        if kind is ExecKind.TRADE and (fill := self._fill(row, order_id, before)) is not None:
            told.append(fill)
        order = _joined(row, order_id, kind, before)
        if before is None or order != replace(before, kind=order.kind, at=order.at) or kind.final:
            told.append(order)
        _remember(self._orders, order_id, order, ORDERS_REMEMBERED)
        return told

    def booked(self, trade_id: str) -> bool:
        """Note a fill that another source told. True when it was known already."""
        known = trade_id in self._fills
        _remember(self._fills, trade_id, None, FILLS_REMEMBERED)
        return known

    def order(self, order_id: str) -> OrderSeen | None:
        """The last known state of an order."""
        return self._orders.get(order_id)

    def balances(self, message: Fields) -> list[BalanceSeen]:
        """The rows of `balances`: totals of a snapshot, or one change each."""
        snapshot = message.text("type") == "snapshot"
        return [self._balance(row, snapshot) for row in message.objects("data")]

    def _fill(self, row: Fields, order_id: str, before: OrderSeen | None) -> FillSeen | None:
        trade_id = row.text("exec_id")
        side = read_side(row) if "side" in row else None if before is None else before.side
        symbol = row.text("symbol", "" if before is None else before.symbol)
        if side is None or not symbol:
            raise MalformedAnswer(f"the fill {trade_id} of {order_id} names no side or no symbol")
        qty, price = row.number("last_qty"), row.number("last_price")
        fill = FillSeen(
            trade_id=trade_id,
            order_id=order_id,
            cl_ord_id=row.text("cl_ord_id", "") or (None if before is None else before.cl_ord_id),
            symbol=self._names.symbol_of(symbol),
            side=side,
            qty=qty,
            price=price,
            cost=row.number("cost", qty * price),
            fees=self._fees(row),
            liquidity=_liquidity(row),
            at=row.stamp("timestamp"),
            pair_trade_id=row.integer("trade_id", 0),
        )
        # Noted only now: a row that could not be read must not count as booked.
        return None if self.booked(trade_id) else fill

    def _fees(self, row: Fields) -> tuple[tuple[str, Decimal], ...]:
        if "fees" not in row:
            return ()
        return tuple((self._names.coin(fee.text("asset")), fee.number("qty")) for fee in row.objects("fees"))

    def _balance(self, row: Fields, snapshot: bool) -> BalanceSeen:
        return BalanceSeen(
            coin=self._names.coin(row.text("asset")),
            total=row.number("balance"),
            snapshot=snapshot,
            ledger_id=row.text("ledger_id", ""),
            refid=row.text("ref_id", ""),
            kind="" if snapshot else row.text("type", ""),
            amount=row.number("amount", NONE),
            fee=row.number("fee", NONE),
            at=row.stamp("timestamp") if "timestamp" in row else None,
        )


def _joined(row: Fields, order_id: str, kind: ExecKind, before: OrderSeen | None) -> OrderSeen:
    """The order after this row: what the row tells, else what was known."""
    known = before or OrderSeen(
        order_id=order_id, cl_ord_id=None, userref=0, kind=kind, status="", symbol="", side=None, order_type="", qty=None,
        filled=NONE, filled_cost=NONE, average_price=None, limit_price=None, trigger_price=None, reason="", at=None,
    )  # fmt: skip
    triggers = row.object("triggers") if "triggers" in row else Fields({}, "triggers")
    return OrderSeen(
        order_id=order_id,
        cl_ord_id=row.text("cl_ord_id", "") or known.cl_ord_id,
        userref=row.integer("order_userref", known.userref),
        kind=kind,
        # A late row cannot bring back what has ended.
        status=known.status if known.status in FINAL and not kind.final else row.text("order_status", known.status),
        symbol=row.text("symbol", known.symbol),
        side=read_side(row) if "side" in row else known.side,
        order_type=row.text("order_type", known.order_type),
        qty=row.number("order_qty") if "order_qty" in row else known.qty,
        # Rows may come twice or late: what is filled never falls.
        filled=max(row.number("cum_qty", known.filled), known.filled),
        filled_cost=max(row.number("cum_cost", known.filled_cost), known.filled_cost),
        average_price=row.number("avg_price") if "avg_price" in row else known.average_price,
        limit_price=row.number("limit_price") if "limit_price" in row else known.limit_price,
        trigger_price=triggers.number("price") if "price" in triggers else known.trigger_price,
        reason=row.text("reason", known.reason),
        at=row.stamp("timestamp") if "timestamp" in row else known.at,
    )


def _liquidity(row: Fields) -> Liquidity | None:
    return {"m": Liquidity.MAKER, "t": Liquidity.TAKER}.get(row.text("liquidity_ind", ""))


def _remember(held: OrderedDict[str, V], key: str, value: V, most: int) -> None:
    held[key] = value
    held.move_to_end(key)
    while len(held) > most:
        held.popitem(last=False)
