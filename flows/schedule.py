"""The scan's schedule follows the active strategy's interval: a run starts a minute before each of its slots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

SCAN = "scan/scan"
EARLY = timedelta(minutes=1)
HOUR, DAY = 60, 1440
# Slots are counted from the epoch (shell.engine), runs a minute before them.
ANCHOR = datetime(1970, 1, 1, tzinfo=UTC) - EARLY


def scan_schedule(minutes: int) -> CronSchedule | IntervalSchedule:
    """A run a minute before every slot of a strategy that scans every `minutes`: a cron where one can say it."""
    if minutes < HOUR and HOUR % minutes == 0:
        return CronSchedule(cron=f"{minutes - 1}-59/{minutes} * * * *", timezone="UTC")
    if minutes == DAY:
        return CronSchedule(cron="59 23 * * *", timezone="UTC")
    if minutes % HOUR == 0 and DAY % minutes == 0:
        hours = minutes // HOUR
        return CronSchedule(cron=f"59 {hours - 1}-23/{hours} * * *", timezone="UTC")
    return IntervalSchedule(interval=timedelta(minutes=minutes), anchor_date=ANCHOR, timezone="UTC")


async def follow_interval(minutes: int) -> bool:
    """Give the scan's deployment the schedule of this interval, if it has another. A pause by hand stays. True if changed."""
    wanted = scan_schedule(minutes)
    async with get_client() as prefect:
        deployment = await prefect.read_deployment_by_name(SCAN)
        for kept in deployment.schedules:
            if not _same(kept.schedule, wanted):
                await prefect.update_deployment_schedule(deployment.id, kept.id, active=kept.active, schedule=wanted)
                get_run_logger().info(f"scans come every {minutes} minutes now: their schedule was {kept.schedule}")
                return True
    return False


def _same(kept: object, wanted: CronSchedule | IntervalSchedule) -> bool:
    if isinstance(kept, CronSchedule) and isinstance(wanted, CronSchedule):
        return (kept.cron, kept.timezone) == (wanted.cron, wanted.timezone)
    if isinstance(kept, IntervalSchedule) and isinstance(wanted, IntervalSchedule):
        return (kept.interval, kept.anchor_date) == (wanted.interval, wanted.anchor_date)
    return False
