"""Private endpoints: forms as recorded, recorded answers read, one send for whatever changes something."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from shell.errors import BadInput, DataError
from shell.exchange.kraken import private_read
from shell.exchange.kraken.errors import KrakenUnknown, MalformedAnswer
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.order_form import add_order_fields, amend_fields
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.private_read import OrderReader, read_order
from shell.exchange.kraken.private_types import Amendment, Close, FeeIn, NewOrder, OrderKind, OrderStatus, TimeInForce
from shell.exchange.kraken.wire import encode_form
from shell.money import plain
from shell.orders import Liquidity, Side
from tests.shell.exchange.kraken.payloads_of import names, payload, result
from tests.shell.exchange.kraken.times import START, HandPace

REQUESTS = {case["name"]: case["fields"] for case in payload("requests")}
LTC = NewOrder(symbol="LTC/USDT", side=Side.BUY, kind=OrderKind.MARKET, qty=Decimal("0.1"), fee_in=None)
BTC = NewOrder(symbol="BTC/USD", side=Side.BUY, kind=OrderKind.LIMIT, qty=Decimal("1.25"), price=Decimal("37500"))
SENT = {
    "market_buy": LTC,
    "stop_loss_limit": replace(
        LTC, side=Side.SELL, kind=OrderKind.STOP_LOSS_LIMIT, price=Decimal("55"), price2=Decimal("54")
    ),
    "limit_post_only_fee_in_base": replace(
        LTC, kind=OrderKind.LIMIT, price=Decimal("50.000"), post_only=True, fee_in=FeeIn.BASE
    ),
}


class Account:
    """Answers each endpoint with one value and keeps what was asked, and how."""

    def __init__(self, **answers: Any) -> None:
        self.limiter = Limiter(LIMITS[Verification.PRO], HandPace())
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def read(self, endpoint: str, fields: Mapping[str, Any] | None = None) -> Any:
        return self._tell("read", endpoint, fields or {})

    async def write(self, endpoint: str, fields: Mapping[str, Any], *, pair: str = "", as_json: bool = False) -> Any:
        return self._tell("write", endpoint, fields)

    def _tell(self, how: str, endpoint: str, fields: Mapping[str, Any]) -> Any:
        self.asked.append((how, endpoint, {name: value for name, value in fields.items() if value is not None}))
        answer = self.answers[endpoint]
        return answer(fields) if callable(answer) else answer


def api_of(**answers: Any) -> tuple[PrivateApi, Account]:
    account = Account(**answers)
    return PrivateApi(account, names()), account


def form(order: NewOrder) -> dict[str, str]:
    return dict(parse_qsl(encode_form(add_order_fields(order, names().pair(order.symbol)))))


@pytest.mark.parametrize("name", SENT)
def test_orders_are_sent_as_recorded(name: str) -> None:
    assert form(SENT[name]) == REQUESTS[name]


def test_a_whole_order() -> None:
    order = replace(
        BTC,
        post_only=True,
        time_in_force=TimeInForce.GTD,
        expires_at=START + timedelta(hours=1),
        cl_ord_id="6d1b345e-2821-40e2-ad83-4ecb18a06876",
        deadline=START + timedelta(seconds=5),
        close=Close(kind=OrderKind.STOP_LOSS_LIMIT, price=Decimal("36000"), price2=Decimal("35900.5")),
    )
    assert form(order) == {
        "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "1.25", "price": "37500", "oflags": "fciq,post",
        "timeinforce": "GTD", "expiretm": str(int(START.timestamp()) + 3600), "deadline": "2026-11-22T12:00:05.000000Z",
        "cl_ord_id": "6d1b345e-2821-40e2-ad83-4ecb18a06876", "close[ordertype]": "stop-loss-limit",
        "close[price]": "36000", "close[price2]": "35900.5",
    }  # fmt: skip
    assert form(replace(BTC, validate_only=True))["validate"] == "true" and "validate" not in form(BTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": Decimal(0)}, {"qty": Decimal("-1")}, {"qty": Decimal("NaN")}, {"qty": Decimal("0.123456789")},
        {"qty": Decimal("1E+60")}, {"price": Decimal("37500.01")}, {"price": Decimal(0)}, {"price": None},
        {"price2": Decimal(1)}, {"kind": OrderKind.MARKET}, {"kind": OrderKind.STOP_LOSS_LIMIT}, {"kind": OrderKind.OTHER},
        {"kind": OrderKind.TRAILING_STOP}, {"time_in_force": TimeInForce.GTD}, {"expires_at": START},
        {"cl_ord_id": "a", "userref": 1}, {"cl_ord_id": ""}, {"cl_ord_id": "x" * 37}, {"cl_ord_id": "a\nb"},
        {"post_only": True, "time_in_force": TimeInForce.IOC}, {"kind": OrderKind.STOP_LOSS, "post_only": True},
        {"close": Close(kind=OrderKind.MARKET, price=Decimal(1))}, {"close": Close(kind=OrderKind.STOP_LOSS, price=Decimal("0.01"))},
    ],
    ids=str,
)  # fmt: skip
def test_an_order_that_is_wrong_in_itself_is_never_sent(changes: dict[str, Any]) -> None:
    api, account = api_of()
    with pytest.raises(BadInput):
        asyncio.run(api.add_order(replace(BTC, **changes)))
    assert account.asked == []


def test_a_pair_that_is_not_traded_is_never_sent() -> None:
    api, account = api_of()
    with pytest.raises(DataError):
        asyncio.run(api.add_order(replace(BTC, symbol="XBTUSD")))
    assert account.asked == []


def test_an_accepted_order_tells_its_id() -> None:
    api, account = api_of(AddOrder=result("http_add_order_spot"))
    added = asyncio.run(api.add_order(BTC))
    assert added.order_ids == ("OUF4EM-FRGI2-MQMWZD",) and "limit 50000.0" in added.description
    assert [(how, name) for how, name, _ in account.asked] == [("write", "AddOrder")]
    assert account.limiter.levels()["XBTUSD"] == 1


@pytest.mark.parametrize("answer", [{}, {"descr": {"order": "buy"}}, {"txid": "OUF4EM"}, {"txid": []}, {"txid": [1]}, []])
def test_an_order_accepted_without_an_id_is_unknown(answer: Any) -> None:
    api, _ = api_of(AddOrder=answer)
    with pytest.raises(KrakenUnknown):
        asyncio.run(api.add_order(BTC))


def test_what_is_only_checked_has_no_id() -> None:
    api, _ = api_of(AddOrder={"descr": {"order": "buy 1.25 XBTUSD @ limit 37500.0"}})
    assert asyncio.run(api.add_order(replace(BTC, validate_only=True))).order_ids == ()


def test_a_recorded_order() -> None:
    case = next(case for case in payload("responses") if case["name"] == "query_open_limit_post")
    (order_id, row), *_ = case["http"]["result"].items()
    order = read_order(order_id, row, names())
    expected = case["expect"]
    assert order.opened_at == datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=expected["timestamp_ms"])
    told = {
        "status": order.status.value, "symbol": order.symbol, "type": order.kind.value, "side": order.side.value,
        "price": plain(order.price), "amount": plain(order.qty), "filled": plain(order.filled),
        "remaining": plain(order.remaining), "post_only": order.post_only, "fee": plain(order.fee),
        "fee_currency": order.fee_currency,
    }  # fmt: skip
    assert told == {name: value for name, value in expected.items() if name != "timestamp_ms"}
    assert order.expires_at is None and order.cl_ord_id is None and order.parent_id is None and order.reason == ""


def test_an_order_told_again_is_read_again_as_soon_as_anything_of_it_changed() -> None:
    case = next(case for case in payload("responses") if case["name"] == "query_open_limit_post")
    (order_id, row), *_ = case["http"]["result"].items()
    reader = OrderReader(names())
    first = reader.order(order_id, row)
    assert first == read_order(order_id, row, names())
    assert reader.order(order_id, {**row}) is first
    for changed in ({**row, "vol_exec": row["vol"]}, {**row, "status": "canceled"}, {**row, "trades": ["T1"]}, row):
        assert reader.order(order_id, changed) == read_order(order_id, changed, names())
    assert reader.order("ANOTHER", row).order_id == "ANOTHER"
    with pytest.raises(MalformedAnswer):
        reader.order(order_id, {**row, "vol": "much"})
    assert reader.order(order_id, row) == first


def test_no_more_orders_are_remembered_than_a_few_looks_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_read, "ORDERS_REMEMBERED", 2)
    case = next(case for case in payload("responses") if case["name"] == "query_open_limit_post")
    (_, row), *_ = case["http"]["result"].items()
    reader = OrderReader(names())
    first = reader.order("O1", row)
    assert reader.order("O1", row) is first
    for order_id in ("O2", "O3"):
        reader.order(order_id, row)
    assert reader.order("O1", row) is not first and len(reader._read) == 2


def test_recorded_open_orders() -> None:
    api, account = api_of(OpenOrders=result("http_open_orders"))
    first, second = asyncio.run(api.open_orders(trades=True))
    assert (first.symbol, first.price, first.userref) == ("BTC/USDT", Decimal("29500.0"), 0)
    assert (second.kind, second.side, second.stop_price) == (OrderKind.STOP_LOSS, Side.SELL, Decimal("1800.0"))
    assert account.asked[0][2] == {"trades": True, "consolidate_taker": False}


def order_row(**changes: Any) -> dict[str, Any]:
    row = dict(result("http_open_orders")["open"]["O26VBY-ISGAE-JP5TLU"])
    return {**row, **changes}


def test_a_cancelled_order_keeps_its_fills() -> None:
    row = order_row(status="canceled", reason="User requested", vol_exec="0.20000000", closetm="1688584999.5", cl_ord_id="mine",
                    misc="stopped,touched", trades=["TAAAAA-BBBBB-CCCCCC"], refid="OPAREN-TOFTH-ISONE1", oflags="fcib")
    order = read_order("O1", row, names())
    assert order.status is OrderStatus.CANCELED and order.status.final and order.filled == Decimal("0.2")
    assert order.triggered and order.trade_ids == ("TAAAAA-BBBBB-CCCCCC",) and order.cl_ord_id == "mine"
    assert order.parent_id == "OPAREN-TOFTH-ISONE1" and order.fee_currency == "BTC"


def test_someone_elses_orders_are_read_whatever_they_are() -> None:
    descr = {"pair": "NEWPAIR", "type": "sell", "ordertype": "hidden-thing", "price": "+1.5%", "price2": "#5", "order": "", "close": ""}
    order = read_order("O1", order_row(descr=descr, userref=None), names())
    assert (order.symbol, order.kind, order.kind_text, order.price) == ("NEWPAIR", OrderKind.OTHER, "hidden-thing", Decimal(0))
    for wrong in ({"status": "sleeping"}, {"vol": "many"}, {"descr": None}, {"descr": {**descr, "type": "hold"}}):
        with pytest.raises(MalformedAnswer):
            read_order("O1", order_row(**wrong), names())


def test_closed_orders_are_paged_by_offset_inside_a_fixed_window() -> None:
    rows = {f"O{at:03}": order_row(status="closed", closetm=1688584999 + at) for at in range(120)}

    def closed(fields: Mapping[str, Any]) -> Any:
        begin = fields["ofs"] or 0
        # Another order ends between two pages: one row appears twice.
        newest = sorted(rows, reverse=True)[max(0, begin - (1 if begin else 0)) :]
        return {"closed": {key: rows[key] for key in newest[:50]}, "count": 121}

    api, account = api_of(ClosedOrders=closed)
    orders = asyncio.run(api.closed_between(START - timedelta(days=1), START))
    assert [order.order_id for order in orders] == sorted(rows)
    windows = {(fields["start"], fields["end"]) for _, _, fields in account.asked}
    assert len(windows) == 1 and [fields.get("ofs") for _, _, fields in account.asked] == [None, 50, 100]


def test_fills_each_once_with_ids_that_the_socket_tells_too() -> None:
    row = {
        "ordertxid": "OQCLML-BW3P3-BUCMWZ", "pair": "XXBTZUSD", "time": Decimal("1688667796.8802"), "type": "buy", "ordertype": "limit",
        "price": "30010.00000", "cost": "600.20000", "fee": "1.20040", "vol": "0.02000000", "maker": True,
        "trade_id": 40274859, "ledgers": ["L1"],
    }  # fmt: skip
    api, account = api_of(TradesHistory={"trades": {"TCWJEG-FL4SZ-3FKGH6": row, "T2": {**row, "maker": None}}, "count": 2})
    second, first = asyncio.run(api.trades_between(datetime.fromtimestamp(1699457638, UTC), START))
    assert (first.trade_id, first.liquidity, first.symbol, first.fee) == ("TCWJEG-FL4SZ-3FKGH6", Liquidity.MAKER, "BTC/USD", Decimal("1.2004"))
    assert second.liquidity is None and first.pair_trade_id == 40274859
    fields = account.asked[0][2]
    assert fields["start"] == REQUESTS["my_trades_since"]["start"] and fields["consolidate_taker"] is False


def test_balances_of_one_coin_are_summed() -> None:
    """freqtrade #11118: with rewards on, a coin sits under .F and is tradable all the same."""
    rows = {
        "XXBT": {"balance": "1.5000000000", "hold_trade": "0.5000000000"},
        "XBT.F": {"balance": "0.2500000000", "hold_trade": "0"},
        "ZUSD": {"balance": "100.0000", "hold_trade": "10.0000", "credit": "50", "credit_used": "20"},
    }
    api, _ = api_of(BalanceEx=rows)
    balances = asyncio.run(api.balances())
    assert set(balances) == {"BTC", "USD"} and balances["BTC"].assets == ("XXBT", "XBT.F")
    assert (balances["BTC"].total, balances["BTC"].held, balances["BTC"].tradable) == (Decimal("1.75"), Decimal("0.5"), Decimal("1.25"))
    assert balances["USD"].tradable == 120


def test_the_accounts_own_fees() -> None:
    told = {
        "currency": "ZUSD", "volume": "200709587.4223",
        "fees": {"XXBTZUSD": {"fee": "0.4000"}, "XDGUSD": {"fee": "0.35"}}, "fees_maker": {"XXBTZUSD": {"fee": "0.2500"}},
    }  # fmt: skip
    api, account = api_of(TradeVolume=told)
    volume = asyncio.run(api.trade_volume([names().pair("BTC/USD"), names().pair("DOGE/USD")]))
    assert volume.currency == "USD" and account.asked[0][2] == {"pair": "XBTUSD,XDGUSD"}
    assert (volume.fees["BTC/USD"].taker_pct, volume.fees["BTC/USD"].maker_pct) == (Decimal("0.004"), Decimal("0.0025"))
    assert volume.fees["DOGE/USD"].maker_pct == Decimal("0.0035")


def test_cancels() -> None:
    api, account = api_of(
        CancelOrder={"count": 1}, CancelAll={"count": 3}, CancelOrderBatch={"count": 2},
        CancelAllOrdersAfter={"currentTime": "2026-11-22T12:00:00Z", "triggerTime": "2026-11-22T12:01:00Z"},
    )  # fmt: skip
    assert asyncio.run(api.cancel_order(order_id="OF7S76-H2IMS-N2ML4U", symbol="BTC/USD")).count == 1
    assert account.asked[0] == ("write", "CancelOrder", REQUESTS["cancel_one"])
    assert asyncio.run(api.cancel_order(cl_ord_id="mine")).pending is False
    assert asyncio.run(api.cancel_all()).count == 3 and asyncio.run(api.cancel_batch(["O1", "O2"])).count == 2
    timer = asyncio.run(api.cancel_all_after(60))
    assert timer.triggers_at == START + timedelta(minutes=1)
    for wrong in (api.cancel_order(), api.cancel_order(order_id="O1", cl_ord_id="mine"), api.cancel_batch([]), api.cancel_all_after(86400)):
        with pytest.raises(BadInput):
            asyncio.run(wrong)


@pytest.mark.parametrize("trigger", ["0", 0, None])
def test_a_disarmed_timer(trigger: Any) -> None:
    api, _ = api_of(CancelAllOrdersAfter={"currentTime": "2026-11-22T12:00:00Z", "triggerTime": trigger})
    assert asyncio.run(api.cancel_all_after(0)).triggers_at is None


def test_a_cancel_answered_by_nonsense_is_unknown() -> None:
    api, _ = api_of(CancelOrder={"count": "some"}, AmendOrder={}, CancelAllOrdersAfter=[])
    amendment = Amendment(order_id="O1", qty=Decimal(1))
    for call in (api.cancel_order(order_id="O1"), api.amend_order("BTC/USD", amendment), api.cancel_all_after(60)):
        with pytest.raises(KrakenUnknown):
            asyncio.run(call)


def test_amendments() -> None:
    api, account = api_of(AmendOrder={"amend_id": "TTW6PD-RC36L-ZZSWNU"})
    amendment = Amendment(cl_ord_id="mine", trigger_price=Decimal("36000.50"), deadline=START)
    assert asyncio.run(api.amend_order("BTC/USD", amendment)) == "TTW6PD-RC36L-ZZSWNU"
    assert encode_form(account.asked[0][2]) == "cl_ord_id=mine&trigger_price=36000.5&deadline=2026-11-22T12%3A00%3A00.000000Z"
    for wrong in (Amendment(), Amendment(order_id="O1"), Amendment(order_id="O1", cl_ord_id="c", qty=Decimal(1)),
                  Amendment(order_id="O1", limit_price=Decimal("0.01"))):
        with pytest.raises(BadInput):
            amend_fields(wrong, names().pair("BTC/USD"))


def test_queries_are_cut_to_what_one_call_takes() -> None:
    api, account = api_of(QueryOrders=lambda fields: {name: order_row() for name in fields["txid"].split(",")}, QueryTrades={})
    orders = asyncio.run(api.query_orders([f"O{at}" for at in range(120)]))
    assert len(orders) == 120 and [len(fields["txid"].split(",")) for _, _, fields in account.asked] == [50, 50, 20]
    assert asyncio.run(api.query_trades(["T1"])) == {}


def test_the_token_of_the_socket_is_masked() -> None:
    api, _ = api_of(GetWebSocketsToken={"token": "canary-token", "expires": 900})
    token = asyncio.run(api.socket_token())
    assert "canary" not in repr(token) and token.token.reveal() == "canary-token" and token.valid_seconds == 900


def test_ledgers_and_the_value_of_the_account() -> None:
    row = {"refid": "R1", "time": "1688464484.1787", "type": "deposit", "subtype": "", "aclass": "currency", "asset": "ZUSD",
           "amount": "-24.5000", "fee": "0.4900", "balance": "459567.9171"}
    api, _ = api_of(Ledgers={"ledger": {"L4UESK-KG3EQ-UFO4T5": row}, "count": 1},
                    TradeBalance={"eb": "1101.3425", "tb": "392.2264", "m": "7.0354", "mf": "382.4", "n": "-10"})
    page = asyncio.run(api.ledgers())
    assert (page.entries[0].coin, page.entries[0].kind, page.entries[0].amount) == ("USD", "deposit", Decimal("-24.5"))
    assert asyncio.run(api.trade_balance()).equivalent == Decimal("1101.3425")
