"""The moment a run is for, whoever gave it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from prefect.types._datetime import now

from flows import run
from flows.run import deployed, moment
from shell.errors import UsageError


def test_a_moment_of_prefects_own_kind_keeps_its_zone_in_arithmetic() -> None:
    given = now("UTC")
    at = moment(given)
    assert at == given
    assert type(at) is datetime
    assert (at - timedelta(days=30)).tzinfo is UTC


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="without a zone"):
        moment(datetime(2026, 1, 1))


def of_a_run(monkeypatch: pytest.MonkeyPatch, *, deployment_id: UUID | None, parent: UUID | None, answer: str | None) -> None:
    """Stand inside a run as its record tells of it; `answer` is what Prefect would find out about its deployment."""
    record = SimpleNamespace(deployment_id=deployment_id, parent_task_run_id=parent)
    context: Any = SimpleNamespace(get=lambda: SimpleNamespace(flow_run=record))
    monkeypatch.setattr(run, "FlowRunContext", context)
    monkeypatch.setattr(run, "deployment", SimpleNamespace(id=answer) if answer is not None else SimpleNamespace())


@pytest.mark.parametrize(("made_from", "expected"), [(None, False), (UUID(int=1), True)])
def test_whether_a_run_inside_no_other_was_deployed_is_asked_of_its_own_record_alone(
    monkeypatch: pytest.MonkeyPatch, made_from: UUID | None, expected: bool
) -> None:
    # `deployment` has no id here: to ask it, which costs a question to the server each time, would fail.
    of_a_run(monkeypatch, deployment_id=made_from, parent=None, answer=None)
    assert deployed() is expected


def test_a_run_inside_a_deployed_one_is_deployed_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    of_a_run(monkeypatch, deployment_id=None, parent=UUID(int=2), answer="the parent's")
    assert deployed()


def test_no_run_is_no_deployed_run() -> None:
    assert not deployed()
