"""Everything the simulated exchange knows at one moment: markets, books of the account, orders, timers, and who listens."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from shell.exchange.simulator.accounts import Accounts, LedgerRow
from shell.exchange.simulator.book import Depth, Level, merged
from shell.exchange.simulator.fees import MAKER, TAKER, TradedVolume
from shell.exchange.simulator.ids import Ids
from shell.exchange.simulator.names import Directory, Listing
from shell.exchange.simulator.ohlc import Candles
from shell.exchange.simulator.orders import BUY, OPPOSITE, SELL, Order, Trade
from shell.exchange.simulator.precision import ZERO
from shell.exchange.simulator.rate_counters import TIERS, AccountTier, Counter
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.tape import BAR_NS, Print, Series, Tape
from shell.exchange.simulator.ticker import Ticker

RECENT_TRADES_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How this exchange behaves. Fractions are fractions; `level_value` is quote currency at one level of the book.

    `post_only_cancels`: a crossing post-only order is accepted and cancelled at once, instead of refused (both are seen).
    """

    seed: int = 0
    tier: str = "intermediate"
    spread_pct: Decimal = Decimal("0.0002")
    level_value: Decimal = Decimal(20_000)
    protection_pct: Decimal = Decimal("0.05")
    traded_before: Decimal = ZERO
    post_only_cancels: bool = False
    balances: tuple[tuple[str, Decimal], ...] = (("ZUSD", Decimal(10_000)),)


class Executed(NamedTuple):
    """Something happened to an order; `kind` is a v2 exec_type, `trade` its fill if it is one."""

    kind: str
    order: Order
    trade: Trade | None
    at_ns: int


class Booked(NamedTuple):
    """Rows were added to the ledger."""

    rows: Sequence[LedgerRow]


class Traded(NamedTuple):
    """The outside market traded."""

    listing: Listing
    trade: Print


class Requoted(NamedTuple):
    """The book changed without a trade of the outside market."""

    listing: Listing


class StateChanged(NamedTuple):
    """The exchange entered another state."""

    state: SystemState


Event = Executed | Booked | Traded | Requoted | StateChanged


class Market:
    """One pair: its tape, its outside depth, its candles, and the account's living orders."""

    def __init__(self, series: Series, begin_ns: int, rules: Rules) -> None:
        self.listing = series.listing
        self.series = series
        self.candles = Candles(series, begin_ns)
        self.ticker = Ticker(self.candles)
        self.orders: dict[str, Order] = {}
        self.extra: list[Print] = []
        self.recent: deque[Print] = deque(maxlen=RECENT_TRADES_MAX)
        newest = series.trades(max(series.bar_at(begin_ns // 1_000_000) - 1, 0))
        self.recent.extend(newest)
        self.last = newest[-1]
        self.depth = Depth(
            self.listing, self.last.price, seed=rules.seed, spread_pct=rules.spread_pct, level_value=rules.level_value
        )
        self.depth.recentre(self.last.price, begin_ns // BAR_NS)

    def resting(self, side: str) -> list[Order]:
        """The account's orders of `side` that stand in the book, best price first, then oldest."""
        sign = -1 if side == BUY else 1
        found = [order for order in self.orders.values() if order.rests and order.side == side]
        return sorted(found, key=lambda order: (sign * (order.limit or ZERO), order.number))

    def ladder(self, side: str, count: int, *, with_own: bool = True) -> list[Level]:
        """The public book as an order of `side` would meet it."""
        own = self.resting(OPPOSITE[side]) if with_own else []
        levels = [Level(order.limit, order.remaining) for order in own if order.limit is not None]
        return merged(self.depth.levels(side), levels, side, count)

    def quote(self) -> tuple[Level, Level]:
        """Best bid and best ask, the account's own orders included."""
        return self.ladder(SELL, 1)[0], self.ladder(BUY, 1)[0]

    def trades_after(self, since_ns: int, now_ns: int) -> Iterator[Print]:
        """Every public trade in (since, now], oldest first."""
        extra = iter(self.extra)
        pending, count = next(extra, None), 0
        for trade in self.series.from_ns(since_ns):
            if trade.at_ns > now_ns:
                break
            while pending is not None and pending.at_ns <= trade.at_ns:
                count += 1
                if pending.at_ns > since_ns:
                    yield pending
                pending = next(extra, None)
            yield trade._replace(trade_id=trade.trade_id + count)
        while pending is not None and pending.at_ns <= now_ns:
            if pending.at_ns > since_ns:
                yield pending
            pending = next(extra, None)


@dataclass(slots=True)
class Quirks:
    """What a fault makes the matching engine do next; each is used up once."""

    fill_share: Decimal | None = None


class Venue:
    """State, time and timers. It changes only through the matching engine and order entry."""

    def __init__(self, tape: Tape, rules: Rules) -> None:
        self.rules = rules
        self.tape = tape
        self.now_ns = tape.start_ns // BAR_NS * BAR_NS
        self.skew_ns = 0
        self.ids = Ids(rules.seed)
        self.accounts = Accounts(self.ids)
        self.directory = Directory(series.listing for series in tape.series.values())
        self.markets = {series.listing.key: Market(series, self.now_ns, rules) for series in tape.series.values()}
        self.state = SystemState.ONLINE
        self.quirks = Quirks()
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self._by_client: defaultdict[str, list[Order]] = defaultdict(list)
        self.finished: list[Order] = []
        self.trades: dict[str, Trade] = {}
        self.closes: list[tuple[Order, Decimal]] = []
        self.traded = TradedVolume(rules.traded_before)
        self.listeners: list[Callable[[Event], None]] = []
        self.account_tier: AccountTier = TIERS[rules.tier]
        self._engine_counters: dict[str, Counter] = {}
        self._numbers = itertools.count(1)
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        for asset, amount in rules.balances:
            self.accounts.move(asset, amount, "deposit", self.now_ns)

    @property
    def told_ns(self) -> int:
        """The time the exchange tells and judges deadlines by; a clock step moves it away from the true one."""
        return self.now_ns + self.skew_ns

    def number(self) -> int:
        """The next place in every queue."""
        return next(self._numbers)

    def add(self, order: Order) -> None:
        """Let a new order be found."""
        self.orders[order.txid] = self.open[order.txid] = order
        self.market(order.pair).orders[order.txid] = order
        if order.request.cl_ord_id is not None:
            self._by_client[order.request.cl_ord_id].append(order)

    def by_client(self, cl_ord_id: str) -> Sequence[Order]:
        """Every order that ever had this client id, oldest first."""
        return self._by_client.get(cl_ord_id, [])

    def market(self, listing: Listing) -> Market:
        return self.markets[listing.key]

    def emit(self, event: Event) -> None:
        for listener in tuple(self.listeners):
            listener(event)

    def schedule(self, at_ns: int, action: Callable[[], None]) -> None:
        """Do `action` when the exchange's time reaches `at_ns`."""
        heapq.heappush(self._timers, (at_ns, self.number(), action))

    def next_timer_ns(self) -> int | None:
        return self._timers[0][0] if self._timers else None

    def run_timer(self) -> None:
        """Do the earliest action."""
        heapq.heappop(self._timers)[2]()

    def engine_counter(self, listing: Listing) -> Counter:
        """The matching engine's counter of one pair."""
        found = self._engine_counters.get(listing.key)
        if found is None:
            tier = self.account_tier
            found = self._engine_counters[listing.key] = Counter(tier.engine_max, tier.engine_decay)
        return found

    def fee_rate(self, maker: bool) -> Decimal:
        """The fee of a fill now, as a fraction."""
        return (MAKER if maker else TAKER).rate(self.traded.at(self.now_ns))
