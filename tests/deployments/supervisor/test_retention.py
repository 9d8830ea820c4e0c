"""What scans leave in Prefect's database, counted on real runs of the real deployment, and that retention takes all of it away.

    BRAIN_FAULT_POINTS=1 BRAIN_SCANS=40 python -m pytest -s tests/deployments/supervisor/test_retention.py

prints rows and bytes a scan, and what a year of 5-minute scans leaves with the retention of the settings.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from deployments.prefect_api import call
from deployments.supervisor import conductor, postgres
from deployments.supervisor.deployed_run import follow, start
from shell.config import PrefectConfig
from tests.deployments.supervisor.hurried_shell import START, let_time_pass
from tests.deployments.supervisor.test_system import PROJECT, Up, until, up
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.prefect, pytest.mark.timeout(3000)]

SCANS = int(os.environ.get("BRAIN_SCANS", "5"))
SCANS_A_DAY = 288
RUN_TABLES = ("flow_run", "flow_run_state", "task_run", "task_run_state", "log", "artifact", "flow_run_input")
EVENT_TABLES = ("events", "event_resources")
# Runs the vacuum's own functions once, as the server's service does every hour; orphans are its daily pass.
VACUUM = """
import asyncio
from prefect.server.database import provide_database_interface as database
from prefect.server.services import db_vacuum as vacuum
async def once():
    db = database()
    for each in (vacuum.vacuum_old_flow_runs, vacuum.vacuum_events_with_retention_overrides, vacuum.vacuum_old_events,
                 vacuum.vacuum_orphaned_logs, vacuum.vacuum_orphaned_artifacts, vacuum.vacuum_stale_artifact_collections):
        await each(db=db)
asyncio.run(once())
"""


def ask(system: Up, statement: str) -> list[list[str]]:
    command = [
        str(postgres.binaries() / "psql"), "-X", "-q", "-A", "-t", "-F", "|", "-h", str(system.home.run / "pg"), "-U",
        postgres.USER, "-d", postgres.DATABASE, "-c", statement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [line.split("|") for line in done.stdout.splitlines() if line]


def rows_of(system: Up, *tables: str) -> dict[str, int]:
    return {table: int(ask(system, f"SELECT count(*) FROM {table}")[0][0]) for table in tables}


def bytes_a_row(system: Up, table: str) -> float:
    """Mean bytes of a row's content, and the indexes' share of each."""
    [[content, rows, indexes]] = ask(
        system, f"SELECT coalesce(sum(pg_column_size(t.*)), 0), count(*), pg_indexes_size('{table}') FROM {table} t"
    )
    return (int(content) + int(indexes)) / max(int(rows), 1)


def settled(system: Up) -> None:
    """Wait until the events of what has run have arrived: the counts stand still."""
    counts: list[dict[str, int]] = []

    def still() -> bool:
        time.sleep(5)
        counts.append(rows_of(system, *RUN_TABLES, *EVENT_TABLES))
        return len(counts) > 1 and counts[-1] == counts[-2]

    until(still, "the counts stand still")


def scanned(system: Up, number: int) -> None:
    """One scan by its deployment, as the schedule makes one."""
    slot = START + timedelta(minutes=5 * number)
    let_time_pass(system.home.root, slot)
    until(lambda: system.client.status().now >= slot, "the slot's moment")
    # One that the schedule had begun may hold the only place: ours is cancelled then, and asked for again.
    until(lambda: run_once(system, slot.isoformat()) == "COMPLETED", "the scan's run completed", 600)


def run_once(system: Up, slot: str) -> str:
    return follow(system.api, "", start(system.api, "scan", {"now": slot}), lambda line: None).state


def test_a_years_scans_stay_small_and_retention_takes_away_all_that_is_old() -> None:
    with up("embedded", "hurried_shell", {}) as system:
        for deployment in call(system.api, "POST", "/deployments/filter", {}):
            # Nothing but our scans: the machine's time is not this shell's.
            call(system.api, "POST", f"/deployments/{deployment['id']}/pause_deployment", None)
        scanned(system, 0)
        settled(system)
        before = rows_of(system, *RUN_TABLES, *EVENT_TABLES)
        interval = system.client.status().scan_interval_minutes // 5
        for number in range(1, SCANS + 1):
            scanned(system, number * interval)
        settled(system)
        after = rows_of(system, *RUN_TABLES, *EVENT_TABLES)
        report(system, {table: (after[table] - before[table]) / SCANS for table in after})

        # Everything becomes older than it is kept; one run that waits for its trial, too, which must stay.
        kept = call(system.api, "GET", "/deployments/name/evolve/evolve", None)
        waiting = call(system.api, "POST", f"/deployments/{kept['id']}/create_flow_run", {
            "state": {"type": "PAUSED", "name": "Suspended"}, "parameters": {}, "tags": ["c0001"],
        })
        old = "interval '400 days'"
        for table, columns in {
            "flow_run": ("start_time", "end_time", "expected_start_time"), "log": ("timestamp",), "events": ("occurred",),
            "event_resources": ("occurred",),
        }.items():
            changes = ", ".join(f"{column} = {column} - {old}" for column in columns)
            ask(system, f"UPDATE {table} SET {changes}")
        config = PrefectConfig()
        environment = conductor.server_environment(system.home, config, system.api, postgres.url_of(system.home.run / "pg"))
        subprocess.run([sys.executable, "-c", VACUUM], env=environment, check=True, timeout=300, cwd=PROJECT)
        left = ask(system, "SELECT id, state_type FROM flow_run WHERE state_type <> 'SCHEDULED'")
        assert left == [[waiting["id"], "PAUSED"]]
        orphans = {
            table: ask(system, f"SELECT count(*) FROM {table} WHERE flow_run_id NOT IN (SELECT id FROM flow_run)")[0][0]
            for table in ("task_run", "flow_run_state", "log", "artifact", "flow_run_input")
        }
        assert set(orphans.values()) == {"0"}, orphans
        assert int(ask(system, f"SELECT count(*) FROM events WHERE occurred < now() - {old}")[0][0]) == 0
        assert int(ask(system, f"SELECT count(*) FROM event_resources WHERE occurred < now() - {old}")[0][0]) == 0


def report(system: Up, rows: dict[str, float]) -> None:
    """Print what a scan leaves, and assert that a year of them is no matter."""
    config = PrefectConfig()
    sizes = {table: bytes_a_row(system, table) for table in rows}
    days = {table: (config.keep_events if table in EVENT_TABLES else config.keep_runs).days for table in rows}
    held = {table: rows[table] * SCANS_A_DAY * min(days[table], 365) for table in rows}
    unpruned = sum(rows[table] * sizes[table] for table in rows) * SCANS_A_DAY * 365
    print(f"\n{SCANS} scans by their deployment")
    for table in rows:
        each = f"{rows[table]:6.1f} rows a scan, {sizes[table]:6.0f} bytes each with indexes"
        print(f"{table:16} {each}, {held[table]:9.0f} rows held")
    total = sum(held[table] * sizes[table] for table in rows)
    print(f"held by the settings: {sum(held.values()):.0f} rows, {total / 1e6:.0f} MB; unpruned: {unpruned / 1e6:.0f} MB a year")
    assert total < 1e9
