"""Names and rules: by Kraken's own tables, never by the letters."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shell.errors import DataError
from shell.exchange.kraken.pairs import PairStatus, read_names
from shell.money import BaseQty, QuoteAmount
from tests.shell.exchange.kraken.payloads_of import ASSETS, PAIRS, asset_row, names, pair_row, result


def test_a_recorded_pair() -> None:
    recorded = read_names(result("http_asset_pairs"), ASSETS).pair("BTC/USDT")
    rules = recorded.pair
    assert (rules.tick, rules.lot, rules.min_qty, rules.min_cost) == (
        Decimal("0.1"), Decimal("1E-8"), BaseQty("0.00005"), QuoteAmount("0.5"),
    )  # fmt: skip
    assert (recorded.price_decimals, recorded.qty_decimals, recorded.status) == (1, 8, PairStatus.ONLINE)
    assert recorded.taker_fees[0].fee_pct == Decimal("0.004") and recorded.maker_fees[-1].fee_pct == 0
    assert [tier.volume for tier in recorded.taker_fees][:2] == [0, 10000]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("XXBTZUSD", "BTC/USD"), ("XBTUSD", "BTC/USD"), ("XBT/USD", "BTC/USD"), ("BTC/USD", "BTC/USD"), ("XDGUSD", "DOGE/USD"),
        ("XDG/USD", "DOGE/USD"), ("XETHZUSD", "ETH/USD"), ("SOLUSD", "SOL/USD"), ("XBTUSDT", "BTC/USDT"),
    ],
)  # fmt: skip
def test_every_name_leads_to_the_same_pair(name: str, symbol: str) -> None:
    assert names().symbol_of(name) == symbol


@pytest.mark.parametrize(
    ("asset", "coin"),
    [("XXBT", "BTC"), ("XBT", "BTC"), ("XBT.F", "BTC"), ("XXBT.B", "BTC"), ("ZUSD", "USD"), ("USD.M", "USD"), ("XDG", "DOGE"),
     ("BTC", "BTC"), ("SOL.S", "SOL"), ("USDT", "USDT"), ("XYZ", "XYZ"), ("XYZ.F", "XYZ.F"), ("ETH2.Q", "ETH2.Q"), ("", "")],
)  # fmt: skip
def test_every_name_and_suffix_of_a_coin(asset: str, coin: str) -> None:
    assert names().coin(asset) == coin


def test_letters_are_never_taken_off() -> None:
    """XTZ, ZRX and XXLM-like names begin with the letters that old names were given in front."""
    assets = {**ASSETS, "XTZ": asset_row("XTZ", 8), "ZRX": asset_row("ZRX", 10), "ZED": asset_row("ZED", 8)}
    pairs = {
        "XTZUSD": pair_row("XTZUSD", "XTZ/USD", "XTZ", "ZUSD", 4, "1"),
        "ZRXUSD": pair_row("ZRXUSD", "ZRX/USD", "ZRX", "ZUSD", 4, "1"),
    }
    found = read_names(pairs, assets)
    assert [pair.symbol for pair in found.pairs] == ["XTZ/USD", "ZRX/USD"] and found.coin("ZED") == "ZED"


def test_display_names_come_from_the_venue_where_it_tells_them() -> None:
    assets = {**ASSETS, "LUNA": asset_row("LUNA", 8)}
    pairs = {**PAIRS, "LUNAUSD": pair_row("LUNAUSD", "LUNA/USD", "LUNA", "ZUSD", 8, "1")}
    told = {"BTC": asset_row("XBT", 10), "LUNC": asset_row("LUNA", 8), "USD": asset_row("USD", 4), "DOGE": asset_row("XDG", 8)}
    found = read_names(pairs, assets, told)
    assert found.symbol_of("LUNAUSD") == "LUNC/USD" and found.symbol_of("XBTUSD") == "BTC/USD"
    ignored = read_names(pairs, assets, assets)
    assert ignored.symbol_of("LUNAUSD") == "LUNA/USD" and ignored.symbol_of("XDGUSD") == "DOGE/USD"


def test_the_coarser_precision_holds() -> None:
    """freqtrade #11765: a coin may have fewer decimals than its pair."""
    pair = names().pair("COARSE/USD")
    assert pair.qty_decimals == 5 and pair.pair.round_qty(Decimal("1.23456789")) == BaseQty("1.23456")


def test_dark_pools_and_other_venues_are_left_out() -> None:
    dark = {key: value for key, value in PAIRS["XXBTZUSD"].items() if key != "wsname"}
    other = pair_row("XBTUSD", "XBT/USD", "XXBT", "ZUSD", 1, "1", execution_venue="elsewhere")
    found = read_names({"XXBTZUSD.d": dark, "OTHER": other, "XXBTZUSD": {**PAIRS["XXBTZUSD"], "execution_venue": "international"}}, ASSETS)
    assert [pair.key for pair in found.pairs] == ["XXBTZUSD"]


def test_what_is_not_traded_is_said() -> None:
    with pytest.raises(DataError, match="Kraken does not trade BTC/XYZ"):
        names().pair("BTC/XYZ")
    assert names().symbol_of("SOMEPAIR") == "SOMEPAIR"


def test_a_status_we_do_not_know_opens_nothing() -> None:
    pairs = {"A": pair_row("XBTUSD", "XBT/USD", "XXBT", "ZUSD", 1, "1", status="half_open")}
    assert read_names(pairs, ASSETS).pair("BTC/USD").status is PairStatus.OTHER
