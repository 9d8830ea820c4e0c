"""Opening a home: settings, database, candles, market book and the shell over them. Every way of running starts here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shell.book_setup import fees_of, pairs_of
from shell.clock import from_ms
from shell.config import Settings
from shell.errors import DataError
from shell.exchange.reconciler import Notify
from shell.home import Home, HomeLock
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.book import MarketBook, ReplayFeed
from shell.market.history import History
from shell.market.seed import seed_home
from shell.market.tiers import full_history
from shell.promotion.workspace import Workspace
from shell.service import Shell
from shell.settings_file import load_settings
from shell.store.candles import CandleStore
from shell.store.place import open_store, store_place
from shell.store.store import Store
from shell.venue import MarketFacts, Venue

SOURCE_FACT = "market.source"
WARM_UP = timedelta(days=30)
VenueOf = Callable[[Store, MarketFacts, Notify], Venue]
"""Makes what a shell trades on, once its store is open and the market is known."""


@dataclass(slots=True)
class OpenHome:
    """A home held by this process: its shell, and everything that has to be let go of again."""

    home: Home
    settings: Settings
    store: Store
    candles: CandleStore
    archive: Archive
    shell: Shell
    held: ExitStack

    def close(self) -> None:
        """Let go of everything; the shell's own shutdown comes before this."""
        self.shell.close()
        self.held.close()


def settings_for(home: Home, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a home with overrides on top. Raises SettingsError with every mistake."""
    return load_settings(home.config, environ=os.environ, overrides=overrides)


def account_overrides(symbols: Sequence[str]) -> dict[str, Any]:
    """What the settings must say of the account to trade `symbols`: all in one quote currency."""
    quotes = sorted({symbol.split("/")[1] for symbol in symbols})
    if len(quotes) != 1:
        raise DataError(f"the symbols are quoted in {' and '.join(quotes)}; one account trades one quote currency")
    return {"account.symbols": list(symbols), "account.quote": quotes[0]}


def open_replay(
    home: Home, settings: Settings, history: History, start: datetime, end: datetime, lock: HomeLock | None = None,
    venue: VenueOf | None = None,
) -> OpenHome:
    """A shell whose market is a replay of `history` from `start` to `end`, its past being what closed before.

    `lock` is the home's, if the caller holds it already. Without `venue` the main book is filled on paper.
    """
    home.create()
    held = ExitStack()
    try:
        if lock is None:
            held.enter_context(HomeLock(home))
        store = held.enter_context(open_store(home))
        furnish(home)
        candles, archive = CandleStore(store), Archive(home.archive)
        store.facts.set(SOURCE_FACT, f"{history.source}|{'real' if history.real else 'synthetic'}", start)
        seed_home(history, candles, archive, start)
        market = MarketBook(
            history.symbols, ReplayFeed(history, history.symbols, start, end), spread_pct=spread_of(settings)
        )
        market.preload(history, start)
        shell = _shell(home, settings, store, candles, archive, market, history, venue)
    except BaseException:
        held.close()
        raise
    return OpenHome(home, settings, store, candles, archive, shell, held)


def open_stored(home: Home, settings: Settings, now: datetime) -> OpenHome:
    """A shell whose market is what its own candle store holds: for ad hoc runs while no exchange is connected.

    Raises DataError, with the command that helps, when there are no candles of a symbol.
    """
    home.create()
    held = ExitStack()
    try:
        held.enter_context(HomeLock(home))
        store = held.enter_context(open_store(home))
        furnish(home)
        candles, archive = CandleStore(store), Archive(home.archive)
        symbols = settings.account.symbols
        missing = [symbol for symbol in symbols if candles.span(symbol, Tier.M5) is None]
        if missing:
            raise DataError(
                f"there are no 5m candles of {', '.join(missing)} in {home.database}: bring them in with "
                "`brain data import FOLDER`, or name other symbols under [account] in config/settings.toml"
            )
        state = store.books.load("main")
        begin = state.last_scan if state is not None and state.last_scan is not None else now
        history = _labelled(full_history(candles, archive, symbols, begin - WARM_UP, now), store)
        market = MarketBook(symbols, ReplayFeed(history, symbols, begin, now), spread_pct=spread_of(settings))
        market.preload(history, begin)
        shell = _shell(home, settings, store, candles, archive, market, history)
    except BaseException:
        held.close()
        raise
    return OpenHome(home, settings, store, candles, archive, shell, held)


def furnish(home: Home) -> None:
    """Give a private home that has no workspace yet a copy of the project's."""
    template = Home.project().workspace
    if home.workspace != template:
        Workspace(home.workspace).copy_from(template)


def last_stored(home: Home, symbols: Sequence[str]) -> datetime:
    """The newest moment at which every symbol has a closed 5m bar in the home's store. Raises DataError without one."""
    place = store_place(home)
    if isinstance(place, Path) and not place.is_file():
        raise DataError(f"there is no database at {place} yet: `brain data import FOLDER` makes one")
    with open_store(home) as store:
        candles = CandleStore(store)
        spans = {symbol: candles.span(symbol, Tier.M5) for symbol in symbols}
    missing = [symbol for symbol, span in spans.items() if span is None]
    if missing:
        raise DataError(f"there are no 5m candles of {', '.join(missing)}: bring them in with `brain data import FOLDER`")
    return from_ms(min(span[1] for span in spans.values() if span is not None) + Tier.M5.ms)


def _shell(
    home: Home, settings: Settings, store: Store, candles: CandleStore, archive: Archive, market: MarketBook,
    history: History, venue: VenueOf | None = None,
) -> Shell:
    facts = MarketFacts(
        pairs=pairs_of(history), fees=fees_of(market.symbols, settings.paper), source=history.source, real=history.real
    )
    chosen = venue(store, facts, lambda *told: shell.notify(*told)) if venue is not None else Venue(facts=facts)
    shell = Shell(
        home=home, settings=settings, store=store, candles=candles, archive=archive, market=market, venue=chosen
    )
    return shell


def _labelled(history: History, store: Store) -> History:
    label = store.facts.get(SOURCE_FACT) or "imported candles|real"
    source, _, kind = label.partition("|")
    return History(m5=history.m5, h1=history.h1, d1=history.d1, source=source, real=kind == "real")


def spread_of(settings: Settings) -> float:
    """The spread to assume where none is known; slippage 0 asks for exact prices, so it means no spread either."""
    return float(settings.paper.spread_pct) if settings.paper.slippage_pct else 0.0
