"""Waits until a request fits Kraken's limits, so that Kraken never has to refuse one.

Questions wait their time. An order does not: what it was decided on is old by then, so it is refused here, unsent.
Cancels are counted and never held up, because nothing makes an account safer.
"""

from __future__ import annotations

from collections import OrderedDict

from shell.exchange.kraken.errors import RateLimited
from shell.exchange.kraken.limits import Counter, EngineAction, Limits, api_cost, engine_cost
from shell.exchange.kraken.pace import Pace

# Part of the key's counter that is used: the rest is for calls that crossed on the way.
SHARE_USED = 0.9
# Kraken does not publish its limit on public calls; about one a second and pair has always been safe.
PUBLIC_BURST = 4.0
PUBLIC_PER_SECOND = 1.0
# An order that would have to wait longer than this is refused instead.
ORDER_PATIENCE_SECONDS = 2.0
ORDERS_REMEMBERED = 5_000


class Limiter:
    """All counters of one key and one address. For one event loop."""

    def __init__(self, limits: Limits, pace: Pace, *, public_per_second: float = PUBLIC_PER_SECOND) -> None:
        self._limits = limits
        self._pace = pace
        self._api = Counter(limits.api_max * SHARE_USED, limits.api_decay)
        self._public_per_second = public_per_second
        self._public: dict[str, Counter] = {}
        self._engine: dict[str, Counter] = {}
        # Order id -> its pair and when it was made or last amended.
        self._orders: OrderedDict[str, tuple[str, float]] = OrderedDict()

    async def public(self, pair: str) -> None:
        """Wait until a public call about `pair` ("" for none) fits, and count it."""
        counter = self._public.setdefault(pair, Counter(PUBLIC_BURST, self._public_per_second))
        await self._enter(counter, 1)

    async def private(self, endpoint: str) -> None:
        """Wait until a private call fits the key's counter, and count it."""
        if cost := api_cost(endpoint):
            await self._enter(self._api, cost)

    async def order(self, action: EngineAction, pair: str, order_id: str = "") -> None:
        """Count what the engine will charge on `pair`. Raises RateLimited, before anything is sent, for an entry or an
        amendment that does not fit soon."""
        at = self._pace.monotonic()
        known = self._orders.get(order_id)
        pair = known[0] if known else pair
        counter = self._engine_of(pair)
        cost = engine_cost(action, at - known[1] if known else 0.0)
        if action is not EngineAction.CANCEL:
            while (wait := counter.wait(cost, self._pace.monotonic())) > 0:
                if wait > ORDER_PATIENCE_SECONDS:
                    message = f"too many orders on {pair} in a short time: nothing was sent, there is room in {wait:.0f} s"
                    raise RateLimited(message, wait_seconds=wait, engine=True)
                await self._pace.sleep(wait)
        counter.charge(cost, self._pace.monotonic())

    def placed(self, order_id: str, pair: str) -> None:
        """An order was made or amended now: its age decides what a cancel costs."""
        self._orders[order_id] = (pair, self._pace.monotonic())
        self._orders.move_to_end(order_id)
        while len(self._orders) > ORDERS_REMEMBERED:
            self._orders.popitem(last=False)

    def refused(self, error: RateLimited, pair: str) -> None:
        """Kraken said that a limit is reached: believe it."""
        counter = self._engine_of(pair) if error.engine else self._api
        counter.fill(self._pace.monotonic())

    def levels(self) -> dict[str, float]:
        """How full each counter is, for status and tests: "api", and each pair of the engine."""
        at = self._pace.monotonic()
        return {"api": self._api.level(at), **{pair: counter.level(at) for pair, counter in self._engine.items()}}

    def _engine_of(self, pair: str) -> Counter:
        counter = self._engine.get(pair)
        if counter is None:
            counter = self._engine[pair] = Counter(self._limits.engine_max, self._limits.engine_decay)
        return counter

    async def _enter(self, counter: Counter, cost: float) -> None:
        # Asked again after each wait: others may have come in between.
        while (wait := counter.wait(cost, self._pace.monotonic())) > 0:
            await self._pace.sleep(wait)
        counter.charge(cost, self._pace.monotonic())
