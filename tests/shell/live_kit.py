"""A shell with real books on a live book that a test feeds by hand, and the loop over it, one turn at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployments.opening import account_overrides, furnish, settings_for
from shell.book_setup import fees_of, pairs_of
from shell.calls import Calls
from shell.clock import VirtualClock, to_ms
from shell.companion import Companion
from shell.config import LoopConfig, Settings
from shell.home import Home, HomeLock
from shell.loop import TradingLoop
from shell.market.archive import Archive
from shell.market.bars import Bar, Quote, Tier
from shell.market.history import History
from shell.market.live import LiveBook
from shell.market.live_inbox import LiveInbox, Tick
from shell.money import Price
from shell.service import Shell
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.venue import MarketFacts, Venue
from tests.shell.scripted import ScriptedHost, candles, flat

BTC, ETH = "BTC/USD", "ETH/USD"
# 09:00 in New York, where the account's days begin.
START = datetime(2026, 3, 2, 14, tzinfo=UTC)
STEP = timedelta(minutes=5)


class LiveShell:
    """Everything a test of the loop touches."""

    def __init__(self, home: Home, settings: Settings, store: Store, host: ScriptedHost, watched: Sequence[str]) -> None:
        history = History(m5={symbol: candles(flat(100.0, 24), start=START - 24 * STEP) for symbol in settings.account.symbols})
        self.settings = settings
        self.host = host
        self.calls = Calls()
        self.inbox = LiveInbox(self.calls.wake)
        self.market = LiveBook(settings.account.symbols, watched=watched)
        self.market.preload(history, START)
        pairs = pairs_of(History(m5={each: candles(flat(100.0, 1)) for each in (*settings.account.symbols, *watched)}))
        facts = MarketFacts(
            pairs={symbol: pairs[symbol] for symbol in settings.account.symbols},
            fees=fees_of(settings.account.symbols, settings.paper), source="test", real=False,
            watched={symbol: pairs[symbol] for symbol in watched},
        )
        self.store = store
        self.shell = Shell(
            home=home, settings=settings, store=store, candles=CandleStore(store), archive=Archive(home.archive),
            market=self.market, venue=Venue(facts=facts),
        )
        self.link: dict[str, Any] = {"up": True, "lag_seconds": 0.1}
        self.said: list[tuple[str, str]] = []
        self.shell.notices.on_told = lambda _now, kind, sentence: self.said.append((kind, sentence))
        self.clock = VirtualClock(START)

    def loop(self, *companions: Companion) -> TradingLoop:
        return TradingLoop(
            self.shell, self.market, self.inbox, self.calls, self.clock, config=LoopConfig(), companions=companions,
            link=lambda: self.link, tell=lambda _now, kind, sentence: self.said.append((kind, sentence)),
        )

    def bars(self, number: int, price: float = 100.0, *, complete: bool = True) -> None:
        """The bars opened `number` steps after START close."""
        open_ms = to_ms(START + number * STEP)
        for symbol in self.market.symbols:
            self.inbox.put_bar(Bar(symbol, Tier.M5, open_ms, price, price, price, price, 1.0))
            if complete:
                self.inbox.put_complete(symbol, open_ms + Tier.M5.ms)

    def price(self, symbol: str, value: float, at: datetime) -> None:
        """A trade at `value`."""
        self.inbox.put_quote(Quote(symbol, value, value, value, to_ms(at)))
        self.inbox.put_tick(Tick(symbol, Price(Decimal(str(value))), to_ms(at)))

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.said]


@contextmanager
def live_shell(
    folder: Path, patch: pytest.MonkeyPatch, host: ScriptedHost, *, symbols: Sequence[str] = (BTC, ETH),
    watched: Sequence[str] = (), start: bool = True,
) -> Iterator[LiveShell]:
    """A started shell whose strategy is `host`, on a home in `folder` that outlives the block."""
    patch.setattr("shell.service.HostedStrategy", lambda *_args: host)
    patch.setattr("shell.versions.HostedStrategy", lambda *_args: host)
    patch.setattr("shell.service.isolation_gap", lambda *_args: "")
    home = Home.private(folder).create()
    settings = settings_for(home, {**account_overrides(symbols), "paper.slippage_pct": 0, "paper.taker_fee_pct": 0})
    with HomeLock(home), Store.open(home.database) as store:
        furnish(home)
        made = LiveShell(home, settings, store, host, watched)
        if start:
            made.shell.start(START)
        yield made
        made.shell.close()
