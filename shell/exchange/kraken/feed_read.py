"""Rows of the public channels as values: pure."""

from __future__ import annotations

from decimal import Decimal

from shell.exchange.kraken.errors import MalformedAnswer
from shell.exchange.kraken.events import InstrumentSeen, TradeSeen
from shell.exchange.kraken.pairs import PairStatus
from shell.exchange.kraken.public_types import Candle, Level
from shell.exchange.kraken.wire import Fields
from shell.orders import Side


def read_candle(row: Fields) -> Candle:
    return Candle(
        opened_at=row.stamp("interval_begin"),
        open=row.number("open"), high=row.number("high"), low=row.number("low"), close=row.number("close"),
        vwap=row.number("vwap", Decimal(0)), volume=row.number("volume"), trades=row.integer("trades", 0),
    )  # fmt: skip


def read_trade_row(row: Fields) -> TradeSeen:
    return TradeSeen(
        symbol=row.text("symbol"),
        trade_id=row.integer("trade_id"),
        side=read_side(row),
        price=row.number("price"),
        qty=row.number("qty"),
        at=row.stamp("timestamp"),
    )


def read_side(row: Fields) -> Side:
    text = row.text("side")
    if text not in ("buy", "sell"):
        raise MalformedAnswer(f"{row.where}.side is neither buy nor sell: {text}")
    return Side(text)


def read_levels(row: Fields, side: str) -> list[Level]:
    if side not in row:
        return []
    return [Level(price=level.number("price"), qty=level.number("qty")) for level in row.objects(side)]


def read_instrument(row: Fields) -> InstrumentSeen:
    """Steps where told, else what the decimals say."""
    price_decimals, qty_decimals = row.integer("price_precision"), row.integer("qty_precision")
    return InstrumentSeen(
        symbol=row.text("symbol"),
        status=PairStatus.of(row.text("status")),
        price_decimals=price_decimals,
        qty_decimals=qty_decimals,
        tick=row.number("price_increment", Decimal(1).scaleb(-price_decimals)),
        lot=row.number("qty_increment", Decimal(1).scaleb(-qty_decimals)),
        min_qty=row.number("qty_min", Decimal(0)),
        min_cost=row.number("cost_min", Decimal(0)),
    )
