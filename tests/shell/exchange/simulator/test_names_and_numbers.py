"""Names under which Kraken knows coins and pairs, and the digits it writes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.exchange.simulator.names import Directory, listing_of
from shell.exchange.simulator.precision import cut, decimals_of, encode, fixed, number, raise_to
from shell.exchange.simulator.refusal import Refusal
from tests.shell.exchange.simulator.kit import desk, public, still_tape

AMOUNTS = st.decimals(min_value="-1e9", max_value="1e9", places=10)


@pytest.mark.parametrize(
    ("symbol", "key", "altname", "wsname"),
    [
        ("BTC/USD", "XXBTZUSD", "XBTUSD", "XBT/USD"),
        ("ETH/USD", "XETHZUSD", "ETHUSD", "ETH/USD"),
        ("DOGE/USD", "XDGUSD", "XDGUSD", "XDG/USD"),
        ("XRP/USD", "XXRPZUSD", "XRPUSD", "XRP/USD"),
        ("LTC/EUR", "XLTCZEUR", "LTCEUR", "LTC/EUR"),
        ("SOL/USD", "SOLUSD", "SOLUSD", "SOL/USD"),
        ("BTC/USDT", "XBTUSDT", "XBTUSDT", "XBT/USDT"),
        ("ETH/BTC", "XETHXXBT", "ETHXBT", "ETH/XBT"),
    ],
)
def test_a_pair_has_krakens_names(symbol: str, key: str, altname: str, wsname: str) -> None:
    pair = listing_of(symbol, 1.0)
    assert (pair.key, pair.altname, pair.wsname, pair.symbol) == (key, altname, wsname, symbol)
    directory = Directory([pair])
    assert all(directory.pair(name) is pair for name in (key, altname, wsname, symbol, altname.lower()))
    with pytest.raises(Refusal, match="EQuery:Unknown asset pair"):
        directory.pair(f"{altname}X")


def test_results_are_keyed_by_the_result_key_whatever_was_asked() -> None:
    exchange = desk()
    for asked in ("XBTUSD", "XXBTZUSD", "XBT/USD", "BTC/USD"):
        assert list(public(exchange, f"Ticker?pair={asked}")["result"]) == ["XXBTZUSD"]
    assert list(public(exchange, "Ticker?pair=XBTUSD&assetVersion=1")["result"]) == ["BTC/USD"]
    assert public(exchange, "Ticker?pair=XBTUSD,NOPE") == {"error": ["EQuery:Unknown asset pair"]}
    assert list(public(exchange, "Assets?asset=XBT")["result"]) == ["XXBT"]


def test_a_tether_pair_is_its_altname_and_its_base_keeps_the_old_code() -> None:
    told = public(desk(tape=still_tape(("BTC/USDT",))), "AssetPairs?pair=BTC/USDT")["result"]["XBTUSDT"]
    assert (told["base"], told["quote"], told["tick_size"], told["pair_decimals"]) == ("XXBT", "USDT", "0.1", 1)
    assert (told["ordermin"], told["costmin"], told["status"]) == ("0.00005", "0.5", "online")
    assert told["fees"][0] == [0, Decimal("0.40")]
    assert told["fees_maker"][0] == [0, Decimal("0.25")]


@pytest.mark.parametrize("text", ["1e-05", "nan", "inf", "", "1,5", "0x10", "\u0661", None, True, [1], "1" * 50])
def test_what_is_no_plain_number_is_none(text: object) -> None:
    assert number(text) is None


@given(AMOUNTS, st.integers(0, 10))
def test_cutting_never_grows_and_raising_never_shrinks(value: Decimal, decimals: int) -> None:
    assert abs(cut(value, decimals)) <= abs(value) <= abs(raise_to(value, decimals))
    assert decimals_of(cut(value, decimals)) <= decimals
    assert Decimal(fixed(value, decimals)) == cut(value, decimals)


@given(st.recursive(AMOUNTS | st.text() | st.booleans() | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_written_json_reads_back_as_it_was(value: object) -> None:
    assert json.loads(encode(value), parse_float=Decimal) == value


def test_trailing_zeros_and_small_numbers_are_written_out() -> None:
    assert encode({"a": Decimal("0.10000000"), "b": Decimal("1E-8")}) == '{"a":0.10000000,"b":0.00000001}'
    with pytest.raises(TypeError):
        encode(0.1)
