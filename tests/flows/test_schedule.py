"""Schedules as Prefect computes them: a night a day whatever the clocks do, and a run a minute before every slot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.server.schemas.schedules import CronSchedule as ServerCron
from prefect.server.schemas.schedules import IntervalSchedule as ServerInterval

from flows.schedule import EARLY, scan_schedule
from shell.clock import NEW_YORK, from_ms, local_day, night_window, to_ms
from tasks.scan import slot_at
from tests.thorough import thorough

YEARS = (2024, 2037)


def runs(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every run between two moments, in UTC."""
    schedule = ServerCron(cron=cron, timezone=zone)
    return plain(asyncio.run(schedule.get_dates(n=10_000, start=start, end=end)))


def plain(dates: Sequence[datetime]) -> list[datetime]:
    """Prefect's own kind of moments as ours."""
    return [from_ms(to_ms(each)) for each in dates]


def cron_of(project: Path, name: str) -> tuple[str, str]:
    rows = yaml.safe_load((project / "prefect.yaml").read_text())["deployments"]
    (schedule,) = next(row for row in rows if row["name"] == name)["schedules"]
    return schedule["cron"], schedule["timezone"]


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def test_every_night_round_a_clock_change_begins_once_at_its_windows_edge(project: Path) -> None:
    cron, zone = cron_of(project, "orchestrate")
    changes = [night_window(day) for day in days(date(2024, 1, 1), date(2037, 12, 31))]
    odd = [night for night in changes if night.ends - night.begins != timedelta(hours=3)]
    assert len(odd) == 2 * (YEARS[1] - YEARS[0] + 1)
    for night in odd:
        begins = runs(cron, zone, night.begins - timedelta(hours=30), night.begins + timedelta(hours=49))
        found = [local_day(each, NEW_YORK) for each in begins]
        assert found == days(found[0], found[-1])
        assert night.begins in begins


@thorough
@pytest.mark.parametrize("year", range(YEARS[0], YEARS[1] + 1))
@pytest.mark.parametrize(("name", "hour", "minute"), [("orchestrate", 0, 0), ("snapshot", 23, 55)])
def test_every_day_of_a_year_has_exactly_one_run(name: str, hour: int, minute: int, year: int, project: Path) -> None:
    cron, zone = cron_of(project, name)
    start, end = (night_window(date(each, 1, 1)).begins for each in (year, year + 1))
    found = [each.astimezone(NEW_YORK) for each in runs(cron, zone, start, end - timedelta(seconds=1))]
    assert [each.date() for each in found] == days(date(year, 1, 1), date(year, 12, 31))
    assert {(each.hour, each.minute) for each in found} == {(hour, minute)}


@pytest.mark.parametrize("minutes", [5, 7, 10, 15, 30, 45, 60, 90, 120, 240, 720, 1440])
def test_a_run_starts_a_minute_before_each_slot_of_the_interval(minutes: int) -> None:
    schedule = scan_schedule(minutes)
    start = datetime(2026, 11, 22, 0, 0, 30, tzinfo=UTC)
    if isinstance(schedule, IntervalSchedule):
        same = ServerInterval(interval=schedule.interval, anchor_date=schedule.anchor_date, timezone="UTC")
        dates = asyncio.run(same.get_dates(n=5, start=start))
    else:
        dates = asyncio.run(ServerCron(cron=schedule.cron, timezone="UTC").get_dates(n=5, start=start))
    slots = [each + EARLY for each in plain(dates)]
    first = slot_at(start + EARLY, minutes)
    assert slots == [first + count * timedelta(minutes=minutes) for count in range(5)]
    # A minute early is at or before the slot, and after the one before: the run finds its own slot.
    assert [slot_at(each, minutes) for each in plain(dates)] == slots
