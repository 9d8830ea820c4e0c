"""The clocks come from the ledger and the account alone, refused candidates nearest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shell.report.evidence_rows import account_evidence, count_of, evidence_rows, trials_told
from shell.store.store import Store
from shell.trials.candidate import Stage, StageResult
from shell.trials.count import TrialCount
from tests.shell.store.examples import START
from tests.shell.store.test_candidates import coded
from tests.shell.trials.test_count import BASE

END = START + timedelta(days=9)
REFUSED = StageResult(stage=Stage.GATE, passed=False, reasons=("no",), inputs={})


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "brain.db") as opened:
        for number, drift in enumerate((0.001, 0.004, -0.002, 0.002, 0.003), 1):
            name = opened.candidates.register(coded(f"x = {number}\n"), START).candidate_id
            returns = tuple(drift + (0.01 if day % 2 else -0.01) for day in range(40))
            opened.candidates.record_score(
                replace(BASE, candidate_id=name, source_hash=name, daily_returns=returns, sharpe=drift / 0.01)
            )
            if number != 5:
                opened.candidates.record_stage(name, REFUSED, START)
        yield opened


def test_three_refused_candidates_are_shown_nearest_first_and_all_trials_count(store: Store) -> None:
    found = evidence_rows(store, 0.95, END)
    assert [row.name for row in found] == ["c0002", "c0004", "c0001"]
    assert count_of(store).scored == 5
    assert "of the best of 5 lucky trials" in found[0].sentence


def test_nothing_is_shown_of_a_later_time(store: Store) -> None:
    assert evidence_rows(store, 0.95, START - timedelta(days=1)) == ()


def test_there_is_no_clock_of_an_account_that_never_traded(store: Store) -> None:
    assert account_evidence(store, 0.95, END) is None


def test_the_trials_are_told_as_made_and_as_independent() -> None:
    assert trials_told(TrialCount(scored=0, average_correlation=None, effective=0.0)) == ""
    told = trials_told(TrialCount(scored=4, average_correlation=0.5, effective=2.5), ["local", "person", "local"])
    assert "4 distinct trials" in told
    assert "(by local, person)" in told
    assert "2.5 independent ones" in told
