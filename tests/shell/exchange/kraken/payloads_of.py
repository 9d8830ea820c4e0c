"""The recorded payloads, and what the tests build around them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from shell.exchange.kraken.pairs import Names, read_names
from shell.exchange.kraken.wire import parse_json

FOLDER = Path(__file__).parent / "payloads"


def payload(name: str) -> Any:
    """One file, parsed as the client parses."""
    return parse_json((FOLDER / f"{name}.json").read_bytes())


def result(name: str) -> Any:
    return payload(name)["result"]


def asset_row(altname: str, decimals: int) -> dict[str, Any]:
    return {"aclass": "currency", "altname": altname, "decimals": decimals, "display_decimals": 5, "status": "enabled"}


def pair_row(altname: str, wsname: str, base: str, quote: str, price_decimals: int, ordermin: str, **more: Any) -> dict[str, Any]:
    row = {
        "altname": altname, "wsname": wsname, "base": base, "quote": quote, "pair_decimals": price_decimals,
        "cost_decimals": 5, "lot_decimals": 8, "ordermin": ordermin, "costmin": "0.5",
        "tick_size": f"{Decimal(1).scaleb(-price_decimals):f}", "status": "online",
        "fees": [[0, Decimal("0.4")], [10000, Decimal("0.35")]], "fees_maker": [[0, Decimal("0.25")]],
    }  # fmt: skip
    return {**row, **more}


ASSETS = {
    "XXBT": asset_row("XBT", 10), "XETH": asset_row("ETH", 10), "XXDG": asset_row("XDG", 8), "SOL": asset_row("SOL", 10),
    "LTC": asset_row("LTC", 10), "USDT": asset_row("USDT", 8), "ZUSD": asset_row("USD", 4), "COARSE": asset_row("COARSE", 5),
}  # fmt: skip
PAIRS = {
    "XXBTZUSD": pair_row("XBTUSD", "XBT/USD", "XXBT", "ZUSD", 1, "0.00005"),
    "XETHZUSD": pair_row("ETHUSD", "ETH/USD", "XETH", "ZUSD", 2, "0.001"),
    "XDGUSD": pair_row("XDGUSD", "XDG/USD", "XXDG", "ZUSD", 7, "13"),
    "SOLUSD": pair_row("SOLUSD", "SOL/USD", "SOL", "ZUSD", 2, "0.02"),
    "XBTUSDT": pair_row("XBTUSDT", "XBT/USDT", "XXBT", "USDT", 1, "0.00005"),
    "ETHUSDT": pair_row("ETHUSDT", "ETH/USDT", "XETH", "USDT", 2, "0.001"),
    "LTCUSDT": pair_row("LTCUSDT", "LTC/USDT", "LTC", "USDT", 5, "0.04"),
    "COARSEUSD": pair_row("COARSEUSD", "COARSE/USD", "COARSE", "ZUSD", 3, "1"),
}


def names() -> Names:
    return read_names(PAIRS, ASSETS)
