"""When the venue is asked for its time: at leaps of our clock, and every hour; a step that is usual is no leap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shell.clock import VirtualClock
from shell.exchange.live.venue_time import LEAP, VenueTime

START = datetime(2026, 3, 2, tzinfo=UTC)
BAR = timedelta(minutes=5)


class Told:
    """A venue whose clock is a minute ahead of ours."""

    def __init__(self, clock: VirtualClock) -> None:
        self.asked: list[datetime] = []
        self._clock = clock

    def time(self) -> datetime:
        self.asked.append(self._clock.now())
        return self._clock.now() + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("leap", "asked_after_minutes"),
    [(LEAP, [5 * bar for bar in range(1, 14)] + [165]), (BAR + LEAP, [60, 165])],
)
def test_a_step_up_to_the_leap_asks_nothing_until_an_hour_is_over(leap: timedelta, asked_after_minutes: list[int]) -> None:
    clock = VirtualClock(START)
    venue = Told(clock)
    time = VenueTime(venue, clock, leap=leap)  # type: ignore[arg-type]
    for bar in [*range(14), 33]:
        clock.advance_to(START + bar * BAR)
        assert not time.look()
    assert [(at - START) / timedelta(minutes=1) for at in venue.asked] == asked_after_minutes
    assert time.ahead > timedelta(seconds=50)
