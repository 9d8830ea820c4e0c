"""A candidate that tries to get out ends at the stage where it did, and its code is put into quarantine under its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from shell.errors import StrategyFault
from shell.host.port import StrategySource
from shell.host.sandbox import run_sandbox
from shell.trials.candidate import Stage, StageResult, Verdict, source_hash
from tasks import backtest, gate, gate_runs, sandbox, search
from tasks.generate import Generation
from tasks.night import Work, WorkItem
from tasks.outcome import outcome_of
from tests.tasks.memory_shell import NOW, MemoryShell
from tests.tasks.sources import proposal, rule
from tests.tasks.test_gate import scored, shell_with

ATTEMPT = StrategyFault("attempt", "the strategy tried what only an attack does")
Runs = Callable[..., list[Any]]


def attempting(caught: StrategySource, runs: Runs) -> Runs:
    """`run_all` in which this source attempts something; the others run for real."""

    def run_all(sources: list[StrategySource], *arguments: Any, **named: Any) -> list[Any]:
        honest = [source for source in sources if source != caught]
        outcomes = iter(runs(honest, *arguments, **named) if honest else [])
        return [ATTEMPT if source == caught else next(outcomes) for source in sources]

    return run_all


def test_in_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    code = rule().code.replace("class Strategy", "import os, signal\nos.kill(os.getpid(), signal.SIGSYS)\n\n\nclass Strategy")
    source = StrategySource(code=code)
    shell = shell_with()
    candidate = shell.register_candidate(proposal(source), NOW).candidate_id
    # The policy would refuse this file before it could try anything.
    monkeypatch.setattr(sandbox, "run_sandbox", lambda source, **named: run_sandbox(source, **{**named, "policy": False}))
    result = sandbox.sandbox_candidate(shell, candidate, NOW, 0)
    assert not result.passed
    assert result.inputs["errors"][0]["code"] == "ATTEMPT"
    assert shell.candidate(candidate).verdict is Verdict.REFUSED
    [(digest, name, sentence)] = shell.quarantined
    assert (digest, name) == (source_hash(source), candidate)
    assert "sample market, scan 1" in sentence


def test_a_sandbox_test_without_the_policy_never_lets_a_candidate_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = shell_with()
    candidate = shell.register_candidate(proposal(rule()), NOW).candidate_id
    monkeypatch.setattr(sandbox, "run_sandbox", lambda source, **named: run_sandbox(source, **{**named, "policy": False}))
    result = sandbox.sandbox_candidate(shell, candidate, NOW, 0)
    assert (result.passed, result.inputs["verdict"], result.inputs["policy"]) == (False, "passed", False)


def test_in_the_backtest_as_candidate_and_as_incumbent(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = shell_with()
    runs = backtest.run_all
    monkeypatch.setattr(backtest, "run_all", attempting(rule(), runs))
    assert scored(shell).verdict is Verdict.REFUSED
    assert shell.quarantined == [(source_hash(rule()), "c0001", str(ATTEMPT))]
    assert shell.trial_scores == []

    shell = shell_with()
    monkeypatch.setattr(backtest, "run_all", attempting(shell.active.source, runs))
    candidate = scored(shell)
    assert candidate.verdict is Verdict.PENDING
    assert candidate.stages[-1].inputs["incumbent_fault"] == str(ATTEMPT)
    assert shell.quarantined == [(shell.active.hash, "v001", str(ATTEMPT))]


def test_in_the_look_into_the_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = shell_with()
    candidate = scored(shell).candidate_id

    def caught(*_: Any, **__: Any) -> None:
        raise ATTEMPT

    monkeypatch.setattr(gate_runs, "run", caught)
    # The probes before it would be caught, too: only the look itself is made here.
    vault = next(dear for dear in gate._DEAR if dear[0] == "vault")
    monkeypatch.setattr(gate, "_DEAR", ((vault[0], lambda *_: True, vault[2]),))
    result = gate.gate_candidate(shell, candidate, NOW)
    assert not result.passed
    assert shell.quarantined == [(source_hash(rule()), candidate, str(ATTEMPT))]


def test_in_a_look_of_the_search_which_goes_on_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = shell_with()
    monkeypatch.setattr(search, "run_all", attempting(rule(), search.run_all))
    scores = search.SearchBench(shell, NOW).look_many([rule(), rule(fast=12)])
    assert scores[0].fault == str(ATTEMPT)
    assert scores[1].fault == ""
    assert shell.quarantined == [(source_hash(rule()), "a proposal of the search", str(ATTEMPT))]


def test_handed_in_again_it_becomes_no_candidate() -> None:
    shell = shell_with()
    shell.quarantine(rule(), "v002", str(ATTEMPT), NOW)
    shell.waiting.append(proposal(rule()))
    made = Generation(shell, WorkItem(work=Work.SUBMISSION, ordinal=0), NOW, 0).generate()
    assert made.candidate_id is None
    assert made.reason == f"in quarantine: {ATTEMPT}"


def test_a_trial_that_ended_with_its_first_scan_is_not_shown_as_running() -> None:
    shell: MemoryShell = shell_with()
    candidate = scored(shell).candidate_id
    trial = shell.start_paper(candidate, NOW)
    shown = partial(outcome_of, looks=0, trial=trial)
    assert "runs until" in shown(shell.candidate(candidate)).reasons[0]
    shell.record_stage(candidate, StageResult(stage=Stage.PAPER, passed=False, reasons=("caught",), inputs={}), NOW)
    assert shown(shell.candidate(candidate)).reasons == ("caught",)
