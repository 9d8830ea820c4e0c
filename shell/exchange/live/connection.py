"""The connection of one account: client, names, private socket and the venue over them, opened and closed in one place."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from shell.clock import Clock
from shell.errors import Transient
from shell.exchange.kraken.account_feed import AccountFeed
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.events import FeedDown
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.nonce import NonceSource, nonce_file
from shell.exchange.kraken.pace import Pace, RealPace
from shell.exchange.kraken.pairs import Names
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.public import PublicApi
from shell.exchange.kraken.rest import RestClient
from shell.exchange.kraken.signing import Credentials
from shell.exchange.live.bridge import Bridge, Bridges
from shell.exchange.live.venue import KrakenVenue

OPEN_SECONDS = 60.0
CLOSE_SECONDS = 10.0
# An order's answer is waited for this long; then it is doubtful, and looked for.
ANSWER_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class LiveConnection:
    """An open connection. `api` is for the bridge's thread (`bridge.call(lambda: api.balances(), seconds)`); `venue` for the
    trading thread."""

    bridge: Bridges
    rest: RestClient
    api: PrivateApi
    names: Names
    venue: KrakenVenue
    feed: AccountFeed

    def close(self) -> None:
        """Stop listening and leave no thread behind. Nothing is cancelled by it."""
        try:
            self.bridge.call(self.rest.close, CLOSE_SECONDS)
        except Transient:
            pass
        finally:
            self.bridge.stop()


def connect(
    addresses: Addresses,
    credentials: Credentials,
    *,
    clock: Clock,
    nonces: Path,
    verification: Verification,
    pace: Pace | None = None,
    limiter: Limiter | None = None,
    seed: int | None = None,
) -> LiveConnection:
    """Open the account: read the venue's names, and begin to listen. `nonces` is the folder of the nonce's file.

    Raises Transient when the venue cannot be reached, Fatal for a key that it refuses, and NotNow without a thread.
    """
    bridge = Bridge()
    bridge.start()
    own_pace = pace or RealPace()
    chance = random.Random(seed)

    async def build() -> tuple[RestClient, Names]:
        rest = RestClient(
            addresses, clock=clock, pace=own_pace, limiter=limiter or Limiter(LIMITS[verification], own_pace),
            credentials=credentials, nonces=NonceSource(nonce_file(nonces, credentials.key), clock), chance=chance,
            write_seconds=ANSWER_SECONDS,
        )  # fmt: skip
        try:
            return rest, await PublicApi(rest).names()
        except BaseException:
            await rest.close()
            raise

    try:
        rest, names = bridge.call(build, OPEN_SECONDS)
    except BaseException:
        bridge.stop()
        raise
    api = PrivateApi(rest, names)
    venue = KrakenVenue(api, PublicApi(rest), bridge)
    feed = AccountFeed(addresses, api.socket_token, names, venue.heard, pace=own_pace, chance=chance)
    bridge.spawn(lambda: _listen(feed, venue))
    return LiveConnection(bridge, rest, api, names, venue, feed)


async def _listen(feed: AccountFeed, venue: KrakenVenue) -> None:
    """Follow the private socket for ever. It ends only when the key may not: then the venue is asked instead."""
    try:
        await feed.run()
    except BaseException as error:
        venue.heard(FeedDown(reason=str(error)))
        raise
