"""The exchange without its sockets: one object that moves through time and does what customers ask.

Deterministic: the same tape, rules and calls give the same ids, fills and balances. Time only moves by `advance_to`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from shell.errors import UsageError
from shell.exchange.simulator import order_entry
from shell.exchange.simulator.accounts import LedgerRow
from shell.exchange.simulator.deadman import DeadMan
from shell.exchange.simulator.matching import trade_printed
from shell.exchange.simulator.moments import SECOND_NS, moment_of, to_ns
from shell.exchange.simulator.orders import OrderRequest
from shell.exchange.simulator.precision import number
from shell.exchange.simulator.refusal import Refusal
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.tape import Print, Tape
from shell.exchange.simulator.venue import Booked, Market, Rules, StateChanged, Traded, Venue


class Exchange:
    """A Kraken in memory. `venue` is its state, for those who look; they change it through this object only."""

    def __init__(self, tape: Tape, rules: Rules) -> None:
        self.venue = Venue(tape, rules)
        self.deadman = DeadMan()
        self._states = 0
        self._streams: list[tuple[int, int, Print, Iterator[Print], Market]] = []
        for index, market in enumerate(self.venue.markets.values()):
            # The last bar before the beginning is past in part only: its trades went into the candles already.
            self._follow(index, market, market.series.from_ns(self.venue.now_ns))
        self.advance_to(tape.start_ns)

    @property
    def now_ns(self) -> int:
        return self.venue.now_ns

    @property
    def now(self) -> datetime:
        return moment_of(self.venue.now_ns)

    def advance_to(self, moment: datetime | int) -> None:
        """Let time pass: trades of the tape and timers, in their order. Earlier moments change nothing."""
        target = moment if isinstance(moment, int) else to_ns(moment)
        venue, streams = self.venue, self._streams
        while True:
            timer = venue.next_timer_ns()
            trade = streams[0][0] if streams else None
            if timer is not None and timer <= target and (trade is None or timer <= trade):
                venue.now_ns = max(venue.now_ns, timer)
                venue.run_timer()
            elif trade is not None and trade <= target:
                self._next_trade()
            else:
                break
        venue.now_ns = max(venue.now_ns, target)

    def next_event_ns(self) -> int | None:
        """When the next trade or timer is due."""
        due = [each for each in (self.venue.next_timer_ns(), self._streams[0][0] if self._streams else None) if each]
        return min(due) if due else None

    def set_state(self, state: SystemState, for_ns: int = 0) -> None:
        """Enter a state; after `for_ns` (if any) be online again, unless another state was entered meanwhile."""
        venue = self.venue
        venue.state = state
        self._states += 1
        entered = self._states
        venue.emit(StateChanged(state))
        if state is not SystemState.MAINTENANCE:
            self._dead_man(self.deadman.armings)
        if for_ns:
            venue.schedule(venue.now_ns + for_ns, lambda: self._leave(entered))

    def _leave(self, entered: int) -> None:
        if entered == self._states:
            self.set_state(SystemState.ONLINE)

    def arm(self, timeout_s: int) -> int:
        """Set the dead man's switch (0: off); when it fires, in the exchange's time."""
        if timeout_s == 0:
            self.deadman.arm(0)
            return 0
        trigger_ns = self.venue.now_ns + timeout_s * SECOND_NS
        arming = self.deadman.arm(trigger_ns)
        self.venue.schedule(trigger_ns, lambda: self._dead_man(arming))
        return trigger_ns

    def deposit(self, asset: str, amount: Decimal) -> LedgerRow:
        """Add to an account's asset (with or without suffix such as XBT.F), or take away. Raises UsageError."""
        try:
            found, suffix = self.venue.directory.split(asset)
        except Refusal:
            raise UsageError(f"{asset!r} is no asset of this exchange") from None
        code = f"{found.altname}{suffix}" if suffix else found.code
        if amount < 0 and self.venue.accounts.available(code) + amount < 0:
            raise UsageError(f"{-amount} {code} cannot be withdrawn: {self.venue.accounts.available(code)} are free")
        kind = "deposit" if amount >= 0 else "withdrawal"
        row = self.venue.accounts.move(code, amount, kind, self.venue.now_ns)
        self.venue.emit(Booked([row]))
        return row

    def print_trade(self, pair: str, price: str | Decimal, qty: str | Decimal = "1", side: str = "s") -> Print:
        """Let the outside market trade now, beside the tape. Raises UsageError for nonsense."""
        venue = self.venue
        try:
            market = venue.market(venue.directory.pair(pair))
        except Refusal:
            raise UsageError(f"{pair!r} is no pair of this exchange") from None
        wanted, size = number(price), number(qty)
        if wanted is None or size is None or wanted <= 0 or size <= 0 or side not in ("b", "s"):
            raise UsageError(f"a trade of {qty} at {price} ({side}) makes no sense")
        shown = wanted // market.listing.tick * market.listing.tick
        trade = Print(venue.now_ns, shown, size, side, self._next_id(market))
        market.candles.keep_all()
        market.extra.append(trade)
        self._traded(market, trade)
        return trade

    def place(self, request: OrderRequest) -> str:
        """Place an order as somebody else with this account would, past all doors; its txid. Raises Refusal."""
        return order_entry.place(self.venue, request).txid

    def _next_id(self, market: Market) -> int:
        return market.recent[-1].trade_id + 1

    def _follow(self, index: int, market: Market, stream: Iterator[Print]) -> None:
        trade = next(stream, None)
        if trade is not None:
            heapq.heappush(self._streams, (trade.at_ns, index, trade, stream, market))

    def _next_trade(self) -> None:
        at_ns, index, trade, stream, market = heapq.heappop(self._streams)
        self.venue.now_ns = max(self.venue.now_ns, at_ns)
        if market.extra:
            trade = trade._replace(trade_id=trade.trade_id + len(market.extra))
        self._traded(market, trade)
        self._follow(index, market, stream)

    def _traded(self, market: Market, trade: Print) -> None:
        market.candles.take(trade)
        market.recent.append(trade)
        trade_printed(self.venue, market, trade)
        self.venue.emit(Traded(market.listing, trade))

    def _dead_man(self, arming: int) -> None:
        """Cancel everything if the switch was not pressed; in maintenance that waits for the engine to return."""
        if self.venue.state is not SystemState.MAINTENANCE and self.deadman.fires(arming, self.venue.now_ns):
            order_entry.cancel_all(self.venue)

