"""What the bot reads: the trading database, opened for reading in the bot's own thread, and the shell's status if it answers.

Nothing here waits for trading longer than `STATUS_SECONDS`, and nothing here can change anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shell.answers import Status
from shell.book_figures import newest_prices, position_row
from shell.calls import Calls
from shell.clock import Clock
from shell.companion import LinkHealth
from shell.config import Settings
from shell.errors import NotNow, OutcomeUnknown
from shell.home import Home
from shell.main_book import MAIN_BOOK
from shell.portfolio.ledger import Ledger
from shell.portfolio.ledger import equity as value_of
from shell.portfolio.valuation import open_positions
from shell.risk.halts import Halt
from shell.store.books import BookState
from shell.store.place import open_store
from shell.store.store import Store

STATUS_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the account stands. `live` when the shell itself said so, else as it was last written down."""

    as_of: datetime
    live: bool
    mode: str
    value: float
    starting: float
    cash: float
    day_pnl: float
    drawdown_pct: float
    version: str
    positions: Sequence[Any]
    last_scan: datetime | None
    halts: Sequence[Halt]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Everything a reading command is given. `links` tells how every link stands."""

    home: Home
    settings: Settings
    clock: Clock
    calls: Calls
    links: Callable[[], Sequence[LinkHealth]]

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The database for reading; a connection of its own, so that any thread may."""
        with open_store(self.home, read_only=True) as opened:
            yield opened

    def standing(self) -> Standing:
        """From the shell where it answers at once, from its books otherwise."""
        with self.store() as store:
            try:
                status = self.calls.ask(lambda desk: desk.status(), seconds=STATUS_SECONDS)
            except (NotNow, OutcomeUnknown):
                return stored_standing(store, self.settings, self.clock.now())
            return _live(status, store.halts.active(MAIN_BOOK))


def _live(status: Status, halts: Sequence[Halt]) -> Standing:
    return Standing(
        as_of=status.now, live=True, mode=status.mode, value=status.total_value, starting=status.starting_value,
        cash=status.cash, day_pnl=status.day_pnl, drawdown_pct=status.drawdown_pct, version=status.active.version,
        positions=status.positions, last_scan=status.last_scan, halts=halts,
    )


def stored_standing(store: Store, settings: Settings, now: datetime) -> Standing:
    """As last written down, valued at the newest stored prices."""
    state = store.books.load(MAIN_BOOK)
    ledger = state.ledger if state is not None else Ledger()
    marks = state.marks if state is not None else None
    prices = newest_prices(store, ledger)
    value = value_of(ledger, prices)
    versions = store.strategies.list()
    return Standing(
        as_of=_written(state) or now, live=False, mode=settings.mode, value=float(value), starting=float(ledger.capital),
        cash=float(ledger.cash), day_pnl=float(value - marks.day_start) if marks else 0.0,
        drawdown_pct=max(0.0, 1.0 - float(value) / float(marks.peak)) if marks and float(marks.peak) > 0 else 0.0,
        version=store.strategies.active().version if versions else "none",
        positions=[position_row(each) for each in open_positions(ledger, prices)],
        last_scan=state.last_scan if state is not None else None, halts=store.halts.active(MAIN_BOOK),
    )


def _written(state: BookState | None) -> datetime | None:
    return state.last_scan if state is not None else None
