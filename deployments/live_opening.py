"""Opening a home on a live market: Kraken's public data, the home's own candles as the past, and the shell over both.

Nothing is traded before Kraken has named its pairs and the newest bars are here; while it cannot be reached this says so, tries
again for as long as it is left running, and can be stopped at any time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any, TypeVar

import numpy as np

from deployments.live_account import LiveAccount
from deployments.opening import SOURCE_FACT, WARM_UP, furnish, spread_of
from shell.book_setup import fees_of
from shell.calls import Calls
from shell.clock import Clock, monotonic, to_ms
from shell.config import Settings
from shell.errors import DataError, Fatal, NotNow, Transient
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.limits import Verification
from shell.exchange.kraken.market_link import MarketLink, reached
from shell.exchange.kraken.pace import Pace, backoff
from shell.exchange.kraken.pairs import KrakenPair, Names
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.public_types import Candle, CandlePage
from shell.exchange.kraken.signing import Credentials
from shell.exchange.live.connection import connect
from shell.exchange.reconciler import Notify
from shell.home import Home, HomeLock
from shell.live_mode import live_blockers
from shell.main_book import KIND_FACT
from shell.market.archive import Archive
from shell.market.bars import Bar, Tier
from shell.market.columns import WIDTH, bars_of
from shell.market.frames import rows_of, to_frame
from shell.market.history import History
from shell.market.importer import import_frame
from shell.market.live import LiveBook
from shell.market.live_inbox import Delivery, LiveInbox
from shell.market.seed import seed_home
from shell.market.tiers import full_history
from shell.secrets import Secrets
from shell.service import Shell
from shell.slots import newest_slot
from shell.store.candles import CandleStore
from shell.store.place import open_store
from shell.store.store import Store
from shell.venue import MarketFacts, Venue

T = TypeVar("T")
Tell = Callable[[datetime, str, str], None]
RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS = 2.0, 30.0
LOOK_SECONDS = 0.2
_MINUTES = {Tier.D1: 1440, Tier.H1: 60, Tier.M5: 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """Whose prices: the addresses, the time that passes there, and for an invented market the past it begins with."""

    addresses: Addresses
    clock: Clock
    pace: Pace
    name: str = "Kraken"
    real: bool = True
    past: History | None = None
    credentials: Credentials | None = None
    """Of an invented exchange; a real account's key is a secret of the environment."""


@dataclass(slots=True)
class LiveHome:
    """A home held by this process with a shell on a live market, not started yet."""

    home: Home
    settings: Settings
    store: Store
    shell: Shell
    market: LiveBook
    inbox: LiveInbox
    calls: Calls
    link: MarketLink
    held: ExitStack

    def link_facts(self) -> Mapping[str, Any]:
        return asdict(self.link.state())

    def close(self) -> None:
        """Stop the feed, the processes and the store; the shell's own shutdown comes before this."""
        self.link.close()
        self.shell.close()
        self.held.close()


def open_live(
    home: Home, settings: Settings, secrets: Secrets, source: LiveSource, *, tell: Tell, stopped: Event
) -> LiveHome:
    """Raises NotNow when live mode is asked for and not possible, when another process has the home, or when `stopped` was
    set before Kraken answered; DataError for symbols that Kraken does not trade."""
    credentials = _credentials(settings, secrets, source)
    home.create()
    held = ExitStack()
    try:
        held.enter_context(HomeLock(home))
        store = held.enter_context(open_store(home))
        furnish(home)
        _require_one_market(store, source)
        _require_one_kind(store, settings.mode)
        calls = Calls()
        inbox = LiveInbox(calls.wake)
        link = MarketLink(
            source.addresses, inbox, clock=source.clock, pace=source.pace, verification=settings.kraken.verification
        )
        link.open()
        held.callback(link.close)
        patience = _Patience(link, source.clock, tell, stopped)
        names = patience.ask("its pairs", lambda api: api.names())
        opening = _Opening(home, settings, store, names, source, patience, credentials, held)
        market, shell = opening.over()
        link.follow(names, (*market.symbols, *market.watched))
    except BaseException:
        held.close()
        raise
    return LiveHome(home, settings, store, shell, market, inbox, calls, link, held)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What is at hand once Kraken has named its pairs. `credentials` are of a live account, None on paper."""

    home: Home
    settings: Settings
    store: Store
    names: Names
    source: LiveSource
    patience: _Patience
    credentials: Credentials | None
    held: ExitStack

    def over(self) -> tuple[LiveBook, Shell]:
        """The market book and the shell over it."""
        settings, store, source = self.settings, self.store, self.source
        candles, archive = CandleStore(store), Archive(self.home.archive)
        symbols = settings.account.symbols
        watched = _watched(store, symbols, self.names, source, self.patience)
        now = source.clock.now()
        if source.past is not None and candles.span(symbols[0], Tier.M5) is None:
            seed_home(source.past, candles, archive, now)
        _fetch_recent(self.names, symbols, candles, archive, source, self.patience)
        store.facts.set(SOURCE_FACT, f"{source.name}|{'real' if source.real else 'synthetic'}", now)
        market = _book(settings, store, candles, archive, tuple(watched), now)
        facts = MarketFacts(
            pairs={symbol: self.names.pair(symbol).pair for symbol in symbols},
            fees=fees_of((*symbols, *watched), settings.paper), source=source.name, real=source.real, watched=watched,
        )
        shell = Shell(
            home=self.home, settings=settings, store=store, candles=candles, archive=archive, market=market,
            venue=self._venue(facts, lambda *told: shell.notify(*told)),
        )
        return market, shell

    def _venue(self, facts: MarketFacts, notify: Notify) -> Venue:
        """Paper, or the account with its connection opened. Raises NotNow where it cannot be reached."""
        if self.credentials is None:
            return Venue(facts=facts)
        source = self.source
        try:
            connection = connect(
                source.addresses, self.credentials, clock=source.clock, nonces=self.home.database.parent,
                verification=Verification(self.settings.kraken.verification), pace=source.pace,
            )
        except (Transient, Fatal) as error:
            raise NotNow(f"live mode is refused: the account cannot be reached: {error}") from None
        self.held.callback(connection.close)
        return LiveAccount(
            connection, home=self.home, settings=self.settings, credentials=self.credentials, store=self.store, facts=facts,
            clock=source.clock, pace=source.pace, notify=notify,
        ).venue()


def _credentials(settings: Settings, secrets: Secrets, source: LiveSource) -> Credentials | None:
    """The key of the account to trade on, None on paper. Raises NotNow with everything that real money still lacks."""
    if settings.mode != "live":
        return None
    if source.credentials is not None:
        return source.credentials
    # The wall around strategies is measured when the shell starts, and refuses then.
    missing = live_blockers(settings, secrets, isolation_gap="")
    if missing or secrets.kraken_api_key is None or secrets.kraken_api_secret is None:
        raise NotNow(f"live mode is refused: {'; '.join(missing)}")
    return Credentials(key=secrets.kraken_api_key, secret=secrets.kraken_api_secret)


def _book(
    settings: Settings, store: Store, candles: CandleStore, archive: Archive, watched: Sequence[str], now: datetime
) -> LiveBook:
    """The book as of the newest scan. What closed since is told to it as a gap: stops were not watched meanwhile."""
    symbols, newest = settings.account.symbols, newest_slot(now)
    state = store.books.load("main")
    begin = newest
    if state is not None and state.last_scan is not None:
        begin = min(state.last_scan, newest)
    market = LiveBook(symbols, watched=watched, spread_pct=spread_of(settings))
    history = full_history(candles, archive, symbols, begin - WARM_UP, newest)
    market.preload(history, begin)
    since: list[Bar] = []
    for symbol, frame in history.m5.items():
        rows = rows_of(frame)
        since += bars_of(symbol, Tier.M5, rows[int(np.searchsorted(rows[:, 0], to_ms(begin))) :])
    market.take(Delivery(bars=since))
    return market


def _watched(
    store: Store, symbols: Sequence[str], names: Names, source: LiveSource, patience: _Patience
) -> dict[str, Any]:
    """Pairs of positions and orders whose symbol has left the settings."""
    held: set[str] = set()
    for book in store.books.names():
        state = store.books.load(book)
        if state is not None:
            held |= {*state.ledger.positions, *(order.approved.intent.symbol for order in state.open_orders)}
    found = {}
    for symbol in sorted(held - set(symbols)):
        now = source.clock.now()
        try:
            found[symbol] = names.pair(symbol).pair
        except DataError as error:
            patience.tell(now, "warning", f"a position in {symbol} cannot be watched: {error}")
            continue
        patience.tell(now, "watch", f"{symbol} has left the settings; its position stays watched and protected")
    return found


def _fetch_recent(
    names: Names, symbols: Sequence[str], candles: CandleStore, archive: Archive, source: LiveSource, patience: _Patience
) -> None:
    """The newest 720 bars of every length, the coarsest first: what is built from finer bars knows more and wins."""
    for symbol in symbols:
        pair = names.pair(symbol)
        for tier, minutes in _MINUTES.items():
            page = patience.ask(f"{symbol} {tier.value}", partial(_candles, pair, minutes))
            # REST writes a bar without trades as one flat row; nothing is invented here.
            rows = _rows([candle for candle in page.closed if candle.trades > 0])
            if len(rows):
                import_frame(symbol, tier, to_frame(rows), source.name, candles, archive, source.clock.now())


async def _candles(pair: KrakenPair, minutes: int, api: PublicApi) -> CandlePage:
    return await api.candles(pair, minutes)


def _rows(closed: Sequence[Candle]) -> Any:
    rows = np.empty((len(closed), WIDTH))
    for at, bar in enumerate(closed):
        prices = (float(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume))
        rows[at] = to_ms(bar.opened_at), *prices
    return rows


def _require_one_market(store: Store, source: LiveSource) -> None:
    """Real and invented prices never mix in one home."""
    label = store.facts.get(SOURCE_FACT)
    kind = "real" if source.real else "synthetic"
    if label is not None and label.partition("|")[2] != kind:
        raise DataError(f"this home holds prices of {label.partition('|')[0]}: name another one with --home")


def _require_one_kind(store: Store, mode: str) -> None:
    """Pretend positions are not in the account, and real ones are not pretended: the books of a home are one or the other."""
    kept = store.facts.once(KIND_FACT, mode)
    if kept != mode:
        raise DataError(
            f"the books of this home are those of {kept} mode, the settings say {mode}: name another home with --home, or set "
            f"mode = \"{kept}\""
        )


class _Patience:
    """Asks Kraken until it answers, telling why it waits, until somebody stops it."""

    def __init__(self, link: MarketLink, clock: Clock, tell: Tell, stopped: Event) -> None:
        self._link = link
        self._clock = clock
        self.tell = tell
        self._stopped = stopped
        self._chance = random.Random()

    def ask(self, what: str, question: Callable[[PublicApi], Coroutine[Any, Any, T]]) -> T:
        """Raises NotNow once stopped."""
        attempt = 0
        while True:
            try:
                return self._once(question)
            except NotNow as error:
                if self._stopped.is_set():
                    raise NotNow("stopped before Kraken answered; nothing was traded") from None
                attempt += 1
                pause = backoff(attempt, first=RETRY_FIRST_SECONDS, most=RETRY_MOST_SECONDS, chance=self._chance)
                told = f"Kraken cannot be asked for {what}: {error}; nothing is traded, next try in {pause:.0f} s"
                self.tell(self._clock.now(), "waiting", told)
                self._stopped.wait(pause)

    def _once(self, question: Callable[[PublicApi], Coroutine[Any, Any, T]]) -> T:
        asked = self._link.ask(question)
        begun = monotonic()
        while not self._stopped.is_set():
            answer = reached(asked, LOOK_SECONDS)
            if answer is not None:
                return answer
            if monotonic() - begun > 10 * RETRY_MOST_SECONDS:
                break
        asked.cancel()
        raise NotNow("there was no answer")
