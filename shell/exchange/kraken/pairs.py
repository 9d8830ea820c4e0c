"""Kraken's names and rules for coins and pairs, from AssetPairs and Assets, never by taking letters off.

One pair has five names: XXBTZUSD keys results, XBTUSD is its altname, XBT/USD its wsname, BTC/USD the name of WebSocket v2
and ours. A coin has up to three (XXBT, XBT, BTC), and a balance may end in .F, .B, .M, .S or .T: the same coin, held
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from shell.errors import DataError
from shell.exchange.kraken.wire import Fields, number_of
from shell.market.pair import Pair
from shell.money import BaseQty, QuoteAmount

# Display names of the coins whose altname is not theirs, for a venue that does not tell (docs.kraken.com, "Assets").
_DISPLAY = {"XBT": "BTC", "XDG": "DOGE"}
BALANCE_SUFFIXES = frozenset({"F", "B", "M", "S", "T", "P"})
VENUE = "international"


class PairStatus(str, Enum):
    """What the venue takes on a pair now."""

    ONLINE = "online"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    LIMIT_ONLY = "limit_only"
    REDUCE_ONLY = "reduce_only"
    OTHER = "other"
    """Any other: nothing may be opened on it."""

    @classmethod
    def of(cls, text: str) -> PairStatus:
        return cls(text) if text in cls._value2member_map_ else cls.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTier:
    """From `volume` (30 days, in the account's fee currency) on, a fee of `fee_pct`, a fraction of the trade's value."""

    volume: Decimal
    fee_pct: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class KrakenPair:
    """One pair. `pair` has its rounding and minimums as the rest of the shell knows them."""

    pair: Pair
    key: str
    altname: str
    wsname: str
    base_key: str
    quote_key: str
    price_decimals: int
    qty_decimals: int
    cost_decimals: int
    status: PairStatus
    taker_fees: tuple[FeeTier, ...]
    maker_fees: tuple[FeeTier, ...]

    @property
    def symbol(self) -> str:
        """BTC/USD: our name and that of WebSocket v2."""
        return self.pair.symbol

    @property
    def names(self) -> tuple[str, ...]:
        """Every name an answer may use for it."""
        return (self.key, self.altname, self.wsname, self.symbol)


class Names:
    """Every pair and coin of the venue, by any of their names."""

    def __init__(self, pairs: Iterable[KrakenPair], coins: Mapping[str, str]) -> None:
        self.pairs = tuple(pairs)
        self._coins = dict(coins)
        self._by_symbol = {pair.symbol: pair for pair in self.pairs}
        # A result key or altname wins over another pair's display name.
        self._by_name = {name: pair for pair in self.pairs for name in (pair.symbol, pair.wsname)}
        self._by_name |= {name: pair for pair in self.pairs for name in (pair.altname, pair.key)}

    def pair(self, symbol: str) -> KrakenPair:
        """The pair we call `symbol` ("BTC/USD"). Raises DataError when Kraken does not trade it."""
        found = self._by_symbol.get(symbol)
        if found is None:
            raise DataError(f"Kraken does not trade {symbol}: take it out of the symbols, or check how it is written")
        return found

    def find(self, name: str) -> KrakenPair | None:
        """The pair of any of its names."""
        return self._by_name.get(name)

    def symbol_of(self, name: str) -> str:
        """Our name of a pair, or `name` itself for one that we do not know (an order someone else made)."""
        found = self.find(name)
        return name if found is None else found.symbol

    def coin(self, asset: str) -> str:
        """Our name of a coin or currency, whatever its name and suffix: XXBT, XBT and XBT.F are BTC, ZUSD is USD.

        An asset that the venue does not list keeps its name, suffix included, so that it is seen.
        """
        if asset in self._coins:
            return self._coins[asset]
        stem, dot, suffix = asset.rpartition(".")
        if dot and suffix in BALANCE_SUFFIXES and stem in self._coins:
            return self._coins[stem]
        return asset


def read_names(asset_pairs: Any, assets: Any, display_assets: Any = None) -> Names:
    """Names from the results of AssetPairs, Assets and, where the venue answers it, Assets with assetVersion=1.

    Pairs without a wsname (dark pools) and those of another execution venue are left out.
    """
    known = Fields(assets, "Assets")
    displayed = _displayed(display_assets)
    coins: dict[str, str] = {}
    decimals: dict[str, int] = {}
    for key, value in known.items():
        asset = Fields(value, f"Assets.{key}")
        altname = asset.text("altname")
        told = displayed.get(altname)
        # A venue that ignores assetVersion answers with its old keys: XXBT tells nothing, SOL does.
        name = told if told is not None and (told != key or key == altname) else _DISPLAY.get(altname, altname)
        decimals[key] = asset.integer("decimals")
        for each in (altname, key):
            coins[each] = name
        coins.setdefault(name, name)
    pairs = []
    for key, value in Fields(asset_pairs, "AssetPairs").items():
        pair = Fields(value, f"AssetPairs.{key}")
        if "wsname" in pair and pair.text("execution_venue", VENUE) == VENUE:
            pairs.append(_pair(key, pair, coins, decimals))
    return Names(pairs, coins)


def _displayed(display_assets: Any) -> dict[str, str]:
    """Altname -> the display name that keys the result."""
    if display_assets is None:
        return {}
    items = Fields(display_assets, "Assets (assetVersion=1)").items()
    return {Fields(value, f"Assets.{key}").text("altname"): key for key, value in items}


def _pair(key: str, pair: Fields, coins: Mapping[str, str], decimals: Mapping[str, int]) -> KrakenPair:
    base, quote = pair.text("base"), pair.text("quote")
    wsname = pair.text("wsname")
    ws_base, _, ws_quote = wsname.partition("/")
    name_of = {base: ws_base, quote: ws_quote}
    symbol = "/".join(coins.get(each) or _DISPLAY.get(name_of[each], name_of[each]) for each in (base, quote))
    price_decimals = pair.integer("pair_decimals")
    # The coin's own decimals may be coarser than the pair's: the coarser one is what can be held.
    qty_decimals = min(pair.integer("lot_decimals"), decimals.get(base, 99))
    rules = Pair(
        symbol=symbol,
        tick=pair.number("tick_size", Decimal(1).scaleb(-price_decimals)),
        lot=Decimal(1).scaleb(-qty_decimals),
        min_qty=BaseQty(pair.number("ordermin", Decimal(0))),
        min_cost=QuoteAmount(pair.number("costmin", Decimal(0))),
    )
    return KrakenPair(
        pair=rules,
        key=key,
        altname=pair.text("altname"),
        wsname=wsname,
        base_key=base,
        quote_key=quote,
        price_decimals=price_decimals,
        qty_decimals=qty_decimals,
        cost_decimals=pair.integer("cost_decimals", price_decimals),
        status=PairStatus.of(pair.text("status", "online")),
        taker_fees=_tiers(pair, "fees"),
        maker_fees=_tiers(pair, "fees_maker") or _tiers(pair, "fees"),
    )


def _tiers(pair: Fields, key: str) -> tuple[FeeTier, ...]:
    if key not in pair:
        return ()
    tiers = []
    for at, row in enumerate(pair.values_of(key)):
        volume, percent = (number_of(value, f"{pair.where}.{key}[{at}]") for value in row)
        tiers.append(FeeTier(volume=volume, fee_pct=percent / 100))
    return tuple(tiers)
