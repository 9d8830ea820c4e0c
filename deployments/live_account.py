"""One account at Kraken as the shell's venue: the client on a loop of its own, live gateway, reconciliation and fees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from shell.clock import Clock
from shell.config import Settings
from shell.engine import Engine
from shell.errors import BrainError, NotNow, Rejected, Transient
from shell.exchange.account import look_at_account
from shell.exchange.gateway import FeeSchedule
from shell.exchange.kraken.account_feed import AccountFeed
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.events import AccountEvent, FeedUp, ReconcileNeeded
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.nonce import NonceSource, nonce_file
from shell.exchange.kraken.pace import Pace
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.rest import RestClient
from shell.exchange.kraken.signing import Credentials
from shell.exchange.live.bridge import Bridge, NoAnswer, Waiting
from shell.exchange.live.gateway import LiveGateway, live_gateway
from shell.exchange.live.venue import KrakenVenue
from shell.exchange.reconciler import Notify, Reconciled, Reconciler
from shell.home import Home
from shell.market.pair import Pair
from shell.money import QuoteAmount
from shell.portfolio.account import AccountPicture
from shell.store.books import BookState
from shell.store.store import Store
from shell.venue import MarketFacts, Venue

# A look is about nine calls, and waits where the account's call counter is full.
LOOK_SECONDS = 120.0
START_LOOKS = 6
CALL_SECONDS = 20.0
CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Whose account, reached how, on whose time."""

    addresses: Addresses
    credentials: Credentials
    clock: Clock
    pace: Pace


class LiveAccount:
    """`open` it, give `venue` to a shell, `close` it after the shell. Everything but the feed is for the trading thread."""

    def __init__(
        self, where: Where, *, home: Home, settings: Settings, store: Store, names: Names, facts: MarketFacts, notify: Notify,
        wake: Callable[[], None],
    ) -> None:
        self._where = where
        self._home = home
        self._settings = settings
        self._store = store
        self._names = names
        self._facts = facts
        self._notify = notify
        self._wake = wake
        self._bridge = Bridge("kraken account")
        self._rest: RestClient | None = None
        self._api: PrivateApi | None = None
        self._exchange: KrakenVenue | None = None
        self._gateway: LiveGateway | None = None
        self._reconciler: Reconciler | None = None
        self._look: Waiting[AccountPicture] | None = None
        self._hints: list[str] = []

    @property
    def pairs(self) -> dict[str, Pair]:
        """Pairs that are traded, and those that are only left."""
        return {**(self._facts.watched or {}), **self._facts.pairs}

    def open(self) -> None:
        """Start the client and the private feed. Raises NotNow where that cannot be."""
        self._bridge.start()
        self._rest = self._bridge.call(self._connected, CALL_SECONDS)
        self._api = PrivateApi(self._rest, self._names)
        self._exchange = KrakenVenue(self._api, self._bridge)
        feed = AccountFeed(
            self._where.addresses, self._api.socket_token, self._names, self._heard, pace=self._where.pace
        )
        self._bridge.spawn(feed.run)

    def close(self) -> None:
        """End the feed and the client; closing twice is harmless."""
        rest, self._rest = self._rest, None
        if rest is not None:
            with suppress(NoAnswer, NotNow):
                self._bridge.call(rest.close, CLOSE_SECONDS)
        self._bridge.stop()

    def venue(self) -> Venue:
        """What a shell trades on."""
        return Venue(
            facts=self._facts, gateway=self._gateway_for, reconcile=self._reconcile_now, follow=self._follow, fees=self._fees
        )

    # -- the venue's hooks ----------------------------------------------------------------------------------------

    def _gateway_for(self, *, book: str, funds: Callable[[], QuoteAmount], state: BookState | None) -> LiveGateway:
        assert self._exchange is not None, "the account was opened"
        fees = {symbol: self._facts.fees[symbol] for symbol in self._facts.fees}
        self._gateway = live_gateway(
            self._exchange, state, pairs=self.pairs, fees=fees, clock=self._where.clock,
            limit_entry_expiry=self._settings.paper.limit_entry_expiry,
        )
        return self._gateway

    def _reconcile_now(self, engine: Engine, now: datetime) -> Sequence[str]:
        """Before the first scan: books and account agree, or the start is refused. Raises NotNow when Kraken does not answer."""
        self._reconciler = Reconciler(
            store=self._store, engine=engine, quote=self._settings.account.quote,
            halt_pct=self._settings.kraken.reconcile_halt_pct, notify=self._notify,
        )
        reason = "nothing was tried"
        for _ in range(START_LOOKS):
            try:
                picture = self._bridge.call(self._looking(now), LOOK_SECONDS)
            except (Transient, Rejected) as error:
                reason = str(error)
                continue
            done = self._took(picture)
            if done.outcome is not None:
                return [each.sentence for each in done.outcome.findings]
            reason = "each look was older than the books"
        raise NotNow(f"the books could not be compared with the account, so nothing is traded: {reason}")

    def _follow(self, engine: Engine, now: datetime) -> None:
        """A little of the reconciliation at a time: begin a look when one is due, take it in once it is there."""
        reconciler = self._reconciler
        if reconciler is None:
            return
        while self._hints:
            reconciler.needed(self._hints.pop(), now)
        if self._look is None:
            if reconciler.due(now):
                self._look = self._bridge.begin(self._looking(now), LOOK_SECONDS)
            return
        if not self._look.done():
            return
        look, self._look = self._look, None
        try:
            self._took(look.result())
        except (Transient, Rejected):
            reconciler.failed(now)

    def _fees(self, _now: datetime) -> Mapping[str, FeeSchedule] | None:
        """The account's own fees. None, so that the known ones stay, when Kraken does not answer."""
        assert self._api is not None, "the account was opened"
        api, pairs = self._api, [self._names.pair(symbol) for symbol in self.pairs]
        try:
            told = self._bridge.call(lambda: api.trade_volume(pairs), CALL_SECONDS)
        except (Transient, Rejected):
            return None
        found = {
            symbol: FeeSchedule(maker_pct=fee.maker_pct, taker_pct=fee.taker_pct) for symbol, fee in told.fees.items()
        }
        if self._gateway is not None:
            self._gateway.fees = {**self._gateway.fees, **found}
        return found

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _connected(self) -> RestClient:
        credentials = self._where.credentials
        return RestClient(
            self._where.addresses, clock=self._where.clock, pace=self._where.pace,
            limiter=Limiter(LIMITS[Verification(self._settings.kraken.verification)], self._where.pace),
            credentials=credentials,
            nonces=NonceSource(nonce_file(self._home.database.parent, credentials.key), self._where.clock),
        )

    def _looking(self, now: datetime) -> Callable[[], object]:
        assert self._api is not None and self._reconciler is not None
        api, since = self._api, self._reconciler.since(now)
        return lambda: look_at_account(api, since, now, self._where.pace)

    def _took(self, picture: AccountPicture) -> Reconciled:
        assert self._reconciler is not None and self._gateway is not None
        done = self._reconciler.take(picture)
        for order in done.adopted:
            self._gateway.adopt(order)
        for order_id in done.strays:
            self._gateway.cancel_stray(order_id)
        return done

    def _heard(self, event: AccountEvent) -> None:
        """In the client's thread."""
        assert self._exchange is not None
        self._exchange.heard(event)
        if isinstance(event, ReconcileNeeded | FeedUp):
            self._hints.append(type(event).__name__)
        self._wake()


__all__ = ["BrainError", "LiveAccount", "Where"]
