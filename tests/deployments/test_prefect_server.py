"""What the flows of one process share while they report to a server, and what that keeps of them."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from deployments.prefect_password import kept_password
from deployments.prefect_server import DATABASE, PrefectServer, shared_clients, using

pytestmark = pytest.mark.prefect


@pytest.fixture
def harness() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@flow(persist_result=False)
async def asking() -> str:
    async with get_client() as prefect:
        return str((await prefect.hello()).status_code)


async def three_runs() -> list[str]:
    return [await asking() for _ in range(3)]


@pytest.mark.usefixtures("harness")
def test_flows_that_share_their_clients_load_the_certificates_for_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    def counted(*given: Any, **named: Any) -> ssl.SSLContext:
        # Prefect's own workers, which deliver events and logs from threads of theirs, are not in question.
        if threading.current_thread() is threading.main_thread():
            made.append(True)
        return create(*given, **named)

    async def runs() -> tuple[int, list[str]]:
        async with shared_clients():
            before = len(made)
            return before, await three_runs()

    create = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", counted)
    before, answers = asyncio.run(runs())
    assert answers == ["200"] * 3
    assert len(made) == before
    # And whoever shares nothing, afterwards, asks with clients of their own, on a loop of their own.
    assert asyncio.run(three_runs()) == ["200"] * 3
    assert len(made) > before


@task(persist_result=False)
async def counted(number: int) -> int:
    return number


@flow(persist_result=False)
async def counting() -> int:
    return sum([await counted(number) for number in range(5)])


def test_a_server_that_writes_task_runs_together_has_written_all_of_them_when_it_has_stopped(tmp_path: Path) -> None:
    with PrefectServer(tmp_path, kept_password(tmp_path)) as server:
        server.wait()
        with using(server, tmp_path):
            assert asyncio.run(counting()) == 10
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        states = database.execute("SELECT state_type, count(*) FROM task_run GROUP BY 1").fetchall()
        told = database.execute("SELECT count(*) FROM events WHERE event = 'prefect.task-run.Completed'").fetchone()
    assert (states, told) == ([("COMPLETED", 5)], (5,))
