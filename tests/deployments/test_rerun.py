"""The shell makes a candidate's evidence again: honest tasks pass, lying ones do not, and trading goes on meanwhile.

Real homes, real tasks, real runs; the thresholds are low, since over so few days no honest one could be met.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import tasks.backtest
import tasks.gate
from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from shell.answers import Rerun, RerunState
from shell.backtest.crew import WorkerLost
from shell.clock import monotonic
from shell.config import GateConfig
from shell.desk import Desk
from shell.errors import NotNow, Rejected
from shell.gate.inputs import BiasFinding
from shell.promotion.reruns import BROKEN_MAX, rerun_of
from shell.trials.candidate import ChangeClass, Stage, StageResult
from tasks.backtest import backtest_candidate
from tasks.gate import gate_candidate
from tasks.gate_runs import Probed
from tasks.promote import promote_candidate
from tests.deployments.test_promotion import START, SYMBOLS, go_to, home_before
from tests.shell.promotion import honest
from tests.tasks.sources import proposal, rule
from tests.tasks.zigzag import zigzag
from tests.thorough import thorough

# Several homes with real runs each.
pytestmark = pytest.mark.timeout(3600)

GATE = GateConfig(
    min_trades=2, min_days=5, min_deflated_sharpe=0.5, max_overfitting_probability=1.0, max_spa_p_value=1.0,
    min_neighbours_kept=0.01, neighbour_score_kept=0.01,
)
SOURCE = rule(fast=4, slow=30)
MORE = timedelta(days=2)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenHome]:
    history = zigzag(SYMBOLS, START - timedelta(days=66), 68)
    home = home_before(tmp_path / "home", rule(fast=6, slow=40).code)
    settings = settings_for(home, account_overrides(SYMBOLS)).model_copy(update={"gate": GATE})
    held = open_replay(home, settings, history, START, START + MORE)
    held.shell.start(START)
    held.shell.step(START, origin="rehearsal")
    yield held
    held.close()


def gated(desk: Desk) -> str:
    """A candidate that real tasks took through the gate, and whose trial has passed by the shell's own word."""
    name = desk.register_candidate(proposal(SOURCE), START).candidate_id
    desk.classify(name, ChangeClass.TWEAK)
    fine = StageResult(stage=Stage.SANDBOX, passed=True, reasons=(), inputs={"verdict": "passed", "answers_hash": "abc"})
    desk.record_stage(name, fine, START)
    assert backtest_candidate(desk, name, START).passed
    verdict = gate_candidate(desk, name, START)
    assert verdict.passed, verdict.reasons
    trial = honest.on_paper(desk.shell.store, name, START)
    assert trial == "t0001"
    return name


def until_decided(desk: Desk, name: str, seconds: float = 600.0) -> Rerun:
    """Ask as a flow does, and trade on between two questions."""
    ends = monotonic() + seconds
    while (said := desk.run_again(name, START)).state is RerunState.RUNNING:
        desk.shell.step(desk.shell.now, origin="rehearsal")
        assert monotonic() < ends, said
    return said


@thorough
def test_an_honest_candidate_is_promoted_beside_a_shell_that_goes_on_trading(opened: OpenHome) -> None:
    desk, shell = Desk(opened.shell), opened.shell
    name = gated(desk)
    with pytest.raises(NotNow, match="not promoted before the shell has run its evidence again"):
        desk.promote(name, START)
    shell.keeps_time = True
    begun = monotonic()
    assert desk.run_again(name, START).state is RerunState.RUNNING
    asked = monotonic() - begun
    steps = 0
    while desk.run_again(name, START).state is RerunState.RUNNING:
        if shell.now < START + timedelta(hours=6):
            go_to(opened, shell.now + timedelta(minutes=5))
            steps += 1
    print(f"the first question took {asked:.2f} s, {steps} steps were made meanwhile")
    # Trading went on, and what it did meanwhile is booked.
    assert steps > 3
    assert opened.store.books.check("main") == []
    (fact,) = opened.store.events.rows(kind="rerun")
    assert fact.payload["outcome"] == "held" and fact.payload["same"][-1] == "biases"
    # Asked again nothing runs again.
    assert desk.run_again(name, START) == rerun_of(opened.store, name)
    answer = promote_candidate(desk, name, shell.now)
    assert answer.promotion is not None and answer.promotion.version == "v002", answer
    (promoted,) = opened.store.events.rows(kind="promotion")
    assert promoted.payload["rerun"] == fact.seq


def lying_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half as good again, day by day, and every figure true to that: score, stage and gate agree."""
    works = tasks.backtest.run_all

    def lies(sources: Any, *given: Any, **named: Any) -> Any:
        own, *rest = works(sources, *given, **named)
        values = tuple(1.5 * value for value in own.daily_returns)
        fallen = max(own.figures.max_drawdown_pct, honest.figures(values).max_drawdown_pct)
        figures = replace(honest.figures(values, own.figures.trades), max_drawdown_pct=fallen)
        return [replace(own, daily_returns=values, figures=figures), *rest]

    monkeypatch.setattr(tasks.backtest, "run_all", lies)


def lying_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    honest_look = tasks.gate.look_into_vault

    def lies(*given: Any) -> Probed:
        look = honest_look(*given).vault
        assert look is not None
        return Probed(vault=replace(look, total_return_pct=look.total_return_pct + 0.1))

    _replaced(monkeypatch, "vault", lies)


def lying_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A delay by one bar that costs nothing, where it does cost something."""
    honest_probes = tasks.gate.probe_biases

    def better(finding: BiasFinding) -> BiasFinding:
        return finding if finding.kept is None else replace(finding, kept=1.0)

    _replaced(monkeypatch, "biases", lambda *given: Probed(biases=tuple(map(better, honest_probes(*given).biases or ()))))


def _replaced(monkeypatch: pytest.MonkeyPatch, name: str, make: Any) -> None:
    dear = tuple((each, worth_it, make if each == name else made) for each, worth_it, made in tasks.gate._DEAR)
    monkeypatch.setattr(tasks.gate, "_DEAR", dear)


LIES = {"selection": lying_run, "vault": lying_vault, "biases": lying_probes}


@thorough
@pytest.mark.parametrize("named", LIES)
def test_tasks_that_invent_consistently_do_not_promote(
    opened: OpenHome, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(opened.shell)
    with monkeypatch.context() as lying:
        LIES[named](lying)
        name = gated(desk)
    before = opened.shell.active_strategy().version
    answer = promote_candidate(desk, name, START)
    assert answer.promotion is None and not answer.waiting
    assert f"did not come out when the shell ran it again, {named}:" in answer.refusal, answer.refusal
    (told,) = [each for each in opened.store.outbox.list() if each.kind == "rerun"]
    assert told.severity == "critical" and named in told.text
    # For good: whoever asks, also the shell itself, around the tasks.
    with pytest.raises(Rejected, match="did not come out|has ended"):
        desk.promote(name, START)
    assert opened.shell.active_strategy().version == before


@thorough
def test_a_rerun_that_dies_in_the_middle_is_undecided_and_made_again(opened: OpenHome) -> None:
    desk, shell = Desk(opened.shell), opened.shell
    name = gated(desk)
    shell.keeps_time = True
    desk.run_again(name, START)
    running = shell._reruns._running
    assert running is not None
    running[1]._worker._process.kill()
    with pytest.raises(WorkerLost, match="SIGKILL"):
        until_decided(desk, name)
    assert list(opened.store.events.rows(kind="rerun")) == []
    # The shell stops in the middle of the next one: nothing is left of it, neither a fact nor a process.
    desk.run_again(name, START)
    second = shell._reruns._running
    assert second is not None
    process = second[1]._worker._process
    shell._reruns.close()
    assert process.returncode is not None
    assert list(opened.store.events.rows(kind="rerun")) == []
    assert until_decided(desk, name).state is RerunState.HELD


def test_a_strategy_that_breaks_again_and_again_is_refused_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that breaks once is not."""
    from shell.store.store import Store

    with Store.open(tmp_path / "brain.db") as store:
        for times in range(BROKEN_MAX):
            assert rerun_of(store, "c0001").state is RerunState.RUNNING
            honest.run_again(store, "c0001", START, outcome="broke", check="selection", sentence=f"it broke ({times})")
        said = rerun_of(store, "c0001")
        assert said.state is RerunState.REFUSED
        assert "it broke (2) (3 times)" in said.sentence
        # Of another candidate nothing is known.
        assert rerun_of(store, "c0002").state is RerunState.RUNNING
