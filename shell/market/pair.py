"""A traded pair and its rounding. On the real exchange these values come from AssetPairs at start-up, never from here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from shell.errors import BadInput
from shell.money import BaseQty, Price, QuoteAmount, quantise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One pair: `tick` is the price step, `lot` the quantity step, `min_qty` and `min_cost` the venue's minimum order."""

    symbol: str
    tick: Decimal
    lot: Decimal
    min_qty: BaseQty
    min_cost: QuoteAmount

    @property
    def base(self) -> str:
        return self.symbol.split("/")[0]

    @property
    def quote(self) -> str:
        return self.symbol.split("/")[1]

    def round_price(self, price: Decimal, rounding: str = ROUND_DOWN) -> Price:
        return Price.of(quantise(price, self.tick, rounding))

    def round_price_up(self, price: Decimal) -> Price:
        return Price.of(quantise(price, self.tick, ROUND_UP))

    def round_qty(self, qty: Decimal) -> BaseQty:
        """Down, always: a quantity rounded up can exceed a limit or a holding."""
        return BaseQty.of(quantise(qty, self.lot, ROUND_DOWN))


# Tick and minimum quantity of well-known coins against USD or USDT as Kraken's AssetPairs gave them (read November 2025);
# used by backtests and replays, where there is no exchange to ask.
_KNOWN: dict[str, tuple[str, str]] = {
    "BTC": ("0.1", "0.00005"),
    "ETH": ("0.01", "0.001"),
    "SOL": ("0.01", "0.02"),
    "XRP": ("0.00001", "1"),
    "ADA": ("0.000001", "2"),
    "LTC": ("0.01", "0.04"),
    "DOGE": ("0.0000001", "13"),
    "BNB": ("0.01", "0.005"),
}
_USD_LIKE = ("USD", "USDT", "USDC")


def parse_symbol(text: str) -> str:
    """`BTC/USD` from `BTC/USD`, `BTC-USD` or lower case. Raises BadInput for anything else."""
    symbol = text.strip().upper().replace("-", "/")
    parts = symbol.split("/")
    if len(parts) != 2 or not all(part.isalnum() for part in parts):
        raise BadInput(f"{text!r} is not a symbol: write BASE-QUOTE, such as BTC-USD")
    return symbol


def replay_pair(symbol: str, reference_price: float) -> Pair:
    """The pair to use where no exchange can be asked: known coins by the table, others with six significant digits."""
    base, quote = symbol.split("/")
    if base in _KNOWN and quote in _USD_LIKE:
        tick, min_qty = _KNOWN[base]
    else:
        exponent = math.floor(math.log10(reference_price)) - 5 if reference_price > 0 else -8
        tick, min_qty = f"1e{max(min(exponent, 0), -10)}", "0.00001"
    return Pair(symbol=symbol, tick=Decimal(tick), lot=Decimal("1e-8"), min_qty=BaseQty(min_qty), min_cost=QuoteAmount("0.5"))
