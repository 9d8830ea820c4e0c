"""The exchange of a rehearsal: the main book trades on the local Kraken, on the rehearsal's clock, order for order as live.

The exchange replays the rehearsal's own history: each 5-minute bar trades at its open, low, high and close, and stops fire
there between two steps. One hand, `lead`, moves clock and exchange together, so nothing depends on the machine. Paper trials
keep their paper gateway, as in live mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from deployments.live_account import LiveAccount
from deployments.lockstep import Lockstep
from shell.clock import VirtualClock, to_ms
from shell.config import Settings
from shell.exchange.live.venue_time import LEAP
from shell.exchange.reconciler import Notify
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.names import asset_named
from shell.exchange.simulator.tape import PRINTS_MIN, tape_of
from shell.exchange.simulator.venue import Rules
from shell.home import Home
from shell.main_book import MAIN_BOOK
from shell.market.bars import Tier
from shell.market.frames import rows_of, to_frame
from shell.market.history import History
from shell.money import NO_QTY, Price
from shell.service import Shell
from shell.store.account import MARK_FACT
from shell.store.books import read_fills
from shell.store.store import Store
from shell.venue import MarketFacts, Venue

BAR = timedelta(milliseconds=Tier.M5.ms)
# When the prints of a bar are made: in the middle of each of its equal parts.
MOMENTS = tuple(BAR * (2 * part + 1) / (2 * PRINTS_MIN) for part in range(PRINTS_MIN))
# The clock goes a bar from one round to the next; a longer way is a clock that was set.
ROUNDS_APART = BAR
KEPT_IN_SENTENCE = 5
SOME_VOLUME = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The account at the exchange beside our books, at the end. Amounts by coin; `differences` says each one in a sentence."""

    exchange: Mapping[str, Decimal]
    books: Mapping[str, Decimal]
    fills_at_exchange: int
    fills_booked: int
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        """For JSON: amounts as text, to the last unit."""
        return {
            "equal": self.equal, "differences": list(self.differences), "fills_at_exchange": self.fills_at_exchange,
            "fills_booked": self.fills_booked, "exchange": {coin: f"{value:f}" for coin, value in self.exchange.items()},
            "books": {coin: f"{value:f}" for coin, value in self.books.items()},
        }

    @property
    def sentence(self) -> str:
        if self.equal:
            return f"books equal the exchange's to the last unit, {self.fills_booked} fills each booked once"
        told = self.differences[:KEPT_IN_SENTENCE]
        more = len(self.differences) - len(told)
        return f"books differ from the exchange's: {'; '.join(told)}{f'; and {more} more' if more else ''}"


def opened(history: History, start: datetime) -> History:
    """`history` for an exchange that opens at `start`: a symbol whose bars begin then or later gets one bar before, at the
    price that it begins with, because an exchange names a price for what it lists; and one of which no volume is known is
    given some, because it prints trades. The shell sees none of this."""
    frames = {}
    for symbol, frame in history.m5.items():
        rows = known = rows_of(frame)
        if len(rows) and rows[0, 0] >= to_ms(start):
            price = rows[0, 4]
            before = np.array([[to_ms(start) // Tier.M5.ms * Tier.M5.ms - Tier.M5.ms, *[price] * 4, SOME_VOLUME]])
            rows = np.vstack([before, rows])
        if len(rows) and not rows[-len(frame) :, 5].any():
            rows = rows.copy()
            rows[:, 5] = SOME_VOLUME
        if rows is not known:
            frame = to_frame(rows)
        frames[symbol] = frame
    return replace(history, m5=frames)


class RehearsalExchange:
    """One account on one simulated exchange, for one rehearsal."""

    def __init__(self, history: History, settings: Settings, clock: VirtualClock, *, home: Home, seed: int) -> None:
        """Its time begins where the clock stands."""
        quote = asset_named(settings.account.quote).code
        rules = Rules(
            seed=seed, tier="off", spread_pct=settings.paper.spread_pct, balances=((quote, settings.account.starting_cash),)
        )
        self.desk = Desk(tape_of(opened(history, clock.now()), clock.now(), seed=seed, prints=PRINTS_MIN), rules)
        self._clock = clock
        self._settings = settings
        self._home = home
        self._seed = seed
        self.link = Lockstep(self.desk, clock, nonces=home.database.parent, seed=seed)
        self.link.pump()

    def venue(self, store: Store, facts: MarketFacts, notify: Notify) -> Venue:
        """What the shell trades on."""
        # The home's mark is in the names of orders; drawn from the seed, the same names come again.
        store.facts.once(MARK_FACT, f"{1 + self._seed % 0xFFFF:04x}")
        account = LiveAccount(
            self.link.connection, home=self._home, settings=self._settings, credentials=self.link.credentials, store=store,
            facts=facts, clock=self._clock, pace=self.link.pace, notify=notify, leap=ROUNDS_APART + LEAP,
        )
        return account.venue()

    def lead(self, shell: Shell, now: datetime) -> None:
        """Let a bar's time pass up to `now`: at each print the shell sees the price of what it holds, as live."""
        begin = now - BAR
        for offset in MOMENTS:
            at = begin + offset
            if at <= self._clock.now():
                continue
            concerned = sorted(shell.engine.symbols_concerned())
            if not concerned:
                break
            self._pass(at)
            for symbol in concerned:
                shell.on_price(symbol, self._price(symbol), at, trials=False)
            self.link.pump()
        self._pass(now)

    def settle(self, shell: Shell, now: datetime) -> None:
        """After a step: what it sent was answered already, so books and account can be compared."""
        self.link.pump()
        shell.settle(now)

    def compare(self, shell: Shell, store: Store) -> Comparison:
        """Ours and the exchange's, to the last unit. What the exchange says of its own books is a difference, too."""
        self.link.pump()
        ledger, accounts = shell.engine.ledger, self.desk.exchange.venue.accounts
        books = {self._settings.account.quote: ledger.cash.value}
        for symbol in self._settings.account.symbols:
            position = ledger.positions.get(symbol)
            books[symbol.split("/")[0]] = (position.qty if position is not None else NO_QTY).value
        exchange = {coin: accounts.balance(asset_named(coin).code) for coin in books}
        wrong = [
            f"{coin}: the exchange has {exchange[coin]:f}, the books say {books[coin]:f}"
            for coin in books if exchange[coin] != books[coin]
        ]
        with store.reading() as connection:
            booked = [fill.fill_id for _, fill in read_fills(connection, MAIN_BOOK)]
        there = self.desk.exchange.venue.trades
        wrong += [f"fill {each} of the exchange is not in the books" for each in sorted(there.keys() - set(booked))]
        wrong += [f"fill {each} in the books is none of the exchange's" for each in sorted(set(booked) - there.keys())]
        if len(booked) != len(set(booked)):
            wrong.append("a fill is booked twice")
        wrong += [f"at the exchange: {each}" for each in accounts.check()]
        return Comparison(
            exchange=exchange, books=books, fills_at_exchange=len(there), fills_booked=len(booked), differences=tuple(wrong)
        )

    def close(self) -> None:
        self.link.close()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _pass(self, moment: datetime) -> None:
        self._clock.advance_to(moment)
        self.desk.exchange.advance_to(moment)
        self.link.pump()

    def _price(self, symbol: str) -> Price:
        venue = self.desk.exchange.venue
        return Price(venue.market(venue.directory.by_symbol[symbol]).last.price)
