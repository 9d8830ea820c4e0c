"""One account at Kraken as the shell's venue: probes, live gateway, reconciliation and fees over one connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from shell.capital import allocated
from shell.clock import Clock
from shell.config import Settings
from shell.engine import Engine
from shell.errors import NotNow, Rejected, Transient
from shell.exchange.account import look_at_account
from shell.exchange.gateway import FeeSchedule
from shell.exchange.kraken.nonce import nonce_file
from shell.exchange.kraken.pace import Pace
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.signing import Credentials
from shell.exchange.live.bridge import Waiting
from shell.exchange.live.connection import LiveConnection
from shell.exchange.live.gateway import LiveGateway, live_gateway
from shell.exchange.live.venue_time import LEAP
from shell.exchange.probes import ProbeFor, probe_account, refuse_live
from shell.exchange.reconciler import Notify, Reconciled, Reconciler
from shell.home import Home
from shell.market.pair import Pair
from shell.money import CONTEXT, QuoteAmount
from shell.portfolio.account import AccountPicture
from shell.risk.halts import Halt, HaltKind
from shell.store.books import BookState
from shell.store.store import Store
from shell.store.witness import Witness
from shell.venue import MarketFacts, Venue

# A look is about nine calls of an account that may make one every three seconds.
LOOK_SECONDS = 120.0
START_LOOKS = 6
PROBE_SECONDS = 180.0
FEES_SECONDS = 20.0
NO_TIME = timedelta(0)
UNSTORED = "something that happened could not be stored"


def probed_for(settings: Settings, state: BookState | None, *, traded: bool, nonce_file: Path) -> ProbeFor:
    """What an account is probed for. The ordinary order is a part of the capital and not of the cash that is free just now:
    a system that is invested must come up again, to watch what it holds. Once it has `traded`, cash is reconciliation's."""
    capital = allocated(settings) if state is None else state.ledger.capital
    cash = allocated(settings) if state is None else state.ledger.cash
    return ProbeFor(
        symbols=settings.account.symbols, quote=settings.account.quote, nonce_file=nonce_file,
        cash=QuoteAmount(0) if traded else cash,
        usual_order=QuoteAmount(CONTEXT.multiply(capital.value, settings.risk.default_trade_pct)),
    )


class LiveAccount:
    """Gives a shell its venue. For the trading thread; what takes time runs in the connection's own."""

    def __init__(
        self, connection: LiveConnection, *, home: Home, settings: Settings, credentials: Credentials, store: Store,
        facts: MarketFacts, clock: Clock, pace: Pace, notify: Notify, leap: timedelta = LEAP,
    ) -> None:
        """`leap`: see `VenueTime`."""
        self._connection = connection
        self._settings = settings
        self._store = store
        self._facts = facts
        self._clock = clock
        self._pace = pace
        self._notify = notify
        self._leap = leap
        self._nonces = nonce_file(home.database.parent, credentials.key)
        self._gateway: LiveGateway | None = None
        self._reconciler: Reconciler | None = None
        self._look: Waiting[AccountPicture] | None = None
        self._witness = Witness(home.database.parent, store.events)
        self._halted: frozenset[HaltKind] = frozenset()

    def venue(self) -> Venue:
        """What the shell trades on."""
        return Venue(
            facts=self._facts, gateway=self._gateway_for, probe=self._probe, reconcile=self._reconcile, follow=self._follow,
            fees=self._fees,
        )

    @property
    def pairs(self) -> dict[str, Pair]:
        """Pairs that are traded, and those that are only left."""
        return {**(self._facts.watched or {}), **self._facts.pairs}

    # -- the venue's hooks ----------------------------------------------------------------------------------------

    def _probe(self, _now: datetime) -> Sequence[str]:
        """Raises NotNow with every sentence that keeps this account from being traded on."""
        wanted = probed_for(self._settings, self._store.books.load("main"), traded=self._traded(), nonce_file=self._nonces)
        connection = self._connection
        try:
            probes = connection.bridge.call(
                lambda: probe_account(PublicApi(connection.rest), connection.api, self._clock, wanted), PROBE_SECONDS
            )
        except Transient as error:
            raise NotNow(f"live mode is refused: the account could not be probed: {error}") from None
        return refuse_live(probes)

    def _gateway_for(self, *, book: str, funds: Callable[[], QuoteAmount], state: BookState | None) -> LiveGateway:
        self._gateway = live_gateway(
            self._connection.venue, state, pairs=self.pairs, fees=self._facts.fees, clock=self._clock,
            limit_entry_expiry=self._settings.paper.limit_entry_expiry, leap=self._leap,
        )
        # The private socket begins by telling the last fifty trades again.
        self._gateway.accounted(each.ref_id for each in self._store.account.activity() if each.ours)
        return self._gateway

    def _reconcile(self, engine: Engine, now: datetime) -> Sequence[str]:
        """Before the first scan: books and account agree. Raises NotNow where they cannot be compared."""
        self._reconciler = Reconciler(
            store=self._store, engine=engine, quote=self._settings.account.quote,
            halt_pct=self._settings.kraken.reconcile_halt_pct, notify=self._notify,
        )
        if older := self._witness.contradicts():
            engine.halt(Halt(kind=HaltKind.BOOKS_DIFFER, book=engine.config.book, sentence=older, raised_at=now))
        reason = "nothing was tried"
        for _ in range(START_LOOKS):
            try:
                picture = self._connection.bridge.call(self._looking(self._reconciler, now), LOOK_SECONDS)
            except (Transient, Rejected) as error:
                reason = str(error)
                continue
            done = self._took(self._reconciler, picture)
            if done.outcome is not None:
                return [each.sentence for each in done.outcome.findings if each.kind.concerns_us]
            reason = "each look at the account was older than the books"
        raise NotNow(f"the books could not be compared with the account, so nothing is traded: {reason}")

    def _follow(self, engine: Engine, now: datetime) -> None:
        """A little at a time: begin a look when one is due, take it in once it is there."""
        if self._halted != (halted := frozenset(engine.halts)):
            # No older copy of the database may forget that a person, or a limit, stopped it.
            self._halted = halted
            self._witness.note()
        reconciler = self._reconciler
        if reconciler is None:
            return
        if engine.protector.unsure and reconciler.reason != UNSTORED:
            reconciler.needed(UNSTORED, now)
        missed = self._connection.venue.missed()
        if missed:
            reconciler.needed(missed, now)
        if self._look is None:
            if reconciler.due(now):
                self._look = self._connection.bridge.begin(self._looking(reconciler, now), LOOK_SECONDS)
        elif self._look.done():
            look, self._look = self._look, None
            try:
                self._took(reconciler, look.result())
            except (Transient, Rejected):
                reconciler.failed(now)

    def _fees(self, _now: datetime) -> Mapping[str, FeeSchedule] | None:
        """The account's own fees; None, so that those known stay, when Kraken does not answer."""
        connection = self._connection
        pairs = [connection.names.pair(symbol) for symbol in self.pairs]
        try:
            told = connection.bridge.call(lambda: connection.api.trade_volume(pairs), FEES_SECONDS)
        except (Transient, Rejected):
            return None
        found = {
            symbol: FeeSchedule(maker_pct=fee.maker_pct, taker_pct=fee.taker_pct) for symbol, fee in told.fees.items()
        }
        if self._gateway is not None:
            self._gateway.fees = {**self._gateway.fees, **found}
        return found

    # -- inside ---------------------------------------------------------------------------------------------------

    def _traded(self) -> bool:
        """Whether orders are known. Then an order that filled as the process died may have spent cash that the books still
        hold, and it is reconciliation, after the probes, that tells."""
        state = self._store.books.load("main")
        return state is not None and bool(state.known_orders)

    def _looking(self, reconciler: Reconciler, now: datetime) -> Callable[[], Awaitable[AccountPicture]]:
        api, since, pace = self._connection.api, reconciler.since(now), self._pace
        if self._gateway is not None:
            # A moment that the exchange's clock has not reached yet would be asked about in vain.
            since += min(self._gateway.venue_ahead, NO_TIME)
        return lambda: look_at_account(api, since, now, pace)

    def _took(self, reconciler: Reconciler, picture: AccountPicture) -> Reconciled:
        assert self._gateway is not None, "the gateway is made before the books are compared"
        done = reconciler.take(picture)
        if done.outcome is not None:
            self._gateway.accounted(each.ref_id for each in done.outcome.activity if each.ours)
        for order in done.adopted:
            self._gateway.adopt(order)
        for order_id in done.strays:
            self._gateway.take_out(order_id, picture.at)
        self._witness.note()
        return done
