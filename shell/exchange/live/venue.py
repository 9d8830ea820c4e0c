"""Kraken as the trading thread sees it: plain calls with a deadline each, and what the private socket told since the last look.

Nothing here is tried twice except questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from queue import SimpleQueue

from shell.errors import OutcomeUnknown
from shell.exchange.kraken.events import AccountEvent, ReconcileNeeded
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.private_types import Amendment, NewOrder, OrderInfo, TradeInfo
from shell.exchange.kraken.public import PublicApi
from shell.exchange.live.bridge import NoAnswer, Runs

WRITE_SECONDS = 16.0
# The client asks again by itself within this time; a longer wait would hold up the monitor.
READ_SECONDS = 5.0
# Our clock may be far behind Kraken's; what that did just now must lie inside the window that is asked for.
WINDOW_AHEAD = timedelta(days=7)


class KrakenVenue:
    """One account at Kraken. For one thread, but `heard`, which the client's thread calls.

    What changes something raises Rejected for a clear no and OutcomeUnknown for everything that is no answer; questions
    raise Transient. Either may raise Fatal for a key that is refused.
    """

    def __init__(self, api: PrivateApi, public: PublicApi, runs: Runs) -> None:
        self._api = api
        self._public = public
        self._runs = runs
        self._heard: SimpleQueue[AccountEvent] = SimpleQueue()
        self._missed = ""

    def heard(self, event: AccountEvent) -> None:
        """Keep what the private socket told for the trading thread."""
        self._heard.put(event)
        if isinstance(event, ReconcileNeeded):
            self._missed = event.reason

    def missed(self) -> str:
        """Why something may have been missed since this was last asked; empty when nothing may."""
        missed, self._missed = self._missed, ""
        return missed

    def drain(self) -> list[AccountEvent]:
        """What was heard since the last call, in order."""
        heard, events = self._heard, []
        # Nobody else takes from it, so what is there stays there until it is taken here.
        while not heard.empty():
            events.append(heard.get_nowait())
        return events

    def add(self, order: NewOrder) -> str:
        """Send an order, once; the venue's id of it."""
        try:
            added = self._runs.call(lambda: self._api.add_order(order), WRITE_SECONDS)
        except NoAnswer as error:
            raise OutcomeUnknown(f"{error}; the order may have been placed") from None
        return added.order_ids[0]

    def cancel(self, *, order_id: str, client_id: str, symbol: str) -> None:
        """Ask for a cancel, by the venue's id or, where that is not known, by ours. Asking is all it is."""
        by_ours = None if order_id else client_id
        try:
            self._runs.call(
                lambda: self._api.cancel_order(order_id=order_id or None, cl_ord_id=by_ours, symbol=symbol), WRITE_SECONDS
            )
        except NoAnswer as error:
            raise OutcomeUnknown(f"{error}; the order may have been cancelled") from None

    def amend(self, symbol: str, amendment: Amendment) -> None:
        try:
            self._runs.call(lambda: self._api.amend_order(symbol, amendment), WRITE_SECONDS)
        except NoAnswer as error:
            raise OutcomeUnknown(f"{error}; the order may have been amended") from None

    def time(self) -> datetime:
        """The venue's clock, to the second."""
        return self._runs.call(self._public.time, READ_SECONDS)

    def recent(self, since: datetime, now: datetime) -> dict[str, OrderInfo]:
        """Every open order and every one that ended after `since`, by id. Open ones are asked for first, so that none can
        slip from one list to the other in between."""
        found = {order.order_id: order for order in self._read_open(None)}
        closed = self._runs.call(lambda: self._api.closed_between(since, now + WINDOW_AHEAD, trades=True), READ_SECONDS)
        return found | {order.order_id: order for order in closed}

    def named(self, client_id: str) -> OrderInfo | None:
        """The newest order that was given this name, open or closed."""
        found = list(self._read_open(client_id))
        page = self._runs.call(lambda: self._api.closed_orders(cl_ord_id=client_id, trades=True), READ_SECONDS)
        found += [order for order in page.orders if order.cl_ord_id == client_id]
        return found[0] if found else None

    def orders(self, order_ids: Sequence[str]) -> dict[str, OrderInfo]:
        return self._runs.call(lambda: self._api.query_orders(order_ids), READ_SECONDS)

    def trades(self, trade_ids: Sequence[str]) -> dict[str, TradeInfo]:
        return self._runs.call(lambda: self._api.query_trades(trade_ids), READ_SECONDS)

    def _read_open(self, client_id: str | None) -> Sequence[OrderInfo]:
        orders = self._runs.call(lambda: self._api.open_orders(cl_ord_id=client_id, trades=True), READ_SECONDS)
        return [order for order in orders if client_id is None or order.cl_ord_id == client_id]
