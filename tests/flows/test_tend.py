"""A candidate after its gate has one run: begun where there is none, resumed when it is due, begun again once after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled, Completed, Crashed, Suspended
from prefect.testing.utilities import prefect_test_harness

from flows import candidate_runs
from flows.candidate_runs import begin_run, rested, runs_of
from flows.evolve import evolve
from flows.tend import LEFT_TO_THE_NIGHT, tend
from shell.trials.candidate import ChangeClass
from tasks.context import use_client
from tasks.paper import settle_trial
from tests.tasks.memory_shell import NOW, MemoryShell
from tests.tasks.sources import proposal, rule
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.prefect]

NAME = "c0001"
DUE = NOW + timedelta(days=1)


class Shell(MemoryShell):
    """One with a time of its own."""

    at = NOW

    def status(self) -> Any:
        return replace(super().status(), now=self.at)


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=240):
        asyncio.run(_deploy())
        yield


async def _deploy() -> None:
    async with get_client() as prefect:
        await prefect.create_deployment(flow_id=await prefect.create_flow(evolve), name="evolve", tags=["night"])


@pytest.fixture
def shell() -> Iterator[Shell]:
    kept = Shell(rule())
    kept.register_candidate(proposal(rule(fast=4, slow=30)), NOW)
    kept.classify(NAME, ChangeClass.TWEAK)
    kept.start_paper(NAME, NOW)
    with use_client(kept):
        yield kept
    asyncio.run(_clear())


async def _clear() -> None:
    async with get_client() as prefect:
        for run in await prefect.read_flow_runs():
            await prefect.delete_flow_run(run.id)


@flow
async def tended(at_once: bool = False) -> list[UUID]:
    return await tend(at_once=at_once)


def tend_now(*, at_once: bool = False) -> list[UUID]:
    found: list[UUID] = asyncio.run(tended(at_once))
    return found


def runs() -> list[FlowRun]:
    return asyncio.run(runs_of([NAME]))


def put(run: FlowRun, state: Any) -> None:
    async def send() -> None:
        async with get_client() as prefect:
            await prefect.set_flow_run_state(run.id, state, force=True)

    asyncio.run(send())


def suspended() -> FlowRun:
    run = asyncio.run(begin_run({"candidate_id": NAME}, [NAME]))
    put(run, Suspended(pause_key="x"))
    return run


def state_of(run: FlowRun) -> str:
    [found] = [each for each in runs() if each.id == run.id]
    assert found.state is not None
    return found.state.name or ""


def test_a_trial_without_a_run_gets_one_and_no_second(shell: Shell) -> None:
    assert tend_now() == []
    [run] = runs()
    assert run.parameters == {"candidate_id": NAME}
    assert set(run.tags) == {NAME, "night"}
    tend_now()
    assert [each.id for each in runs()] == [run.id]


def test_it_is_resumed_when_it_is_due_and_left_to_the_night_for_a_while(shell: Shell) -> None:
    run = suspended()
    for at, at_once, woken in (
        (DUE - timedelta(minutes=5), True, []), (DUE, False, []), (DUE + LEFT_TO_THE_NIGHT, False, [run.id]),
    ):
        shell.at = at
        assert tend_now(at_once=at_once) == woken
    assert state_of(run) == "Resuming"
    other = suspended()
    shell.at = DUE
    put(run, Completed())
    assert tend_now(at_once=True) == [other.id]
    assert state_of(other) == "Resuming"


def test_a_crashed_run_begins_again_once_for_a_step_and_a_cancelled_one_does_not(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = suspended()
    put(run, Crashed())
    # Only a moment ago: Prefect's worker may report it once more.
    assert tend_now() == []
    assert state_of(run) == "Crashed"
    monkeypatch.setattr(candidate_runs, "YOUNG", timedelta(0))
    tend_now()
    assert state_of(run) == "Scheduled"
    put(run, Crashed())
    assert tend_now() == []
    assert state_of(run) == "Crashed"
    assert len(runs()) == 1
    # The next step is another one: it may begin again for that.
    shell.at = DUE
    settle_trial(shell, shell.trials["t0001"], DUE)
    assert tend_now() == [run.id]
    assert state_of(run) == "Scheduled"
    put(run, Cancelled())
    assert tend_now() == []
    assert state_of(run) == "Cancelled"


def test_one_that_waits_for_a_person_is_resumed_by_their_word_wherever_it_was_given(shell: Shell) -> None:
    run = suspended()
    shell.at = DUE
    settle_trial(shell, shell.trials["t0001"], DUE)
    shell.approvals[NAME] = "waiting"
    assert tend_now(at_once=True) == []
    assert state_of(run) == "Suspended"
    shell.approvals[NAME] = "rejected"
    assert tend_now() == [run.id]
    assert state_of(run) == "Resuming"


def test_a_run_that_suspended_itself_has_come_to_rest(shell: Shell) -> None:
    run = suspended()
    assert asyncio.run(rested(run.id)).id == run.id
