"""The gate's inputs from what is stored: made once by whoever runs the gate, and again by the shell before it promotes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from shell.backtest.undeclared import undeclared_numbers
from shell.errors import BadInput, NotNow
from shell.gate.inputs import GateInputs, RunFigures, rival_of
from shell.host.port import StrategySource
from shell.trials.candidate import TrialScore, source_hash
from shell.trials.count import distinct_scores

# What further runs give; everything else follows from the stages before and the ledger of trials.
DEAR = ("biases", "neighbours", "vault")


def gathered(
    name: str, source: StrategySource, *, sandbox: Mapping[str, Any], backtest: Mapping[str, Any], scores: Sequence[TrialScore]
) -> GateInputs:
    """The inputs of candidate `name`, but for the dear ones: from its two stages, and the `scores` made on any of its days.

    A trial whose returns are no numbers is a trial like any other, but nothing can be compared with it day by day.
    Raises NotNow when its own score is missing, BadInput when an earlier version of this program stored the backtest.
    """
    try:
        data, under_stress = backtest["segment"]["data_hash"], backtest["stressed"]
        figures = RunFigures(**backtest["figures"])
        passed, answers = sandbox["verdict"] == "passed", str(sandbox["answers_hash"])
        stressed = None if under_stress is None else under_stress["metrics"]["total_return_pct"]
        incumbent, hold = backtest["incumbent"], backtest["buy_and_hold"]
    except (KeyError, TypeError) as error:
        raise BadInput(
            f"the stages of {name} cannot be judged, an earlier version of this program made them ({error!r}): submit the "
            "strategy again"
        ) from None
    digest, counted = source_hash(source), distinct_scores(scores)
    beside = [score for score in counted if score.data_hash == data]
    own = next((score for score in beside if score.source_hash == digest), None)
    if own is None:
        raise NotNow(f"{name} cannot be judged: the ledger of trials does not hold its score")
    return GateInputs(
        deterministic=passed, answers_hash=answers, run=figures, stressed_return_pct=stressed,
        trial_sharpes=tuple(score.sharpe if math.isfinite(score.sharpe) else None for score in counted),
        daily_returns=own.daily_returns,
        other_trials=tuple(
            score.daily_returns for score in beside if score is not own and all(map(math.isfinite, score.daily_returns))
        ),
        incumbent=rival_of(incumbent), buy_and_hold=rival_of(hold), undeclared_numbers=len(undeclared_numbers(source)),
    )
