"""A flow that lies to the shell cannot promote: whatever it reports is computed again, and the first untruth named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shell.config import GateConfig
from shell.errors import Rejected
from shell.gate.inputs import GateInputs
from shell.host.port import StrategySource
from shell.promotion.dossier import dossier_of
from shell.promotion.evidence import untrue_evidence
from shell.promotion.swap import promote, register_workspace
from shell.promotion.workspace import Workspace
from shell.store.store import Store
from shell.trials.candidate import Stage
from tests.shell.promotion import honest

AT = datetime(2026, 2, 3, 5, tzinfo=UTC)
LATER = datetime(2026, 2, 4, 5, tzinfo=UTC)
SOURCE = StrategySource(code='PARAMETERS = {"fast": (5, 50, 1, 12)}\nclass Strategy:\n    pass\n')
OTHER = StrategySource(code="class Strategy:\n    other = True\n")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, project: Path) -> bytes:
    """A database with the versions of a new home, made once."""
    folder = tmp_path_factory.mktemp("empty")
    workspace = Workspace(folder / "strategy")
    workspace.copy_from(project / "strategy")
    with Store.open(folder / "brain.db") as store:
        register_workspace(store, workspace, AT)
    return (folder / "brain.db").read_bytes()


@pytest.fixture
def store(empty: bytes, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "brain.db").write_bytes(empty)
    with Store.open(tmp_path / "brain.db") as opened:
        yield opened


def promoted(store: Store, name: str, tmp_path: Path) -> str:
    workspace = Workspace(tmp_path / "strategy")
    workspace.folder.mkdir()
    return promote(store, workspace, store.candidates.get(name), AT, gate=GateConfig()).version


def test_an_honest_way_among_other_trials_is_promoted(store: Store, tmp_path: Path) -> None:
    honest.scored(store, OTHER, AT, sharpe=0.1, seed=7)
    name = honest.gated(store, SOURCE, AT)
    honest.scored(store, StrategySource(code="later = 1\n"), AT, sharpe=0.2, seed=8)
    honest.tried(store, name, AT)
    assert promoted(store, name, tmp_path) == "v002"


def test_a_trial_that_has_no_sharpe_ratio_counts_and_blocks_nobody(store: Store, tmp_path: Path) -> None:
    broken = honest.scored(store, OTHER, AT, sharpe=0.1, seed=7)
    nothing = (float("nan"),) * honest.SELECTION_DAYS
    store.candidates.record_score(
        replace(
            honest.score_of(broken, OTHER, AT, honest.returns(0.1, 7)), sharpe=float("nan"), daily_returns=nothing,
            total_return_pct=float("nan"), data_hash="d2",
        )
    )
    name = honest.gated(store, SOURCE, AT)
    honest.tried(store, name, AT)
    judged = honest.gate_inputs(store, name)
    assert judged.trial_sharpes.count(None) == 1 and len(judged.trial_sharpes) == 3
    assert promoted(store, name, tmp_path) == "v002"


def test_a_quarter_that_is_over_counts_no_trial_of_other_days(store: Store, tmp_path: Path) -> None:
    before = datetime(2025, 8, 3, 5, tzinfo=UTC)
    honest.scored(store, OTHER, before, sharpe=2.0, seed=7)
    name = honest.scored(store, SOURCE, AT)
    stages = {Stage.SANDBOX: honest.sandbox_inputs(), Stage.BACKTEST: honest.backtest_inputs(store, name, AT)}
    for stage, inputs in stages.items():
        honest.stage(store, name, stage, AT, inputs)
    own = [score for score in store.candidates.scores("selection") if score.candidate_id == name]
    honest.rest(store, name, AT, honest.gate_inputs(store, name, own))
    honest.tried(store, name, AT)
    assert untrue_evidence(dossier_of(store, name), SOURCE) == ""
    assert promoted(store, name, tmp_path) == "v002"


def in_stage(of: Stage, **changes: Any) -> dict[str, Any]:
    """A forgery of what one stage stores; a value that can be called changes the one that is there."""

    def forge(stage: Stage, inputs: dict[str, Any]) -> dict[str, Any]:
        if stage is not of:
            return inputs
        return inputs | {name: value(inputs[name]) if callable(value) else value for name, value in changes.items()}

    return {"forge": forge}


def told(lie: Callable[[GateInputs], GateInputs]) -> dict[str, Any]:
    """A gate that was given something else."""
    return {"lie": lie}


def better(inputs: GateInputs) -> GateInputs:
    """Another, better candidate's figures and returns."""
    values = honest.returns(0.7, 33)
    return replace(inputs, run=honest.figures(values), daily_returns=values)


# What is forged, and what is said of it.
LIES: dict[str, tuple[dict[str, Any], str]] = {
    "forged inputs: the figures of the run": (
        told(lambda inputs: replace(inputs, run=replace(inputs.run, daily_sharpe=0.6))),
        "inputs: run is not what its stages and the ledger give",
    ),
    "forged inputs: the run and its returns": (told(better), "inputs: run is not"),
    "forged figures, in the backtest's stage as well": (
        in_stage(Stage.BACKTEST, figures=lambda figures: figures | {"daily_sharpe": 0.6}),
        "inputs: the Sharpe ratio of its run is 0.4",
    ),
    "forged trades": (
        in_stage(Stage.BACKTEST, figures=lambda figures: figures | {"trades": 40}), "inputs: the trades of its run is 25, not 40",
    ),
    "a smaller fall than its days show": (
        in_stage(Stage.BACKTEST, figures=lambda figures: figures | {"max_drawdown_pct": 0.0}), "inputs: its days show a fall of",
    ),
    "a weaker incumbent, told to the gate alone": (
        told(lambda inputs: replace(inputs, incumbent=honest.rival("v001", -0.5, 904))), "inputs: incumbent is not",
    ),
    "a weaker incumbent's figures": (
        in_stage(Stage.BACKTEST, incumbent=lambda rival: rival | {"daily_sharpe": -0.5}),
        "inputs: of v001, its daily returns have a Sharpe ratio of",
    ),
    "fewer trials": (
        told(lambda inputs: replace(inputs, trial_sharpes=inputs.trial_sharpes[1:])),
        "trials: the gate did not count the trial of c0001",
    ),
    "trials that were never made": (
        told(lambda inputs: replace(inputs, trial_sharpes=(*inputs.trial_sharpes, 0.0))),
        "trials: the gate counted 1 trials that the ledger does not hold",
    ),
    "other trials left out of the comparison": (
        told(lambda inputs: replace(inputs, other_trials=())), "inputs: other_trials is not",
    ),
    "a sandbox that did not pass": (
        in_stage(Stage.SANDBOX, verdict="nondeterministic") | told(lambda inputs: replace(inputs, deterministic=True)),
        "inputs: deterministic is not",
    ),
    "other days": (
        in_stage(Stage.BACKTEST, segment=lambda segment: segment | {"start": "2025-01-01T00:00:00+00:00"}),
        "inputs: its backtest names other days",
    ),
    "neighbours of another strategy": (
        told(lambda inputs: replace(inputs, neighbours=())), "dear: its neighbours are not those of its code",
    ),
    "a vault of other days": (
        told(lambda inputs: replace(inputs, vault=replace(inputs.vault, days=5))), "dear: its look at the vault was not one at 36",
    ),
    "a forged verdict": (
        in_stage(Stage.GATE, thresholds=lambda values: values | {"min_trades": 30}),
        "gate: recomputed from its inputs it refuses: minimum_trades",
    ),
    "forged checks": (
        in_stage(Stage.GATE, checks=lambda checks: [checks[0] | {"sentence": "trust me"}, *checks[1:]]),
        "gate: recomputed from its inputs its checks show other numbers",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_flow_that_lies_to_the_gate_does_not_promote(store: Store, lie: str) -> None:
    forged, said = LIES[lie]
    honest.scored(store, OTHER, AT, sharpe=0.1, seed=7)
    name = honest.judged(store, honest.scored(store, SOURCE, AT), AT, **forged)
    honest.tried(store, name, AT)
    refuses(store, name, said)


def refuses(store: Store, name: str, said: str) -> None:
    candidate = store.candidates.get(name)
    with pytest.raises(Rejected) as refusal:
        promote(store, Workspace(Path("/nonexistent")), candidate, AT, gate=GateConfig())
    assert f"{name}: its evidence does not hold, {said}" in str(refusal.value)
    assert store.strategies.active().version == "v001"


@pytest.mark.parametrize("changes", [{"sharpe": 0.2}, {"sharpe": float("nan")}, {"total_return_pct": 0.5}])
def test_a_forged_score_of_anybody_stops_the_promotion(store: Store, changes: dict[str, float]) -> None:
    """A rival's, made to look so strange that it hardly counts, as much as one's own."""
    rival = honest.scored(store, OTHER, AT, sharpe=0.1, seed=7)
    again = honest.score_of(rival, OTHER, AT, honest.returns(0.1, 9))
    store.candidates.record_score(replace(again, data_hash="d2", **changes))
    name = honest.gated(store, SOURCE, AT)
    honest.tried(store, name, AT)
    refuses(store, name, "scores: the ")


def test_other_code_than_that_of_the_score_is_not_promoted(store: Store) -> None:
    name = honest.scored(store, SOURCE, AT)
    store.candidates.record_score(honest.score_of(name, OTHER, AT, honest.returns(0.6, 4)))
    honest.judged(store, name, AT)
    honest.tried(store, name, AT)
    refuses(store, name, "code: it was scored with the code of another")
    assert untrue_evidence(dossier_of(store, name), OTHER) == "code: the code is not that of the candidate"


def test_a_paper_trial_that_began_before_the_verdict_is_none(store: Store) -> None:
    name = honest.scored(store, SOURCE, AT)
    trial = store.paper.start(name, started_at=AT, due_at=LATER)
    honest.judged(store, name, AT)
    honest.stage(store, name, Stage.PAPER, AT, {"trial": trial.trial_id})
    store.paper.update(trial.trial_id, state="passed", at=AT)
    refuses(store, name, "order: its stages are not in their order")


def test_a_candidate_that_never_looked_into_the_vault_or_was_never_scored_is_not_promoted(store: Store) -> None:
    name = honest.scored(store, SOURCE, AT)
    for stage, inputs in ((Stage.SANDBOX, honest.sandbox_inputs()), (Stage.BACKTEST, honest.backtest_inputs(store, name, AT))):
        honest.stage(store, name, stage, AT, inputs)
    honest.rest(store, name, AT, honest.gate_inputs(store, name), look=False)
    honest.tried(store, name, AT)
    refuses(store, name, "order: it looked 0 times into the vault")


def test_a_rival_that_is_not_the_active_version_must_be_beaten_by_name(store: Store) -> None:
    """An incumbent of the flow's own choice, or the one of before, is compared with the version that is active now."""
    name = honest.judged(store, honest.scored(store, SOURCE, AT), AT, **in_stage(
        Stage.BACKTEST, incumbent=lambda rival: rival | {"name": "v000"}
    ))
    honest.tried(store, name, AT)
    with pytest.raises(Rejected, match="compared with v000; v001 is active by now and their scores do not compare"):
        promote(store, Workspace(Path("/nonexistent")), store.candidates.get(name), AT, gate=GateConfig())
