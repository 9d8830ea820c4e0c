"""Coins and pairs under all the names Kraken has for them.

One coin has three: the REST asset (XXBT), its altname (XBT) and the display name that v2 uses (BTC). One pair has four:
the key of REST results (XXBTZUSD), its altname (XBTUSD), the REST wsname (XBT/USD) and the v2 symbol (BTC/USD).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from shell.exchange.simulator.precision import decimals_of, step_of
from shell.exchange.simulator.refusal import UNKNOWN_ASSET, UNKNOWN_PAIR, Refusal
from shell.market.pair import replay_pair

# display name: (REST asset, altname, decimals). Kraken's Assets, read November 2025; others carry no prefix, 10 decimals.
_COINS: dict[str, tuple[str, str, int]] = {
    "BTC": ("XXBT", "XBT", 10),
    "ETH": ("XETH", "ETH", 10),
    "DOGE": ("XXDG", "XDG", 8),
    "XRP": ("XXRP", "XRP", 8),
    "LTC": ("XLTC", "LTC", 10),
    "XLM": ("XXLM", "XLM", 8),
    "XMR": ("XXMR", "XMR", 10),
    "ETC": ("XETC", "ETC", 10),
    "ZEC": ("XZEC", "ZEC", 10),
    "USD": ("ZUSD", "USD", 4),
    "EUR": ("ZEUR", "EUR", 4),
    "GBP": ("ZGBP", "GBP", 4),
    "CAD": ("ZCAD", "CAD", 4),
    "JPY": ("ZJPY", "JPY", 2),
    "USDT": ("USDT", "USDT", 8),
    "USDC": ("USDC", "USDC", 8),
    "ADA": ("ADA", "ADA", 8),
}
_FIAT = {"USD", "EUR", "GBP", "CAD", "JPY"}
_SUFFIXES = (".F", ".B", ".M", ".S", ".T")
LOT_DECIMALS = 8
COST_DECIMALS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One currency. `decimals` is the last unit of its balances."""

    code: str
    altname: str
    display: str
    decimals: int

    @property
    def display_decimals(self) -> int:
        return 2 if self.display in _FIAT else 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One pair: its names, its steps (`tick` of prices, `lot` of volumes) and its minimum order."""

    key: str
    altname: str
    wsname: str
    symbol: str
    base: Asset
    quote: Asset
    price_decimals: int
    lot_decimals: int
    cost_decimals: int
    tick: Decimal
    order_min: Decimal
    cost_min: Decimal

    @property
    def lot(self) -> Decimal:
        return step_of(self.lot_decimals)

    @property
    def money_decimals(self) -> int:
        """Decimals of a cost or a fee: no finer than the balance it is booked on, so that no unit is lost between."""
        return min(self.cost_decimals, self.quote.decimals)


def asset_named(display: str) -> Asset:
    """The asset of a display name such as BTC."""
    code, altname, decimals = _COINS.get(display, (display, display, 10))
    return Asset(code=code, altname=altname, display=display, decimals=decimals)


def listing_of(symbol: str, reference_price: float) -> Listing:
    """The pair of a v2 symbol. Only pairs of two prefixed assets are keyed by both codes; Dogecoin never is."""
    base, quote = (asset_named(part) for part in symbol.split("/"))
    rules = replay_pair(symbol, reference_price)
    altname = base.altname + quote.altname
    old = base.code != base.altname and quote.code != quote.altname and base.display != "DOGE"
    return Listing(
        key=base.code + quote.code if old else altname,
        altname=altname,
        wsname=f"{base.altname}/{quote.altname}",
        symbol=symbol,
        base=base,
        quote=quote,
        price_decimals=decimals_of(rules.tick),
        lot_decimals=LOT_DECIMALS,
        cost_decimals=COST_DECIMALS,
        tick=rules.tick,
        order_min=rules.min_qty.value,
        cost_min=rules.min_cost.value,
    )


class Directory:
    """What is traded here, found by any name that Kraken accepts in a REST request."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self.listings: Mapping[str, Listing] = {listing.key: listing for listing in listings}
        self.by_symbol: Mapping[str, Listing] = {listing.symbol: listing for listing in self.listings.values()}
        self.assets: dict[str, Asset] = {}
        self._pairs: dict[str, Listing] = {}
        for listing in self.listings.values():
            for asset in (listing.base, listing.quote):
                self.assets[asset.code] = asset
            joined = listing.symbol.replace("/", "")
            for name in (listing.key, listing.altname, listing.wsname, listing.symbol, joined):
                self._pairs[name] = listing
        self._names = {
            name: asset for asset in self.assets.values() for name in (asset.code, asset.altname, asset.display)
        }

    def pair(self, name: object) -> Listing:
        """The pair of a request. Raises Refusal for one not traded here."""
        found = self._pairs.get(name.strip().upper()) if isinstance(name, str) else None
        if found is None:
            raise Refusal(UNKNOWN_PAIR)
        return found

    def asset(self, name: object) -> Asset:
        """The asset of a request. Raises Refusal for one unknown here."""
        found = self._names.get(name.strip().upper()) if isinstance(name, str) else None
        if found is None:
            raise Refusal(UNKNOWN_ASSET)
        return found

    def split(self, name: str) -> tuple[Asset, str]:
        """The asset and the suffix of a balance such as XBT.F. Raises Refusal for an unknown asset."""
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                return self.asset(name.removesuffix(suffix)), suffix
        return self.asset(name), ""
