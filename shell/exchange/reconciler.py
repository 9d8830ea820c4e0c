"""Reconciliation put to work: a look at the account becomes changes of the books, in one transaction, and a sentence.

At start before the first scan, every fifteen minutes, and whenever the private feed may have missed something. The look is
taken where the exchange's client lives; `take` runs on the trading thread, between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from shell.engine import Engine
from shell.errors import Fatal
from shell.money import Price
from shell.orders import Fill, OrderState, OrderUpdate, Purpose, SubmittedOrder
from shell.portfolio.account import AccountPicture
from shell.portfolio.ledger import CapitalEvent
from shell.portfolio.reconcile import phantoms, reconcile
from shell.portfolio.reconcile_types import Adopted, BookView, Outcome
from shell.risk.approval import restored
from shell.risk.halts import Halt, HaltKind
from shell.store.book_view import book_view
from shell.store.store import Store

EVERY = timedelta(minutes=15)
# After a report that may be missing: well inside the minute within which books must agree again (I7).
AGAIN_SOON = timedelta(seconds=10)
# Windows overlap, because the venue may tell something late and two clocks are never one.
OVERLAP = timedelta(minutes=10)
FIRST_LOOK = timedelta(days=7)
# Looks in a row that lack trades of ours before that is a finding and not a look that was too old.
OLD_LOOKS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One reconciliation. Without an `outcome` the look was older than the books: take another.

    `adopted` are orders at the venue that the gateway has to take over; `strays` those it has to cancel.
    """

    at: datetime
    outcome: Outcome | None
    adopted: tuple[SubmittedOrder, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """What changed our books, or says that they cannot be trusted."""
        return [each.sentence for each in self.outcome.findings if each.kind.concerns_us] if self.outcome is not None else []

    @property
    def matches(self) -> bool:
        return self.outcome is not None and self.outcome.matches


Notify = Callable[[str, str, str, datetime], None]


class Reconciler:
    """Reconciles one book with the account it trades on. For the trading thread."""

    def __init__(
        self, *, store: Store, engine: Engine, quote: str, halt_pct: Decimal, notify: Notify, every: timedelta = EVERY
    ) -> None:
        self._store = store
        self._engine = engine
        self._quote = quote
        self._halt_pct = halt_pct
        self._notify = notify
        self._every = every
        self._old_looks = 0
        self._next: datetime | None = None
        self._needed_at: datetime | None = None
        self.reason = "start"

    def due(self, now: datetime) -> bool:
        """True when a look should be taken: at its time, and when the clock went back."""
        return self._next is None or now >= self._next or self._next - now > self._every

    def needed(self, reason: str, now: datetime) -> None:
        """Something may have been missed (ReconcileNeeded, a reconnection): look soon."""
        self.reason = reason
        self._needed_at = now
        if self._next is None or self._next > now:
            self._next = now

    def failed(self, now: datetime) -> None:
        """A look could not be taken: try again soon."""
        self._next = now + AGAIN_SOON

    def since(self, now: datetime) -> datetime:
        """From when on the next look has to tell: all since the last one, and since the oldest order that was decided and is
        not known to have arrived. What is open at the exchange is told whenever it was opened: a stop stands for weeks, and all
        that happened since would be more than one look may ask for."""
        until = self._store.account.until()
        # A last look that lies ahead was taken by a clock that went back since: nobody knows how long ago it was.
        beginning = now - FIRST_LOOK if until is None or until > now else until - OVERLAP
        doubtful = self._store.books.oldest_unplaced(self._engine.config.book)
        return beginning if doubtful is None else min(beginning, doubtful - OVERLAP)

    def take(self, picture: AccountPicture) -> Reconciled:
        """Compare and make the books follow, on the disk and in memory, or neither. Raises DatabaseBusy and DatabaseFailed
        where nothing can be stored (the next look finds the same), and Fatal where the two disagree about what to do."""
        view = self._view(picture)
        if phantoms(view, picture) and self._old_looks < OLD_LOOKS_MAX:
            self._old_looks += 1
            self._next = picture.at + AGAIN_SOON
            return Reconciled(at=picture.at, outcome=None)
        self._old_looks = 0
        outcome = reconcile(view, picture, halt_pct=self._halt_pct)
        adopted = tuple(_submitted(each) for each in outcome.adopted)
        halt = None
        with self._engine.together(), self._store.transaction():
            self._apply(adopted, outcome, picture.at)
            if outcome.halt:
                halt = Halt(
                    kind=HaltKind.BOOKS_DIFFER, book=self._engine.config.book, sentence=outcome.halt, raised_at=picture.at
                )
                self._store.halts.raise_(halt)
            self._store.account.record(outcome, picture, self.reason, self._engine.config.book)
            self._tell(outcome, picture.at)
        # After the commit: neither what a gateway knows nor what it cancels can be taken back.
        if learnt := [*adopted, *(change for change in outcome.changes if not isinstance(change, CapitalEvent))]:
            self._engine.gateway.learn(learnt)
        if halt is not None:
            self._engine.halt(halt)
        self._plan_next(picture.at)
        working = tuple(order for order in adopted if order.intent.purpose is not Purpose.EXTERNAL)
        return Reconciled(at=picture.at, outcome=outcome, adopted=working, strays=outcome.strays)

    def _plan_next(self, at: datetime) -> None:
        """After a look that was begun at `at`. It cannot know what happened after: what was asked for since is still owed."""
        needed_at, self._needed_at = self._needed_at, None
        if needed_at is not None and needed_at > at:
            self._next = at + AGAIN_SOON
        else:
            self._engine.protector.unsure = False
            self.reason, self._next = "every fifteen minutes", at + self._every

    def _view(self, picture: AccountPicture) -> BookView:
        engine = self._engine
        return book_view(
            self._store, engine.config.book, picture, quote=self._quote, version=engine.config.version, ledger=engine.ledger,
            prices=self._prices(), awaited=frozenset(each.intent.intent_id for each in engine.gateway.open_orders()),
        )

    def _prices(self) -> dict[str, Price]:
        found = {symbol: self._engine.market.price(symbol) for symbol in self._engine.config.pairs}
        return {symbol: price for symbol, price in found.items() if price is not None}

    def _apply(self, adopted: Sequence[SubmittedOrder], outcome: Outcome, at: datetime) -> None:
        """Orders first, then facts in their order: what a fill was paid with must be there before it."""
        engine = self._engine
        if adopted:
            engine.take_up(adopted, at)
        for is_capital, together in groupby(outcome.changes, key=lambda change: isinstance(change, CapitalEvent)):
            changes = list(together)
            if is_capital:
                for event in changes:
                    assert isinstance(event, CapitalEvent)
                    engine.add_capital(event)
            else:
                engine.take_up([change for change in changes if isinstance(change, Fill | OrderUpdate)], at)
        done = [order for order in adopted if order.intent.purpose is Purpose.EXTERNAL]
        if done:
            engine.take_up([_ended(order, at) for order in done], at)
        if (engine.ledger.cash, engine.ledger.positions) != (outcome.ledger.cash, outcome.ledger.positions):
            raise Fatal("reconciliation and the engine came to different books: nothing of it is stored")

    def _tell(self, outcome: Outcome, at: datetime) -> None:
        """The halt itself is told from the event log, as every halt is."""
        if outcome.halt == "":
            concerning = [each.sentence for each in outcome.findings if each.kind.concerns_us]
            if concerning:
                self._notify("reconciliation", "warning", f"books followed the exchange: {_listed(concerning)}", at)
        others = [each.sentence for each in outcome.findings if not each.kind.concerns_us]
        if others:
            self._notify("reconciliation", "info", _listed(others), at)


def _listed(sentences: Sequence[str], most: int = 5) -> str:
    more = f"; and {len(sentences) - most} more" if len(sentences) > most else ""
    return "; ".join(sentences[:most]) + more


def _submitted(each: Adopted) -> SubmittedOrder:
    # It was approved when it was sent, by this home or by the venue on its behalf; a sale by others needs no approval.
    return SubmittedOrder(
        order_id=each.order_id, approved=restored(each.intent, each.reserved), submitted_at=each.opened_at
    )


def _ended(order: SubmittedOrder, at: datetime) -> OrderUpdate:
    return OrderUpdate(
        order_id=order.order_id, intent_id=order.intent.intent_id, state=OrderState.FILLED, reason="external sale", at=at
    )
