"""What the flows of one process share while they report to a server."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from deployments.prefect_server import shared_clients

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@flow(persist_result=False)
async def asking() -> str:
    async with get_client() as prefect:
        return str((await prefect.hello()).status_code)


async def three_runs() -> list[str]:
    return [await asking() for _ in range(3)]


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
    assert (before, len(made)) == (2, 2)
    # And whoever shares nothing, afterwards, asks with clients of their own, on a loop of their own.
    assert asyncio.run(three_runs()) == ["200"] * 3
    assert len(made) > 2
