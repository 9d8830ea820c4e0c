"""The private feed: orders, fills and balances of the account, with a fresh token for every connection.

After each connection, and whenever a message was missed, ReconcileNeeded asks the owner to look at REST: what happened while
nobody listened is told there alone.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.errors import Verdict, meaning_of
from shell.exchange.kraken.events import AccountEvent, FeedDown, FeedUp, ReconcileNeeded, SymbolRefused
from shell.exchange.kraken.executions import Executions
from shell.exchange.kraken.pace import Pace
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.private import SocketToken
from shell.exchange.kraken.wire import Fields
from shell.exchange.kraken.ws import SILENCE_SECONDS, Broken, Socket, Want

EXECUTIONS, BALANCES = "executions", "balances"


class AccountFeed:
    """Follows the account for as long as `run()` runs. A `Listener` of its own socket.

    `fetch_token` is `PrivateApi.socket_token`. `tell` gets every event at once, in the event loop's thread.
    """

    def __init__(
        self,
        addresses: Addresses,
        fetch_token: Callable[[], Awaitable[SocketToken]],
        names: Names,
        tell: Callable[[AccountEvent], None],
        *,
        pace: Pace,
        chance: random.Random | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.executions = Executions(names)
        self._fetch_token = fetch_token
        self._tell = tell
        self._is_up = False
        self._sequence: dict[str, int] = {}
        self.socket = Socket(
            addresses.ws_auth, self, pace=pace, chance=chance, silence_seconds=silence_seconds, local=addresses.local
        )

    async def run(self) -> None:
        """For ever; cancel it to end. Raises KeyRefused when the key may not open a private socket."""
        await self.socket.run()

    @property
    def is_up(self) -> bool:
        return self._is_up

    def wants(self) -> Sequence[Want]:
        return [
            Want(channel=EXECUTIONS, params={"snap_orders": True, "snap_trades": True, "order_status": True}),
            Want(channel=BALANCES, params={"snapshot": True}),
        ]

    async def greet(self) -> Mapping[str, Any]:
        """A new token each time: an upgrade of Kraken's engine voids old ones."""
        self._sequence.clear()
        return {"token": (await self._fetch_token()).token.reveal()}

    def up(self) -> None:
        self._is_up = True
        self._tell(FeedUp())
        self._tell(ReconcileNeeded(reason="the private socket was connected"))

    def down(self, reason: str) -> None:
        self._is_up = False
        self._tell(FeedDown(reason=reason))

    def refused(self, channel: str, symbol: str, reason: str) -> None:
        """A void token: a new connection brings a new one. Anything else must be known by somebody."""
        if meaning_of(reason).verdict is not Verdict.TOKEN:
            self._tell(SymbolRefused(channel=channel, symbol=symbol, reason=reason))
        raise Broken(f"Kraken refused {channel}: {reason}")

    def message(self, message: Fields) -> None:
        """One message. A hole in the numbers, or a row that cannot be read, ends the connection: nothing is guessed."""
        channel = message.text("channel")
        if channel not in (EXECUTIONS, BALANCES):
            return
        if self._told_before(channel, message):
            return
        if channel == BALANCES:
            for balance in self.executions.balances(message):
                self._tell(balance)
            return
        for row in message.objects("data"):
            for event in self.executions.take(row):
                self._tell(event)

    def _told_before(self, channel: str, message: Fields) -> bool:
        """True for a message that came before. Raises Broken for one that comes after a hole."""
        if "sequence" not in message:
            return False
        number, last = message.integer("sequence"), self._sequence.get(channel)
        if last is not None and number <= last:
            return True
        if last is not None and number != last + 1:
            reason = f"messages {last + 1} to {number - 1} of {channel} are missing"
            self._tell(ReconcileNeeded(reason=reason))
            raise Broken(reason)
        self._sequence[channel] = number
        return False
