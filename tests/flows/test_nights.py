"""Whole nights as real Prefect flows, on a server of their own and a shell in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.testing.utilities import prefect_test_harness

from flows.evolve import evolve
from flows.orchestrate import orchestrate
from flows.registry import FLOWS, flow_parameters, run_flow
from shell.config import GateConfig, Settings
from shell.config_ai import AiConfig, VertexConfig
from shell.errors import UsageError
from shell.trials.candidate import ChangeClass, Stage, StageResult, Verdict
from tasks.context import use_client
from tasks.night import DecisionKind, Work
from tests.tasks.memory_shell import NOW, START, SYMBOLS, MemoryShell, small_settings
from tests.tasks.sources import proposal, rule
from tests.tasks.zigzag import zigzag
from tests.thorough import thorough

pytestmark = pytest.mark.prefect

DAYS = 62
# A life of a candidate, not its evidence: over so few days no honest threshold could be met.
GATE = GateConfig(
    min_trades=2, min_days=5, min_deflated_sharpe=0.5, max_overfitting_probability=1.0, max_spa_p_value=1.0,
    min_neighbours_kept=0.01, neighbour_score_kept=0.01,
)
# Asked for, and it cannot be done: a night is the same without it, and people are told.
EXPORTING = AiConfig(vertex=VertexConfig(export="nightly"))
IDLE = rule(term_1="rsi", rsi_period=8, rsi_below=40, term_2="breakout", channel=96)


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def shell() -> Iterator[MemoryShell]:
    settings = small_settings(search_evaluations=2, search_days_max=6)
    kept = MemoryShell(
        IDLE, settings=Settings(orchestrator=settings.orchestrator, gate=GATE, ai=EXPORTING),
        history=zigzag(SYMBOLS, START, DAYS), last=START + timedelta(days=DAYS),
    )
    with use_client(kept):
        yield kept


def runs() -> list[FlowRun]:
    async def read() -> list[FlowRun]:
        async with get_client() as prefect:
            return await prefect.read_flow_runs()

    return asyncio.run(read())


def test_a_submitted_file_goes_from_the_night_it_came_to_promotion(shell: MemoryShell) -> None:
    shell.waiting.append(proposal(rule(fast=4, slow=30)))
    first = asyncio.run(orchestrate(now=NOW.isoformat(), seed=7))
    assert first.decision.kind is DecisionKind.EVOLVE
    candidate = shell.ledger["c0001"]
    assert [each.stage for each in candidate.stages] == [
        Stage.GENERATE, Stage.REVIEW, Stage.SANDBOX, Stage.BACKTEST, Stage.GATE,
    ], candidate.reasons
    assert all(each.passed for each in candidate.stages), candidate.reasons
    assert shell.vault_looks == ["c0001"]
    [trial] = shell.trials.values()
    assert candidate.change_class is ChangeClass.OVERHAUL
    assert first.outcomes[0].trial_due_at == trial.due_at == NOW + timedelta(days=7)
    tags = {run.name: set(run.tags) for run in runs()}
    assert tags["orchestrate 2024-03-11"] == {"night 2024-03-11"}
    [named] = [name for name in tags if name.startswith("evolve c0001")]
    assert named == f'evolve c0001 "{candidate.proposal.hypothesis}"'
    assert tags[named] == {"night 2024-03-11", "c0001", "person"}

    shell.config = shell.config.model_copy(
        update={"orchestrator": shell.config.orchestrator.model_copy(update={"candidates_per_night": 0})}
    )
    early = asyncio.run(orchestrate(now=(NOW + timedelta(days=6)).isoformat(), seed=7))
    assert early.settlements == ()
    last = asyncio.run(orchestrate(now=(NOW + timedelta(days=7)).isoformat(), seed=7))
    assert [each.promotion.version for each in last.settlements if each.promotion] == ["v002"]
    assert shell.ledger["c0001"].verdict is Verdict.PROMOTED
    assert shell.active.source == rule(fast=4, slow=30)
    assert last.active_version == "v002"
    assert sorted(shell.nights) == ["2024-03-11", "2024-03-17", "2024-03-18"]
    assert "v002 is active in place of v001" in shell.reports["night-2024-03-18.md"]
    assert "### 2024-03-18" in shell.text
    assert [message[0] for message in shell.messages] == ["night", "export"] * 3
    assert "was not copied to Vertex: the export needs the Google Cloud project" in shell.messages[-1][2]


@thorough
def test_a_searched_night_ends_with_a_reason_and_can_be_repeated(shell: MemoryShell) -> None:
    shell.config = shell.config.model_copy(update={"gate": GateConfig(min_trades=1000)})
    first = asyncio.run(orchestrate(now=NOW.isoformat(), seed=7))
    looks, scores, ledger = list(shell.searches), list(shell.trial_scores), dict(shell.ledger)
    assert sum(looks) == 3
    [outcome] = first.outcomes
    assert outcome.reasons
    if outcome.candidate_id is not None:
        assert shell.ledger[outcome.candidate_id].verdict is Verdict.REFUSED
        assert any("minimum_trades" in reason for reason in outcome.reasons)
    again = asyncio.run(orchestrate(now=NOW.isoformat(), seed=7))
    if ledger:
        assert again.decision.kind is DecisionKind.NO_CHANGE
        assert (shell.searches, shell.trial_scores, shell.ledger) == (looks, scores, ledger)


def test_a_bad_file_is_refused_at_review_and_no_trial_is_spent(shell: MemoryShell) -> None:
    source = rule(fast=4)
    shell.waiting.append(proposal(type(source)(code=source.code.replace("stop_loss=stop, ", ""))))
    outcome = asyncio.run(evolve(now=NOW, work=Work.SUBMISSION))
    assert (outcome.verdict, outcome.stage) == ("refused", "review")
    assert "stop_loss" in outcome.reasons[0]
    assert shell.trial_scores == []


@thorough
def test_a_cut_short_life_goes_on_where_it_stopped(shell: MemoryShell) -> None:
    yesterday = NOW - timedelta(days=1)
    candidate_id = shell.register_candidate(proposal(rule(fast=4, slow=30)), yesterday).candidate_id
    shell.classify(candidate_id, ChangeClass.TWEAK)
    for stage, inputs in ((Stage.REVIEW, {}), (Stage.SANDBOX, {"verdict": "passed", "answers_hash": "abc"})):
        shell.record_stage(
            candidate_id, StageResult(stage=stage, passed=True, reasons=("made up",), inputs=inputs), yesterday
        )
    outcome = asyncio.run(evolve(now=NOW, work=Work.RESUME, candidate_id=candidate_id))
    assert (outcome.candidate_id, outcome.stage, outcome.trial_due_at) == ("c0001", "paper", NOW + timedelta(days=1))
    assert [each.stage for each in shell.ledger[candidate_id].stages] == [
        Stage.REVIEW, Stage.SANDBOX, Stage.BACKTEST, Stage.GATE,
    ]


def test_the_small_flows_do_their_one_thing(shell: MemoryShell) -> None:
    slot = NOW + timedelta(minutes=5)
    at = {"now": (slot - timedelta(minutes=1)).isoformat()}
    assert run_flow("scan", at).slot == slot
    assert run_flow("scan", at).already_done
    assert set(run_flow("fees", at)) == set(SYMBOLS)
    assert run_flow("snapshot", at)["equity"] == "10000"
    assert run_flow("aggregate", at) == {"h1": 24, "d1": 1}
    assert run_flow("reconcile", at) == 0
    shell.unreported = [{"slot": slot, "origin": "fallback"}]
    assert run_flow("reconcile", at) == 1
    names = [run.name for run in runs()]
    assert f"scan {slot:%Y-%m-%d %H:%M}" in names
    assert shell.reported == [slot]
    # A reconciliation that died before it had marked them shows nothing twice.
    assert run_flow("reconcile", at) == 1
    assert [run.name for run in runs()].count(f"scan {slot:%Y-%m-%d %H:%M} (by the shell alone)") == 1


def test_distillation_and_parity_answer_what_the_shell_did(shell: MemoryShell) -> None:
    at = {"now": NOW.isoformat()}
    assert run_flow("distill", at) == {"quarter": "2023-Q4"}
    assert run_flow("parity", at)["compared"] is False


def test_wrong_parameters_are_refused_before_anything_runs(shell: MemoryShell) -> None:
    with pytest.raises(UsageError, match="no flow 'scna'"):
        run_flow("scna", {})
    with pytest.raises(UsageError, match="no parameter when; it has now"):
        run_flow("scan", {"when": "now"})
    with pytest.raises(UsageError, match="evolve"):
        run_flow("evolve", {"ordinal": "third"})
    assert shell.scanned == []
    assert {each.name for each in flow_parameters("orchestrate")} == {"now", "seed", "provider"}
    assert list(FLOWS) == [
        "scan", "fees", "snapshot", "orchestrate", "evolve", "aggregate", "distill", "parity", "reconcile",
    ]
