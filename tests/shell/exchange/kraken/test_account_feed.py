"""The private feed: fills once, short rows joined, a fresh token a connection, every hole a reconciliation."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.exchange.kraken.account_feed import AccountFeed
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.errors import KeyRefused, MalformedAnswer
from shell.exchange.kraken.events import (
    AccountEvent,
    BalanceSeen,
    ExecKind,
    FeedUp,
    FillSeen,
    OrderSeen,
    ReconcileNeeded,
    SymbolRefused,
)
from shell.exchange.kraken.executions import Executions
from shell.exchange.kraken.private import SocketToken
from shell.exchange.kraken.wire import Fields, parse_json
from shell.orders import Liquidity, Side
from shell.secrets import Secret
from tests.shell.exchange.kraken.payloads_of import names
from tests.shell.exchange.kraken.socket_stand_in import FastPace, Line, running, serving_sockets, until

E = TypeVar("E")
AT = "2026-11-22T12:00:00.123456Z"
ORDER: dict[str, Any] = {
    "order_id": "OAAAAA-BBBBB-CCCCCC", "cl_ord_id": "mine", "order_userref": 0, "symbol": "BTC/USD", "side": "buy",
    "order_type": "limit", "order_qty": "0.03", "limit_price": "30000.1", "time_in_force": "GTC", "timestamp": AT,
}  # fmt: skip


def order(kind: str, status: str, **more: Any) -> dict[str, Any]:
    return {**ORDER, "exec_type": kind, "order_status": status, "cum_qty": "0", **more}


def trade(number: int, cumulative: str, **more: Any) -> dict[str, Any]:
    """As the documentation shows them: without the order's own fields."""
    return {
        "order_id": ORDER["order_id"], "exec_id": f"T{number}", "exec_type": "trade", "trade_id": 8253470 + number, "symbol": "BTC/USD",
        "side": "buy", "last_qty": "0.01", "last_price": "30000.1", "liquidity_ind": "t", "cost": "300.001",
        "order_status": "partially_filled", "order_type": "limit", "fees": [{"asset": "USD", "qty": "1.2"}], "cum_qty": cumulative,
        "timestamp": AT, **more,
    }  # fmt: skip


LIFE = [
    order("pending_new", "pending_new"), order("new", "new"), trade(1, "0.01"), trade(2, "0.02"),
    {"order_id": ORDER["order_id"], "exec_type": "canceled", "order_status": "canceled", "reason": "User requested", "timestamp": AT},
]  # fmt: skip


def take(book: Executions, *rows: dict[str, Any]) -> list[FillSeen | OrderSeen]:
    return [event for row in rows for event in book.take(Fields(row, "row"))]


def of(events: list[Any], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def test_the_documented_fill() -> None:
    row = parse_json(
        '{"order_id":"O..","exec_id":"T..","exec_type":"trade","trade_id":8253473,"symbol":"BTC/USD","side":"buy","last_qty":0.01,'
        '"last_price":30000.1,"liquidity_ind":"t","cost":300.001,"order_status":"partially_filled","order_type":"limit",'
        '"fees":[{"asset":"USD","qty":1.2}],"timestamp":"2026-11-22T12:00:00.000000001Z"}'
    )
    (fill, *_) = take(Executions(names()), row)
    assert isinstance(fill, FillSeen)
    assert (fill.trade_id, fill.qty, fill.price, fill.cost) == ("T..", Decimal("0.01"), Decimal("30000.1"), Decimal("300.001"))
    assert fill.fees == (("USD", Decimal("1.2")),) and fill.liquidity is Liquidity.TAKER and fill.cl_ord_id is None


def test_a_short_canceled_row_keeps_what_was_filled() -> None:
    events = take(Executions(names()), *LIFE)
    last = of(events, OrderSeen)[-1]
    assert (last.kind, last.status, last.filled, last.qty) == (ExecKind.CANCELED, "canceled", Decimal("0.02"), Decimal("0.03"))
    assert (last.cl_ord_id, last.side, last.reason, last.limit_price) == ("mine", Side.BUY, "User requested", Decimal("30000.1"))
    assert [fill.cl_ord_id for fill in of(events, FillSeen)] == ["mine", "mine"]


@given(st.lists(st.sampled_from([*LIFE, trade(3, "0.03"), order("filled", "filled", cum_qty="0.03")]), max_size=40))
def test_fills_come_once_and_what_is_filled_never_falls(rows: list[dict[str, Any]]) -> None:
    events = take(Executions(names()), *rows)
    fills = [fill.trade_id for fill in of(events, FillSeen)]
    assert len(fills) == len(set(fills)) and set(fills) == {row["exec_id"] for row in rows if "exec_id" in row}
    filled = [seen.filled for seen in of(events, OrderSeen)]
    assert filled == sorted(filled)
    ended = next((at for at, seen in enumerate(of(events, OrderSeen)) if seen.kind.final), None)
    if ended is not None:
        assert all(seen.status in ("filled", "canceled") for seen in of(events, OrderSeen)[ended:])


def test_a_fill_that_cannot_be_read_is_not_counted_as_booked() -> None:
    book = Executions(names())
    with pytest.raises(MalformedAnswer):
        take(book, trade(1, "0.01", last_price="high"))
    assert len(of(take(book, trade(1, "0.01")), FillSeen)) == 1 and book.booked("T1") and not book.booked("T9")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shell.exchange.kraken.executions.ORDERS_REMEMBERED", 10)
    monkeypatch.setattr("shell.exchange.kraken.executions.FILLS_REMEMBERED", 10)
    book = Executions(names())
    for at in range(50):
        take(book, trade(at, "0.01", order_id=f"O{at}"))
    assert len(book._orders) == 10 and len(book._fills) == 10 and book.order("O49") is not None


def test_balances_of_a_snapshot_and_of_a_change() -> None:
    book = Executions(names())
    snapshot = {"type": "snapshot", "data": [{"asset": "BTC", "asset_class": "currency", "balance": "1.2", "wallets": []}]}
    change = {"type": "update", "data": [{"asset": "BTC", "amount": "-0.1", "balance": "1.1", "fee": "0", "ledger_id": "L1",
                                          "ref_id": "T1", "type": "trade", "timestamp": AT}]}
    (whole,), (changed,) = book.balances(Fields(snapshot, "m")), book.balances(Fields(change, "m"))
    assert (whole.coin, whole.total, whole.snapshot) == ("BTC", Decimal("1.2"), True)
    assert (changed.amount, changed.kind, changed.refid, changed.total) == (Decimal("-0.1"), "trade", "T1", Decimal("1.1"))


class Account:
    """A feed with tokens that are numbered."""

    def __init__(self, url: str) -> None:
        self.events: list[AccountEvent] = []
        self.tokens = 0
        self.refuse = False
        self.feed = AccountFeed(
            Addresses(rest="http://127.0.0.1:1", ws_auth=url), self.token, names(), self.events.append,
            pace=FastPace(), chance=random.Random(7), silence_seconds=1.0,
        )  # fmt: skip

    async def token(self) -> SocketToken:
        if self.refuse:
            raise KeyRefused("the key may not")
        self.tokens += 1
        return SocketToken(token=Secret(f"token-{self.tokens}"), valid_seconds=900)


def message(channel: str, sequence: int, *rows: dict[str, Any], kind: str = "update") -> dict[str, Any]:
    return {"channel": channel, "type": kind, "sequence": sequence, "data": list(rows)}


def test_a_connection_is_followed_and_a_hole_makes_another() -> None:
    async def run() -> None:
        async with serving_sockets() as here:
            account = Account(here.url)
            async with running(account.feed.run()):
                await until(lambda: account.feed.is_up)
                assert isinstance(account.events[-1], ReconcileNeeded)
                await here.last.tell(message("executions", 1, order("new", "new"), kind="snapshot"))
                await here.last.tell(message("balances", 1, {"asset": "USD", "balance": 100.5}, kind="snapshot"))
                await here.last.tell(message("executions", 2, trade(1, "0.01")))
                await here.last.tell(message("executions", 2, trade(1, "0.01")))
                await until(lambda: of(account.events, FillSeen))
                await here.last.tell(message("executions", 4, trade(3, "0.03")))
                await until(lambda: len(of(account.events, FeedUp)) == 2)
                await here.last.tell(message("executions", 1, trade(1, "0.01"), trade(2, "0.02"), kind="snapshot"))
                await until(lambda: len(of(account.events, FillSeen)) == 2)
            tokens = [{each["params"]["token"] for each in line.got} for line in here.lines]
            assert tokens == [{"token-1"}, {"token-2"}]
            assert [fill.trade_id for fill in of(account.events, FillSeen)] == ["T1", "T2"]
            reasons = [event.reason for event in of(account.events, ReconcileNeeded)]
            assert len(reasons) == 3 and "messages 3 to 3 of executions are missing" in reasons
            assert of(account.events, BalanceSeen)[0].total == Decimal("100.5")

    asyncio.run(run())


def test_a_void_token_is_replaced_and_another_refusal_told() -> None:
    async def run() -> None:
        reasons = {1: "ESession:Invalid session", 2: "EGeneral:Permission denied"}

        async def hook(line: Line, request: dict[str, Any]) -> bool:
            if line.number in reasons:
                await line.tell({"method": "subscribe", "success": False, "error": reasons[line.number], "req_id": request["req_id"]})
            return line.number in reasons

        async with serving_sockets(hook) as here:
            account = Account(here.url)
            async with running(account.feed.run()):
                await until(lambda: account.feed.is_up)
            assert account.tokens == 3 and len(here.lines) == 3
            assert [event.reason for event in of(account.events, SymbolRefused)] == ["EGeneral:Permission denied"]

    asyncio.run(run())


def test_a_row_that_cannot_be_read_ends_the_connection_and_is_reconciled() -> None:
    async def run() -> None:
        async with serving_sockets() as here:
            account = Account(here.url)
            async with running(account.feed.run()):
                await until(lambda: account.feed.is_up)
                await here.last.tell(message("executions", 1, trade(1, "0.01", last_qty="some")))
                await until(lambda: len(of(account.events, ReconcileNeeded)) == 2)

    asyncio.run(run())


def test_a_key_that_may_not_open_the_socket_ends_it() -> None:
    async def run() -> None:
        async with serving_sockets() as here:
            account = Account(here.url)
            account.refuse = True
            with pytest.raises(KeyRefused):
                await account.feed.run()

    asyncio.run(run())
