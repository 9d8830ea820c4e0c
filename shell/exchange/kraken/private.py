"""Kraken's private REST endpoints, typed: the account, its orders and fills, and what changes them.

Whatever changes something is sent once. It raises KrakenRefused or another NotNow for a clear no and KrakenUnknown for
everything else; what happened then is found with `open_orders`, `closed_orders` and `trades`, never by sending again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from shell.errors import BadInput
from shell.exchange.kraken.errors import KrakenUnknown, MalformedAnswer
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import EngineAction
from shell.exchange.kraken.order_form import add_order_fields, amend_fields
from shell.exchange.kraken.pairs import KrakenPair, Names
from shell.exchange.kraken.private_read import (
    OrderReader,
    read_added,
    read_balances,
    read_cancelled,
    read_ledger_page,
    read_order_page,
    read_orders,
    read_own_trades,
    read_timer,
    read_trade_balance,
    read_trade_page,
    read_trade_volume,
)
from shell.exchange.kraken.private_types import (
    Added,
    Amendment,
    Balance,
    Cancelled,
    CancelTimer,
    LedgerPage,
    NewOrder,
    OrderInfo,
    OrderPage,
    TradeBalance,
    TradeInfo,
    TradeInfoPage,
    TradeVolume,
)
from shell.exchange.kraken.wire import Fields, list_of, seconds_text
from shell.secrets import Secret

ORDERS_A_QUERY: Final = 50
TRADES_A_QUERY: Final = 20
PAGE: Final = 50
CANCEL_TIMER_SECONDS_MAX: Final = 86_399


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketToken:
    """What opens the private socket, for `valid_seconds` from its making; a connection that uses it keeps it alive."""

    token: Secret
    valid_seconds: int


class PrivateSource(Protocol):
    """What asks: `RestClient`."""

    @property
    def limiter(self) -> Limiter: ...

    async def read(self, endpoint: str, fields: Mapping[str, Any] | None = None) -> Any: ...

    async def write(
        self, endpoint: str, fields: Mapping[str, Any], *, pair: str = "", as_json: bool = False
    ) -> Any: ...


class PrivateApi:
    """Every private endpoint that trading needs, for one key."""

    def __init__(self, rest: PrivateSource, names: Names) -> None:
        self.names = names
        self._orders = OrderReader(names)
        self._rest = rest

    # The account.

    async def balances(self) -> dict[str, Balance]:
        """By coin, suffixes summed."""
        return read_balances(await self._rest.read("BalanceEx"), self.names)

    async def trade_balance(self, asset: str = "ZUSD") -> TradeBalance:
        """The account's value in `asset`, as Kraken counts it."""
        return read_trade_balance(await self._rest.read("TradeBalance", {"asset": asset}))

    async def trade_volume(self, pairs: Sequence[KrakenPair]) -> TradeVolume:
        fields = {"pair": ",".join(pair.altname for pair in pairs) or None}
        return read_trade_volume(await self._rest.read("TradeVolume", fields), self.names)

    async def ledgers(
        self, *, start: datetime | None = None, end: datetime | None = None, offset: int = 0, kind: str = "all"
    ) -> LedgerPage:
        """Changes of balances, newest first; deposits, withdrawals and rewards are among them."""
        fields = {"type": kind, "start": _time(start), "end": _time(end), "ofs": offset or None}
        return read_ledger_page(await self._rest.read("Ledgers", fields), self.names)

    async def withdrawal_methods(self) -> int:
        """How many ways of taking money out this key sees. Raises KeyRefused where it has no right to withdraw."""
        return len(list_of(await self._rest.read("WithdrawMethods"), "WithdrawMethods"))

    # Orders and fills.

    async def open_orders(self, *, cl_ord_id: str | None = None, trades: bool = False) -> tuple[OrderInfo, ...]:
        """Every open order, or the one of `cl_ord_id`; with the ids of its fills when `trades`."""
        fields = {**_with_trades(trades), "cl_ord_id": cl_ord_id}
        result = Fields(await self._rest.read("OpenOrders", fields), "OpenOrders")
        return read_orders(result.value("open"), self._orders, "OpenOrders.open")

    async def closed_orders(
        self,
        *,
        cl_ord_id: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        offset: int = 0,
        trades: bool = False,
    ) -> OrderPage:
        """Filled, cancelled and expired orders. Keep `start` and `end` while paging by `offset`."""
        fields = {
            **_with_trades(trades),
            "cl_ord_id": cl_ord_id,
            "start": _time(start),
            "end": _time(end),
            "ofs": offset or None,
        }
        return read_order_page(await self._rest.read("ClosedOrders", fields), self._orders)

    async def query_orders(self, order_ids: Sequence[str], *, trades: bool = True) -> dict[str, OrderInfo]:
        """Orders by id, open or closed. Raises KrakenRefused when one id is wrong: then none is told."""
        found: dict[str, OrderInfo] = {}
        for at in range(0, len(order_ids), ORDERS_A_QUERY):
            fields = {"txid": ",".join(order_ids[at : at + ORDERS_A_QUERY]), **_with_trades(trades)}
            orders = read_orders(await self._rest.read("QueryOrders", fields), self._orders, "QueryOrders")
            found |= {order.order_id: order for order in orders}
        return found

    async def trades(
        self, *, start: datetime | None = None, end: datetime | None = None, offset: int = 0
    ) -> TradeInfoPage:
        """Own fills. Keep `start` and `end` while paging by `offset`."""
        # Merged rows carry ids that the socket never tells, so a fill could be booked twice.
        fields = {"start": _time(start), "end": _time(end), "ofs": offset or None, "consolidate_taker": False}
        return read_trade_page(await self._rest.read("TradesHistory", fields), self.names)

    async def trades_between(self, start: datetime, end: datetime) -> tuple[TradeInfo, ...]:
        """Every own fill of a window, oldest first, each once whatever happens between the pages."""
        found: dict[str, TradeInfo] = {}
        offset = 0
        while True:
            page = await self.trades(start=start, end=end, offset=offset)
            found |= {trade.trade_id: trade for trade in page.trades}
            offset += len(page.trades)
            if not page.trades or offset >= page.count:
                return tuple(sorted(found.values(), key=lambda trade: (trade.traded_at, trade.trade_id)))

    async def closed_between(
        self, start: datetime, end: datetime, *, trades: bool = False
    ) -> tuple[OrderInfo, ...]:
        """Every order that ended in a window, oldest first, each once."""
        found: dict[str, OrderInfo] = {}
        offset = 0
        while True:
            page = await self.closed_orders(start=start, end=end, offset=offset, trades=trades)
            found |= {order.order_id: order for order in page.orders}
            offset += len(page.orders)
            if not page.orders or offset >= page.count:
                return tuple(sorted(found.values(), key=lambda order: (order.closed_at or end, order.order_id)))

    async def query_trades(self, trade_ids: Sequence[str]) -> dict[str, TradeInfo]:
        """Own fills by id. Raises KrakenRefused when one id is wrong."""
        found: dict[str, TradeInfo] = {}
        for at in range(0, len(trade_ids), TRADES_A_QUERY):
            fields = {"txid": ",".join(trade_ids[at : at + TRADES_A_QUERY])}
            trades = read_own_trades(await self._rest.read("QueryTrades", fields), self.names, "QueryTrades")
            found |= {trade.trade_id: trade for trade in trades}
        return found

    # What changes something: sent once.

    async def add_order(self, order: NewOrder) -> Added:
        """Send an order. Accepted is not filled. Raises BadInput, before anything is sent, for one that is wrong."""
        pair = self.names.pair(order.symbol)
        fields = add_order_fields(order, pair)
        await self._rest.limiter.order(EngineAction.ADD, pair.altname)
        result = await self._rest.write("AddOrder", fields, pair=pair.altname)
        try:
            added = read_added(result, validate_only=order.validate_only)
        except MalformedAnswer as error:
            raise KrakenUnknown(f"{error}: it may have been placed") from None
        for order_id in added.order_ids:
            self._rest.limiter.placed(order_id, pair.altname)
        return added

    async def amend_order(self, symbol: str, amendment: Amendment) -> str:
        """Change a resting order in place; returns the amendment's id. Its order keeps its ids and fills."""
        pair = self.names.pair(symbol)
        fields = amend_fields(amendment, pair)
        order_id = amendment.order_id or ""
        await self._rest.limiter.order(EngineAction.AMEND, pair.altname, order_id)
        result = await self._rest.write("AmendOrder", fields, pair=pair.altname)
        if order_id:
            self._rest.limiter.placed(order_id, pair.altname)
        try:
            return Fields(result, "AmendOrder").text("amend_id")
        except MalformedAnswer as error:
            raise KrakenUnknown(f"{error}: it may have been amended") from None

    async def cancel_order(
        self, *, order_id: str | None = None, cl_ord_id: str | None = None, symbol: str = ""
    ) -> Cancelled:
        """Cancel one order, named by one of its ids; `symbol` tells whose limit it counts towards.

        KrakenRefused with UNKNOWN_ORDER says only that it is not open: it may have filled.
        """
        if (order_id is None) == (cl_ord_id is None):
            raise BadInput("a cancel names one order: by its order_id or by its cl_ord_id")
        pair = self.names.pair(symbol).altname if symbol else ""
        await self._rest.limiter.order(EngineAction.CANCEL, pair, order_id or "")
        fields = {"txid": order_id, "cl_ord_id": cl_ord_id}
        return _cancelled(await self._rest.write("CancelOrder", fields, pair=pair), "CancelOrder")

    async def cancel_all(self) -> Cancelled:
        """Cancel every open order of the account, protective stops and other people's too."""
        return _cancelled(await self._rest.write("CancelAll", {}), "CancelAll")

    async def cancel_batch(self, order_ids: Sequence[str]) -> Cancelled:
        """Cancel up to 50 orders at once."""
        if not 0 < len(order_ids) <= PAGE:
            raise BadInput(f"a batch cancels 1 to {PAGE} orders, not {len(order_ids)}")
        for order_id in order_ids:
            await self._rest.limiter.order(EngineAction.CANCEL, "", order_id)
        result = await self._rest.write("CancelOrderBatch", {"orders": list(order_ids)}, as_json=True)
        return _cancelled(result, "CancelOrderBatch")

    async def cancel_all_after(self, seconds: int) -> CancelTimer:
        """Set the dead man's switch; 0 disarms it. It cancels protective stops as well, and then stays off."""
        if not 0 <= seconds <= CANCEL_TIMER_SECONDS_MAX:
            raise BadInput(f"the cancel timer takes 0 to {CANCEL_TIMER_SECONDS_MAX} seconds, not {seconds}")
        result = await self._rest.write("CancelAllOrdersAfter", {"timeout": seconds})
        try:
            return read_timer(result)
        except MalformedAnswer as error:
            raise KrakenUnknown(f"{error}: the timer may be set") from None

    async def socket_token(self) -> SocketToken:
        """A token for one connection to the private socket. Each connection takes a new one."""
        result = Fields(await self._rest.read("GetWebSocketsToken"), "GetWebSocketsToken")
        return SocketToken(token=Secret(result.text("token")), valid_seconds=result.integer("expires", 900))


def _cancelled(result: Any, what: str) -> Cancelled:
    try:
        return read_cancelled(result, what)
    except MalformedAnswer as error:
        raise KrakenUnknown(f"{error}: it may have cancelled") from None


def _with_trades(trades: bool) -> dict[str, bool]:
    """Ask for the ids of fills, each fill with its own."""
    return {"trades": True, "consolidate_taker": False} if trades else {}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else seconds_text(moment)
