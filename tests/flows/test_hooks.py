"""What is told of flow runs that end badly: once a day for each flow, however often it fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from flows.hooks import tell_of_crash, tell_of_failure
from shell.config import Settings
from shell.desk import Desk
from shell.notices.notices import Notices
from shell.service import Shell
from shell.store.store import Store
from tasks.client import ShellClient
from tasks.context import use_client

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)


def failed(flow: str, message: str = "no answer") -> tuple[Any, Any, Any]:
    return SimpleNamespace(name=flow), SimpleNamespace(name=f"{flow} of now"), SimpleNamespace(message=message)


def test_a_scan_flow_that_fails_every_time_is_told_of_once_a_day(tmp_path: Path) -> None:
    with Store.open(tmp_path / "brain.db") as store:
        settings = Settings()
        shell = SimpleNamespace(
            store=store, config=settings, workspace=None, notify=Notices(store, settings, "main").notify,
            status=lambda: SimpleNamespace(now=moment),
        )
        with use_client(cast(ShellClient, Desk(cast(Shell, shell)))):
            for day in (0, 1):
                for number in range(12):
                    moment = AT + timedelta(days=day, minutes=5 * number)
                    tell_of_failure(*failed("scan", f"no answer {number}"))
                tell_of_crash(*failed("scan"))
                tell_of_failure(*failed("fees"))
        told = [each.text for each in store.outbox.list() if each.kind == "flow"]
    first = ["scan of now failed: no answer 0", "scan of now crashed: no answer", "fees of now failed: no answer"]
    assert told == first * 2
