"""A candidate's way through an honest ledger: every fact that a promotion rests on, and each true to the others.

The figures are invented, but nothing about them is inconsistent, so that a test can forge one thing at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shell.backtest.biases.probe import CHECKS
from shell.backtest.metrics import max_drawdown, moments_of
from shell.backtest.neighbourhood import one_step_neighbours
from shell.config import GateConfig
from shell.gate.gather import gathered
from shell.gate.inputs import BiasFinding, GateInputs, Neighbour, Rival, RunFigures, VaultLook, to_stored
from shell.gate.verdict import judge
from shell.host.port import StrategySource
from shell.store.looks import SelectionLook
from shell.store.store import Store
from shell.trials.candidate import ChangeClass, Proposal, Stage, StageResult, TrialScore, source_hash
from shell.trials.segments import Segment, SegmentName, quarter_name

DAY = timedelta(days=1)
SELECTION_DAYS, VAULT_DAYS = 84, 36
DATA = "d1"
# Changes what a stage stores.
Forge = Callable[[Stage, dict[str, Any]], dict[str, Any]]


def returns(sharpe: float, seed: int, deviation: float = 0.002) -> tuple[float, ...]:
    """Daily returns of the selection segment with exactly this Sharpe ratio."""
    noise = np.random.default_rng(seed).standard_normal(SELECTION_DAYS)
    scaled = (noise - noise.mean()) / noise.std(ddof=1)
    return tuple(float(value) for value in (scaled + sharpe) * deviation)


def compounded(values: tuple[float, ...]) -> float:
    return float(np.prod(1 + np.array(values))) - 1


def layout(at: datetime) -> dict[SegmentName, Segment]:
    """Segments that end at the midnight before `at`."""
    end = at.replace(hour=0, minute=0, second=0, microsecond=0)
    edges = [end - days * DAY for days in (SELECTION_DAYS + VAULT_DAYS + 120, SELECTION_DAYS + VAULT_DAYS, VAULT_DAYS, 0)]
    return {name: Segment(name=name, start=edges[at_], end=edges[at_ + 1]) for at_, name in enumerate(SegmentName)}


def segments(store: Store, at: datetime) -> Mapping[SegmentName, Segment]:
    """Those of the quarter, laid out now if nobody has."""
    return store.looks.lay_out(layout(at), at).segments


def figures(values: tuple[float, ...], trades: int = 25) -> RunFigures:
    made = np.array(values)
    moments = moments_of(made)
    return RunFigures(
        total_return_pct=compounded(values), max_drawdown_pct=max_drawdown(np.concatenate(([1.0], np.cumprod(1 + made)))),
        trades=trades, days=moments.n_obs, daily_sharpe=moments.sharpe, skew=moments.skew, kurtosis=moments.kurtosis,
    )


def rival(name: str, sharpe: float, seed: int) -> Rival:
    values = returns(sharpe, seed)
    return Rival(
        name=name, total_return_pct=compounded(values), daily_sharpe=moments_of(np.array(values)).sharpe, daily_returns=values
    )


def scored(
    store: Store, source: StrategySource, at: datetime, *, sharpe: float = 0.45, seed: int = 1, provider: str = "local",
    parent: str = "v001",
) -> str:
    """Register, let onto selection and score a candidate."""
    segments(store, at)
    proposal = Proposal(source=source, parent_version=parent, hypothesis="it trends", provider=provider, seed=seed)
    name = store.candidates.register(proposal, at).candidate_id
    store.looks.open_selection(SelectionLook(quarter=quarter_name(at), candidate_id=name, at=at))
    store.candidates.record_score(score_of(name, source, at, returns(sharpe, seed)))
    return name


def score_of(name: str, source: StrategySource, at: datetime, values: tuple[float, ...]) -> TrialScore:
    run = figures(values)
    return TrialScore(
        candidate_id=name, segment="selection", scored_at=at, data_hash=DATA, source_hash=source_hash(source),
        sharpe=run.daily_sharpe, daily_returns=values, trades=run.trades, total_return_pct=run.total_return_pct,
    )


def stage(store: Store, name: str, of: Stage, at: datetime, inputs: Mapping[str, Any]) -> None:
    store.candidates.record_stage(name, StageResult(stage=of, passed=True, reasons=("fine",), inputs=inputs), at)


def sandbox_inputs() -> dict[str, Any]:
    return {"verdict": "passed", "answers_hash": "abc"}


def backtest_inputs(store: Store, name: str, at: datetime, incumbent: str = "v001") -> dict[str, Any]:
    """What the backtest stage keeps of the candidate's newest score."""
    own = [score for score in store.candidates.scores("selection") if score.candidate_id == name][-1]
    segment = segments(store, at)[SegmentName.SELECTION]
    return {
        "segment": {"start": segment.start.isoformat(), "end": segment.end.isoformat(), "data_hash": own.data_hash},
        "figures": asdict(figures(own.daily_returns, own.trades)), "stressed": {"metrics": {"total_return_pct": 0.03}},
        "incumbent": asdict(rival(incumbent, 0.0, 904)), "buy_and_hold": asdict(rival("buying and holding", 0.02, 905)),
    }


def gate_inputs(store: Store, name: str, scores: Sequence[TrialScore] | None = None) -> GateInputs:
    """What an honest gate is given, its dear runs included; `scores` are those on its days, all where none are named."""
    candidate = store.candidates.get(name)
    stages = {each.stage: each.inputs for each in candidate.stages}
    made = gathered(
        name, candidate.proposal.source, sandbox=stages[Stage.SANDBOX], backtest=stages[Stage.BACKTEST],
        scores=store.candidates.scores("selection") if scores is None else scores,
    )
    kept = made.run.daily_sharpe * 0.9
    return replace(
        made, biases=tuple(BiasFinding(check=check, verdict="clean", sentence="nothing found") for check in CHECKS),
        neighbours=tuple(
            Neighbour(values=each.values, daily_sharpe=kept) for each in one_step_neighbours(candidate.proposal.source)
        ),
        vault=VaultLook(total_return_pct=0.02, max_drawdown_pct=0.03, trades=6, days=VAULT_DAYS),
    )


def gate_stage(inputs: GateInputs, config: GateConfig) -> dict[str, Any]:
    """What an honest gate stores."""
    verdict = judge(inputs, config)
    assert verdict.passed, verdict.reasons
    return {
        **to_stored(inputs, config), "first_failure": None, "checks": [check.as_dict() for check in verdict.checks],
    }


def judged(
    store: Store, name: str, at: datetime, *, forge: Forge = lambda _stage, inputs: inputs,
    lie: Callable[[GateInputs], GateInputs] = lambda inputs: inputs, config: GateConfig | None = None,
) -> str:
    """Takes a scored candidate through the gate. `forge` may change what a stage stores, `lie` what the gate is given."""
    store.candidates.classify(name, ChangeClass.TWEAK)
    incumbent = store.strategies.active().version
    stage(store, name, Stage.SANDBOX, at, forge(Stage.SANDBOX, sandbox_inputs()))
    stage(store, name, Stage.BACKTEST, at, forge(Stage.BACKTEST, backtest_inputs(store, name, at, incumbent)))
    rest(store, name, at, lie(gate_inputs(store, name)), forge=forge, config=config)
    return name


def rest(
    store: Store, name: str, at: datetime, inputs: GateInputs, *, forge: Forge = lambda _stage, inputs: inputs,
    config: GateConfig | None = None, look: bool = True,
) -> None:
    """The look at the vault, and the verdict."""
    if look:
        store.looks.open_vault(name, segments(store, at)[SegmentName.VAULT], at)
    stage(store, name, Stage.GATE, at, forge(Stage.GATE, gate_stage(inputs, config or GateConfig())))


def gated(store: Store, source: StrategySource, at: datetime, *, sharpe: float = 0.45, seed: int = 1) -> str:
    """A candidate that has passed everything up to its paper trial."""
    return judged(store, scored(store, source, at, sharpe=sharpe, seed=seed), at)


def run_again(store: Store, name: str, at: datetime, **fact: Any) -> None:
    """What the shell writes down when it has made the evidence again; these figures are invented, so it did not."""
    told = {"candidate": name, "outcome": "held", "check": "", "sentence": "", "same": ["selection"], "program": {}}
    store.events.append("rerun", at, told | fact)


def on_paper(store: Store, name: str, at: datetime) -> str:
    """Its paper trial passed, as the shell writes it down; returns the trial."""
    trial = store.paper.start(name, started_at=at, due_at=at + DAY)
    stage(store, name, Stage.PAPER, at, {"trial": trial.trial_id})
    store.paper.update(trial.trial_id, state="passed", at=at)
    return trial.trial_id


def tried(store: Store, name: str, at: datetime) -> str:
    """The trial passed, and its evidence came out again."""
    trial = on_paper(store, name, at)
    run_again(store, name, at)
    return trial
