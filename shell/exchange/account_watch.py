"""Reconciliation as a live venue offers it to the shell: whole, before the first scan, every fifteen minutes, and when asked.

It blocks the trading thread for as long as a look takes, some seconds, between two steps; the venue keeps the stops meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from shell.engine import Engine
from shell.errors import BrainError, NotNow, Transient
from shell.exchange.reconciler import OLD_LOOKS_MAX, Reconciled, Reconciler
from shell.execution.known import KnownOrder
from shell.money import NO_QTY
from shell.orders import Fill, OrderState, OrderUpdate, SubmittedOrder
from shell.portfolio.account import AccountPicture
from shell.portfolio.reconcile_types import Outcome
from shell.store.store import Store

STRAY = "open at the exchange although our books had ended it"
# From since when until when; blocks, and raises Transient or another of our errors.
Look = Callable[[datetime, datetime], AccountPicture]


class AccountWatch:
    """`reconcile` and `reconcile_due` of a live `Venue`.

    `look` asks the exchange (`look_at_account` over a bridge). `take_over` gives the gateway orders that turned out to be ours
    and that it does not track. A start that cannot be reconciled is refused; later, a look that fails is taken again soon.
    """

    def __init__(
        self,
        *,
        store: Store,
        look: Look,
        quote: str,
        halt_pct: Decimal,
        take_over: Callable[[Sequence[KnownOrder]], None] | None = None,
    ) -> None:
        self._store = store
        self._look = look
        self._quote = quote
        self._halt_pct = halt_pct
        self._take_over = take_over
        self._reconciler: Reconciler | None = None
        self._engine: Engine | None = None
        self.trouble = ""

    def due(self, now: datetime) -> bool:
        """True when `reconcile` should be called."""
        return self._reconciler is not None and self._reconciler.due(now)

    def needed(self, reason: str, now: datetime) -> None:
        """The private feed may have missed something: reconcile at the next opportunity."""
        if self._reconciler is not None:
            self._reconciler.needed(reason, now)

    def __call__(self, engine: Engine, now: datetime) -> Sequence[str]:
        """One whole reconciliation; a sentence for whatever changed our books. Raises NotNow at the first one, the start's,
        when the account cannot be read; Fatal when the books could not be stored."""
        if self._reconciler is None or self._engine is not engine:
            self._engine = engine
            self._reconciler = Reconciler(
                store=self._store, engine=engine, quote=self._quote, halt_pct=self._halt_pct, notify=self._note
            )
            first = True
        else:
            first = False
        try:
            done = self._settled(self._reconciler, now)
        except (Transient, NotNow) as error:
            if first:
                self._reconciler = None
                raise NotNow(f"the account could not be compared with the books, so nothing is begun: {error}") from None
            self.trouble = str(error)
            self._reconciler.failed(now)
            return ()
        self.trouble = ""
        self._hand_over(engine, done, now)
        return done.sentences

    def _settled(self, reconciler: Reconciler, now: datetime) -> Reconciled:
        """Look until the look is as new as the books."""
        for _ in range(OLD_LOOKS_MAX + 1):
            done = reconciler.take(self._look(reconciler.since(now), now))
            if done.outcome is not None:
                return done
        raise Transient("every look at the account was older than the books")

    def _hand_over(self, engine: Engine, done: Reconciled, now: datetime) -> None:
        tracked = {order.intent.intent_id for order in engine.gateway.open_orders()}
        assert done.outcome is not None
        new = [known_of(order, done.outcome) for order in done.adopted if order.intent.intent_id not in tracked]
        if new and self._take_over is not None:
            try:
                self._take_over(new)
            except BrainError as error:
                # The gateway has it already, from a look of its own.
                self.trouble = str(error)
        for order_id in done.strays:
            engine.gateway.cancel(order_id, STRAY, now)

    def _note(self, kind: str, severity: str, text: str, now: datetime) -> None:
        self._store.outbox.add(kind, severity, text, now)


def known_of(order: SubmittedOrder, outcome: Outcome) -> KnownOrder:
    """An adopted order as a gateway takes it up, with what of it is booked and how it stands."""
    mine = [each for each in outcome.changes if isinstance(each, Fill) and each.intent == order.intent]
    ended = [
        each for each in outcome.changes if isinstance(each, OrderUpdate) and each.intent_id == order.intent.intent_id
    ]
    return KnownOrder(
        approved=order.approved, order_id=order.order_id, sent_at=order.submitted_at,
        state=ended[-1].state if ended else OrderState.OPEN, filled=sum((fill.qty for fill in mine), start=NO_QTY),
        fills=frozenset(fill.fill_id for fill in mine),
    )
