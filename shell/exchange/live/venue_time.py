"""The venue's time as deadlines need it, told by a clock of ours that somebody may set.

Kraken judges an order's deadline by its own clock: with ours hours off it would refuse every order, the way out of a position
included, whose stop was just taken out for it. And it tells what happened since a moment by its own clock: asked for all since
a moment that is still ahead of it, it tells nothing. So the difference is asked for every hour, and at once where our clock
went back, leapt ahead, or an order was refused for its deadline.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shell.clock import Clock
from shell.errors import Rejected, Transient
from shell.exchange.live.venue import KrakenVenue
from shell.log import get_logger

# Rounds are half a second apart. A round that hangs for longer than this costs one question more; a clock that leapt by less
# stays within the overlap of everything that is read since a moment.
LEAP = timedelta(minutes=1)
# A clock that nobody sets drifts by seconds a day.
ASK_EVERY = timedelta(hours=1)
BACK = timedelta(seconds=1)
# Kraken tells whole seconds, and the answer takes a moment: less than this is no difference.
NOISE = timedelta(seconds=3)
HALF_A_SECOND = timedelta(milliseconds=500)
ASK_AGAIN = timedelta(seconds=3)
NONE = timedelta(0)


class VenueTime:
    """For the trading thread. `ahead` is how far the venue's clock is ahead of ours, 0 until it was found to differ."""

    def __init__(self, venue: KrakenVenue, clock: Clock, *, leap: timedelta = LEAP) -> None:
        """`leap` is more than the clock goes from one round to the next."""
        self._venue = venue
        self._clock = clock
        self._leap = leap
        self._seen_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._wanted = False
        self.ahead = NONE

    @property
    def doubted(self) -> bool:
        """True while our clock is known to have been set, and not yet by how much."""
        return self._wanted

    def now(self) -> datetime:
        """The moment by the venue's clock, as far as it is known."""
        return self._clock.now() + self.ahead

    def doubt(self) -> None:
        """The venue refused something for its time: ask at the next look."""
        self._wanted = True

    def look(self) -> bool:
        """Once a round: True when our clock went back since the last one. Asks the venue where that is called for."""
        now, before = self._clock.now(), self._seen_at
        self._seen_at = now
        back = before is not None and before - now > BACK
        if self._asked_at is None:
            # Trading begins with clocks that were compared.
            self._asked_at = now
        if back or (before is not None and now - before > self._leap) or now - self._asked_at >= ASK_EVERY:
            self._wanted = True
        if self._wanted and abs(now - self._asked_at) >= ASK_AGAIN:
            self._asked_at = now
            self._ask()
        return back

    def _ask(self) -> None:
        sent_at = self._clock.now()
        try:
            told = self._venue.time()
        except (Transient, Rejected) as error:
            get_logger().warning("the venue's time is not known", reason=str(error), at=sent_at)
            return
        self._wanted = False
        ahead = told + HALF_A_SECOND - (sent_at + (self._clock.now() - sent_at) / 2)
        self.ahead = ahead if abs(ahead) > NOISE else NONE
        if self.ahead:
            get_logger().warning("this machine's clock is not the venue's", ahead_seconds=ahead.total_seconds(), at=sent_at)
