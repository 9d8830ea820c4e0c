"""Kraken's private answers as values: pure, names and numbers translated, nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shell.exchange.kraken.errors import MalformedAnswer
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.private_types import (
    Added,
    Balance,
    Cancelled,
    CancelTimer,
    LedgerEntry,
    LedgerPage,
    OrderInfo,
    OrderKind,
    OrderPage,
    OrderStatus,
    PairFee,
    TradeBalance,
    TradeInfo,
    TradeInfoPage,
    TradeVolume,
)
from shell.exchange.kraken.wire import Fields, list_of
from shell.orders import Liquidity, Side

NONE = Decimal(0)
ORDERS_REMEMBERED = 500


def read_balances(value: Any, names: Names) -> dict[str, Balance]:
    """By our name of the coin; XXBT, XBT.F and whatever else is the same coin are summed."""
    found: dict[str, Balance] = {}
    for asset, inner in Fields(value, "BalanceEx").items():
        row = Fields(inner, f"BalanceEx.{asset}")
        total, held = row.number("balance"), row.number("hold_trade", NONE)
        tradable = total + row.number("credit", NONE) - row.number("credit_used", NONE) - held
        coin = names.coin(asset)
        so_far = found.get(coin) or Balance(coin=coin, total=NONE, held=NONE, tradable=NONE, assets=())
        found[coin] = Balance(
            coin=coin,
            total=so_far.total + total,
            held=so_far.held + held,
            tradable=so_far.tradable + tradable,
            assets=(*so_far.assets, asset),
        )
    return found


def read_trade_balance(value: Any) -> TradeBalance:
    row = Fields(value, "TradeBalance")
    return TradeBalance(
        equivalent=row.number("eb"),
        trade=row.number("tb", NONE),
        margin=row.number("m", NONE),
        free_margin=row.number("mf", NONE),
    )


def read_trade_volume(value: Any, names: Names) -> TradeVolume:
    """Fees as fractions. A pair without a maker fee of its own pays the taker's."""
    result = Fields(value, "TradeVolume")
    takers = result.object("fees") if "fees" in result else Fields({}, "TradeVolume.fees")
    makers = result.object("fees_maker") if "fees_maker" in result else Fields({}, "TradeVolume.fees_maker")
    fees = {}
    for key, _ in takers.items():
        taker = takers.object(key).number("fee") / 100
        maker = makers.object(key).number("fee") / 100 if key in makers else taker
        symbol = names.symbol_of(key)
        fees[symbol] = PairFee(symbol=symbol, taker_pct=taker, maker_pct=maker)
    return TradeVolume(currency=names.coin(result.text("currency")), volume=result.number("volume"), fees=fees)


class OrderReader:
    """Reads orders, each again only where Kraken tells something else of it than the last time: one that rests is told at
    every look in the same words. For one account; nothing is looked up here, every order is in the answer that is read."""

    def __init__(self, names: Names) -> None:
        self._names = names
        # By id, and whether its fills were asked for: those answers come in turns.
        self._read: dict[tuple[str, bool], tuple[Any, OrderInfo]] = {}

    def order(self, order_id: str, value: Any) -> OrderInfo:
        """See `read_order`."""
        key = order_id, isinstance(value, dict) and "trades" in value
        before = self._read.get(key)
        if before is not None and before[0] == value:
            return before[1]
        found = read_order(order_id, value, self._names)
        self._read.pop(key, None)
        self._read[key] = value, found
        if len(self._read) > ORDERS_REMEMBERED:
            del self._read[next(iter(self._read))]
        return found


def read_orders(value: Any, reader: OrderReader, where: str) -> tuple[OrderInfo, ...]:
    """Every order of a mapping from order id to order."""
    return tuple(reader.order(order_id, inner) for order_id, inner in Fields(value, where).items())


def read_order_page(value: Any, reader: OrderReader) -> OrderPage:
    result = Fields(value, "ClosedOrders")
    orders = read_orders(result.value("closed"), reader, "ClosedOrders.closed")
    return OrderPage(orders=orders, count=result.integer("count", len(orders)))


def read_order(order_id: str, value: Any, names: Names) -> OrderInfo:
    order = Fields(value, f"order {order_id}")
    described = order.object("descr")
    kind_text = described.text("ordertype")
    return OrderInfo(
        order_id=order_id,
        cl_ord_id=order.text("cl_ord_id", "") or None,
        userref=order.integer("userref", 0),
        parent_id=order.text("refid", "") or None,
        status=_status(order),
        reason=order.text("reason", ""),
        opened_at=order.moment("opentm"),
        closed_at=order.moment("closetm"),
        starts_at=order.moment("starttm"),
        expires_at=order.moment("expiretm"),
        symbol=names.symbol_of(described.text("pair")),
        side=side_of(described),
        kind=OrderKind.of(kind_text),
        kind_text=kind_text,
        price=_price(described, "price"),
        price2=_price(described, "price2"),
        description=described.text("order", ""),
        close_description=described.text("close", ""),
        qty=order.number("vol"),
        filled=order.number("vol_exec"),
        cost=order.number("cost", NONE),
        fee=order.number("fee", NONE),
        average_price=order.number("price", NONE),
        stop_price=order.number("stopprice", NONE),
        limit_price=order.number("limitprice", NONE),
        misc=_words(order.text("misc", "")),
        flags=_words(order.text("oflags", "")),
        trade_ids=_texts(order, "trades"),
    )


def read_trade_page(value: Any, names: Names) -> TradeInfoPage:
    result = Fields(value, "TradesHistory")
    trades = read_own_trades(result.value("trades"), names, "TradesHistory.trades")
    return TradeInfoPage(trades=trades, count=result.integer("count", len(trades)))


def read_own_trades(value: Any, names: Names, where: str) -> tuple[TradeInfo, ...]:
    return tuple(read_own_trade(trade_id, inner, names) for trade_id, inner in Fields(value, where).items())


def read_own_trade(trade_id: str, value: Any, names: Names) -> TradeInfo:
    trade = Fields(value, f"trade {trade_id}")
    traded_at = trade.moment("time")
    if traded_at is None:
        raise MalformedAnswer(f"trade {trade_id} has no time")
    maker = trade.values.get("maker")
    liquidity = None if not isinstance(maker, bool) else Liquidity.MAKER if maker else Liquidity.TAKER
    return TradeInfo(
        trade_id=trade_id,
        order_id=trade.text("ordertxid"),
        symbol=names.symbol_of(trade.text("pair")),
        side=side_of(trade),
        kind=OrderKind.of(trade.text("ordertype", "")),
        qty=trade.number("vol"),
        price=trade.number("price"),
        cost=trade.number("cost"),
        fee=trade.number("fee"),
        traded_at=traded_at,
        liquidity=liquidity,
        pair_trade_id=trade.integer("trade_id", 0),
        ledger_ids=_texts(trade, "ledgers"),
    )


def read_ledger_page(value: Any, names: Names) -> LedgerPage:
    result = Fields(value, "Ledgers")
    entries = []
    for ledger_id, inner in result.object("ledger").items():
        row = Fields(inner, f"ledger {ledger_id}")
        at = row.moment("time")
        if at is None:
            raise MalformedAnswer(f"ledger {ledger_id} has no time")
        entry = LedgerEntry(
            ledger_id=ledger_id,
            refid=row.text("refid", ""),
            at=at,
            kind=row.text("type", ""),
            subkind=row.text("subtype", ""),
            coin=names.coin(row.text("asset")),
            asset=row.text("asset"),
            amount=row.number("amount"),
            fee=row.number("fee", NONE),
            balance=row.number("balance", NONE),
        )
        entries.append(entry)
    return LedgerPage(entries=tuple(entries), count=result.integer("count", len(entries)))


def read_added(value: Any, *, validate_only: bool) -> Added:
    """Raises MalformedAnswer for an accepted order without an id: whoever sent it must look for it."""
    result = Fields(value, "AddOrder")
    order_ids = _texts(result, "txid")
    if not order_ids and not validate_only:
        raise MalformedAnswer("AddOrder was answered without an order id")
    described: Mapping[str, Any] = result.object("descr").values if "descr" in result else {}
    texts = Fields(dict(described), "AddOrder.descr")
    return Added(order_ids=order_ids, description=texts.text("order", ""), close_description=texts.text("close", ""))


def read_cancelled(value: Any, where: str) -> Cancelled:
    result = Fields(value, where)
    # Recorded as true, and as 1.
    return Cancelled(count=result.integer("count"), pending=bool(result.values.get("pending")))


def read_timer(value: Any) -> CancelTimer:
    result = Fields(value, "CancelAllOrdersAfter")
    trigger = result.values.get("triggerTime")
    disarmed = trigger in (None, "", "0", 0)
    return CancelTimer(now=result.stamp("currentTime"), triggers_at=None if disarmed else result.stamp("triggerTime"))


def side_of(row: Fields) -> Side:
    text = row.text("type")
    if text not in ("buy", "sell"):
        raise MalformedAnswer(f"{row.where}.type is neither buy nor sell: {text}")
    return Side(text)


def _status(order: Fields) -> OrderStatus:
    text = order.text("status")
    try:
        return OrderStatus(text)
    except ValueError:
        raise MalformedAnswer(f"{order.where}.status is unknown: {text}") from None


def _price(described: Fields, key: str) -> Decimal:
    """A price; zero for one that is relative (+100, 1%), which only orders of someone else's making have."""
    text = str(described.values.get(key) or "0")
    return NONE if text[:1] in "+-#" or text.endswith("%") else described.number(key, NONE)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in text.split(",") if word)


def _texts(row: Fields, key: str) -> tuple[str, ...]:
    if key not in row:
        return ()
    texts = list_of(row.value(key), f"{row.where}.{key}")
    if not all(isinstance(text, str) for text in texts):
        raise MalformedAnswer(f"{row.where}.{key} holds something that is not text")
    return tuple(texts)
