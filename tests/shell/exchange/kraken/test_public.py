"""Public endpoints: recorded answers read, requests as recorded, the forming candle kept apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from shell.errors import BadInput
from shell.exchange.kraken.errors import KrakenRefused, MalformedAnswer, Refusal
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.public_types import SystemState
from shell.exchange.kraken.wire import encode_form
from shell.orders import Side
from tests.shell.exchange.kraken.payloads_of import ASSETS, PAIRS, names, payload, result

RESPONSES = {case["name"]: case for case in payload("responses")}
REQUESTS = {case["name"]: case for case in payload("requests")}


class Canned:
    """Answers each endpoint with one value and keeps what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def public(self, endpoint: str, fields: Mapping[str, Any] | None = None, *, pair: str = "") -> Any:
        self.asked.append((endpoint, encode_form(fields or {})))
        answer = self.answers[endpoint]
        if isinstance(answer, Exception):
            raise answer
        return answer(fields or {}) if callable(answer) else answer


def test_the_time() -> None:
    api = PublicApi(Canned(Time=result("http_server_time")))
    assert asyncio.run(api.time()).isoformat() == "2025-11-11T00:17:04+00:00"


@pytest.mark.parametrize(
    ("text", "state", "entries", "cancels"),
    [
        ("online", SystemState.ONLINE, True, True), ("maintenance", SystemState.MAINTENANCE, False, False),
        ("cancel_only", SystemState.CANCEL_ONLY, False, True), ("post_only", SystemState.POST_ONLY, False, True),
        ("limit_only", SystemState.LIMIT_ONLY, False, True), ("reborn", SystemState.OTHER, False, False),
    ],
)  # fmt: skip
def test_the_state_of_the_venue(text: str, state: SystemState, entries: bool, cancels: bool) -> None:
    told = asyncio.run(PublicApi(Canned(SystemStatus={"status": text, "timestamp": ""})).system_status())
    assert (told, told.takes_entries, told.takes_cancels) == (state, entries, cancels)


def test_a_recorded_ticker() -> None:
    case = RESPONSES["ticker"]
    pair = names().pair("BTC/USDT")
    ticker = asyncio.run(PublicApi(Canned(Ticker=case["http"]["result"])).tickers([pair]))["BTC/USDT"]
    expected = case["expect"]
    assert {name: getattr(ticker, name) for name in expected} == {name: Decimal(text) for name, text in expected.items()}
    other = asyncio.run(PublicApi(Canned(Ticker=result("http_ticker"))).tickers([pair]))["BTC/USDT"]
    assert (other.ask, other.trades_24h, other.vwap_24h) == (Decimal("105944.3"), 3276, Decimal("105904.39279"))


def test_tickers_are_asked_as_recorded() -> None:
    source = Canned(Ticker=lambda fields: {name: result("http_ticker")["XBTUSDT"] for name in fields["pair"].split(",")})
    asyncio.run(PublicApi(source).tickers([names().pair("BTC/USDT"), names().pair("ETH/USDT")]))
    assert source.asked == [("Ticker", REQUESTS["tickers_two"]["encoded"])]
    assert asyncio.run(PublicApi(source).tickers([])) == {}


def test_the_forming_candle_is_kept_apart() -> None:
    case = RESPONSES["ohlc_1h"]
    source = Canned(OHLC=case["http"]["result"])
    page = asyncio.run(PublicApi(source).candles(names().pair("BTC/USDT"), 60))
    assert len(page.closed) == case["expect"]["committed"] and page.last == 1706796000
    assert page.forming is not None and page.forming.opened_at.timestamp() == 1706799600
    first = page.closed[0]
    assert (first.open, first.volume, first.trades) == (Decimal("43437.5"), Decimal("18.75430110"), 162)
    asyncio.run(PublicApi(source).candles(names().pair("BTC/USDT"), 1))
    assert source.asked[-1] == ("OHLC", REQUESTS["ohlc_1m"]["encoded"])


def test_a_length_that_kraken_does_not_keep_is_refused_here() -> None:
    with pytest.raises(BadInput, match="10080"):
        asyncio.run(PublicApi(Canned()).candles(names().pair("BTC/USDT"), 7))


def test_trades_and_depth() -> None:
    trades = {
        "XXBTZUSD": [
            ["30243.40000", "0.34507674", Decimal("1688669597.8277369"), "b", "m", "", 61044952],
            ["30243.30000", "0.00376960", "1688669598.2804112", "s", "l", "", 61044953],
        ],
        "last": "1688671969993150842",
    }
    depth = {"XXBTZUSD": {"asks": [["30384.1", "2.059", 1688671659]], "bids": [["30297.0", "1.115", 1688671636]]}}
    api = PublicApi(Canned(Trades=trades, Depth=depth))
    pair = names().pair("BTC/USD")
    page, book = asyncio.run(api.trades(pair)), asyncio.run(api.depth(pair))
    assert page.last == 1688671969993150842 and [each.trade_id for each in page.trades] == [61044952, 61044953]
    assert page.trades[1].side is Side.SELL and page.trades[1].qty == Decimal("0.00376960")
    assert book.asks[0].price == Decimal("30384.1") and book.bids[0].qty == Decimal("1.115")


def test_an_answer_about_another_pair_is_no_answer() -> None:
    with pytest.raises(MalformedAnswer, match="tells nothing of BTC/USD"):
        asyncio.run(PublicApi(Canned(Ticker={"XETHZUSD": {}})).tickers([names().pair("BTC/USD")]))


@pytest.mark.parametrize("displayed", [ASSETS, KrakenRefused("no", refusal=Refusal.ARGUMENTS, codes=("x",))])
def test_names_are_read_even_where_display_names_are_not_told(displayed: Any) -> None:
    def assets(fields: Mapping[str, Any]) -> Any:
        if fields.get("assetVersion") and isinstance(displayed, Exception):
            raise displayed
        return ASSETS

    found = asyncio.run(PublicApi(Canned(Assets=assets, AssetPairs=PAIRS)).names())
    assert found.pair("BTC/USD").altname == "XBTUSD" and found.coin("XXDG") == "DOGE"
