"""A night ends with its window: two, three or four hours long, whenever it really began."""

from __future__ import annotations

import asyncio
import logging
from datetime import date, timedelta

import pytest

from flows import window as module
from flows.window import BY_HAND, Window, seconds_left
from shell.clock import night_window

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 11, 20), 3), (date(2026, 3, 8), 2), (date(2026, 11, 1), 4)])
def test_a_night_may_last_until_its_window_ends(day: date, hours: int) -> None:
    night = night_window(day)
    assert seconds_left(night.begins, night.begins) == hours * 3600
    assert seconds_left(night.begins, night.ends - HOUR / 2) == 1800
    assert seconds_left(night.begins, night.ends + HOUR) == 0


def test_a_run_by_hand_in_the_day_gets_as_long() -> None:
    noon = night_window(date(2026, 11, 20)).begins + 12 * HOUR
    assert seconds_left(noon, noon) == BY_HAND.total_seconds()


def test_what_is_under_way_at_the_end_is_stopped_and_nothing_begins_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "get_run_logger", lambda: logging.getLogger("test"))
    done: list[str] = []

    async def life(name: str, seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            done.append(f"{name} stopped")
            raise
        done.append(name)
        return name

    async def night() -> list[str | None]:
        window = Window(0.2)
        return [await window.within(life(name, seconds)) for name, seconds in (("a", 0.0), ("b", 5.0), ("c", 0.0))]

    assert asyncio.run(night()) == ["a", None, None]
    assert done == ["a", "b stopped"]


def test_a_time_out_of_the_work_itself_is_not_taken_for_the_windows_end() -> None:
    async def life() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(Window(60).within(life()))
