"""The worth-it meter: counts by proposer, with intervals, results and cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shell.backtest.proportion import clopper_pearson
from shell.index.worth import ARMS, worth_of
from shell.money import QuoteAmount
from shell.trials.candidate import Candidate, Stage, StageResult, TrialScore, Verdict
from tests.shell.truth.test_truth import trade
from tests.tasks.sources import proposal, rule

AT = datetime(2024, 3, 2, tzinfo=UTC)


def candidate(number: int, provider: str, *, passed: bool, vault: bool | None, same_as: int = 0) -> Candidate:
    checks = [] if vault is None else [{"name": "vault", "passed": vault, "skipped": False}]
    gate = StageResult(stage=Stage.GATE, passed=passed, reasons=("so",), inputs={"checks": checks})
    return Candidate(
        candidate_id=f"c{number:04d}", proposed_at=AT, proposal=replace(proposal(rule()), provider=provider),
        source_hash=f"h{same_as or number}", change_class=None, stage=Stage.GATE,
        verdict=Verdict.PENDING if passed else Verdict.REFUSED, reasons=(), stages=(gate,),
    )


def score(number: int, segment: str = "selection") -> TrialScore:
    return TrialScore(
        candidate_id=f"c{number:04d}", segment=segment, scored_at=AT, data_hash="d", source_hash="s", sharpe=0.1,
        daily_returns=(0.1,), trades=1, total_return_pct=0.1,
    )


def test_each_proposer_has_its_trials_passers_results_and_cost() -> None:
    candidates = [
        candidate(1, "local", passed=True, vault=True), candidate(2, "local", passed=False, vault=None),
        candidate(3, "local", passed=False, vault=False), candidate(4, "anthropic", passed=False, vault=None),
        candidate(5, "local", passed=False, vault=None, same_as=2), candidate(6, "person", passed=True, vault=True),
    ]
    scores = [score(number) for number in (1, 2, 3, 5, 6)] + [score(4, "search")]
    trades = [trade(1, "10", version="v002"), trade(2, "-4", version="v002"), trade(3, "99", version="v001")]
    rows = {
        row.provider: row
        for row in worth_of(candidates, scores, trades, {"v002": "c0001", "v003": "c9999"}, {"anthropic": Decimal("1.25")})
    }
    assert list(rows) == [*ARMS, "person"]
    local = rows["local"]
    assert (local.proposed, local.trials, local.passed, local.survived, local.promoted) == (4, 3, 1, 1, 1)
    assert local.passed_interval == pytest.approx(clopper_pearson(1, 3))
    assert (local.pnl, local.trades) == (QuoteAmount(6), 2)
    model = rows["anthropic"]
    assert (model.trials, model.passed_interval, model.usd) == (0, None, Decimal("1.25"))
    assert "no trial yet" in model.sentence and "$1.25" in model.sentence
    assert rows["random"].sentence == "random proposed nothing here"
    assert rows["person"].passed == 1
    assert local.as_dict()["pnl"] == "6"
