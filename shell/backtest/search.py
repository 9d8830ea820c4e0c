"""A search over the numbers a strategy declares: which settings to try, what each gave, and how much of the best is luck.

The settings tried depend on the seed and the declarations alone, and the best on their results alone: never on how many
workers ran them or which finished first.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from shell.backtest.job import BacktestJob
from shell.backtest.metrics import ReturnMoments, moments_of
from shell.backtest.overfitting import deflated_sharpe_ratio, expected_maximum_sharpe
from shell.backtest.parallel import JobsProgress, Outcome, Runs, run_many
from shell.backtest.parameters import DECIMALS, Number, Parameter, declared_parameters, with_values
from shell.backtest.result import BacktestResult, Metrics
from shell.errors import BadInput, BrainError, Transient
from shell.host.port import StrategySource
from shell.market.history import History

TRIALS_MAX = 100_000
# What a run without enough trades loses, in daily Sharpe: a good ratio from two trades says little.
FEW_TRADES_PENALTY = 0.25
# Draws that repeat an earlier one, in a row, after which a random search is content with what it has.
REPEATS_MAX = 1_000

Values = Mapping[str, Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings to try, the declared ones first. `combinations` is how many there are in all."""

    settings: tuple[Values, ...]
    combinations: int

    @property
    def exhaustive(self) -> bool:
        """True when nothing is left out: a grid rather than a sample."""
        return len(self.settings) >= self.combinations


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One setting and what it gave; `metrics` and `moments` are None when it could not be run to the end: `error` says why."""

    values: Values
    metrics: Metrics | None
    moments: ReturnMoments | None
    error: BrainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """Every trial in the order of the plan, the number of the best, and what luck alone would explain of it."""

    plan: Plan
    trials: tuple[Trial, ...]
    best: int
    luck: Luck


@dataclass(frozen=True, slots=True, kw_only=True)
class Luck:
    """What is left of the best trial once the number tried is counted. `probability` is the deflated Sharpe ratio, None
    with the `reason` when there is none; `expected_maximum` the daily Sharpe ratio that as many trials without any skill
    would be expected to show at best."""

    tried: int
    probability: float | None
    expected_maximum: float | None
    reason: str = ""


def search(
    job: BacktestJob, history: History, plan: Plan, *, trades_needed: int, workers: int | None = None,
    progress: JobsProgress | None = None, run: Runs = run_many,
) -> SearchResult:
    """Run `job` with every setting of `plan`. Raises what the first trial raised when none could be run to the end."""
    jobs = [replace(job, source=with_settings(job.source, values)) for values in plan.settings]
    with closing(run(jobs, history, workers=workers, progress=progress)) as outcomes:
        trials = tuple(trial_of(plan.settings[number], outcome) for number, outcome in outcomes)
    best = best_of(trials, trades_needed)
    return SearchResult(plan=plan, trials=trials, best=best, luck=luck_of(trials, best))


def plan_search(source: StrategySource, trials: int, seed: int) -> Plan:
    """Every combination when there are at most `trials`, else that many drawn at random; the declared values always first.

    Raises BadInput when the source declares no parameters, or nothing that could vary, and for trials out of range.
    """
    if not 1 <= trials <= TRIALS_MAX:
        raise BadInput(f"{trials} trials are out of range: 1 to {TRIALS_MAX:,}")
    parameters = declared_parameters(source.code)
    if not parameters:
        raise BadInput(
            f"{source.origin} declares no parameters to search: it needs a module-level literal such as "
            'PARAMETERS = {"fast": (5, 50, 1, 12)}, each (low, high, step, value)'
        )
    choices = [steps_of(parameter) for parameter in parameters]
    declared = {parameter.name: parameter.value for parameter in parameters}
    combinations = math.prod(len(values) for values in choices)
    # A declared value may lie off its own grid; it is tried all the same, as one combination more.
    off_grid = any(parameter.value not in values for parameter, values in zip(parameters, choices, strict=True))
    combinations += off_grid
    names = tuple(declared)
    if combinations > trials:
        return Plan(settings=tuple(_drawn(names, choices, declared, trials, seed)), combinations=combinations)
    grid = (dict(zip(names, chosen, strict=True)) for chosen in product(*choices))
    return Plan(settings=(declared, *(values for values in grid if values != declared)), combinations=combinations)


def steps_of(parameter: Parameter) -> tuple[Number, ...]:
    """Every value a parameter may take: low, low + step, ... up to high."""
    count = math.floor((parameter.high - parameter.low) / parameter.step + 1e-9) + 1
    values = (parameter.low + at * parameter.step for at in range(count))
    return tuple(round(value) if parameter.whole else round(float(value), DECIMALS) for value in values)


def with_settings(source: StrategySource, values: Values) -> StrategySource:
    """The same strategy with these values of its parameters; byte for byte the same where they are its own."""
    own = {parameter.name: parameter.value for parameter in declared_parameters(source.code)}
    changed = {name: value for name, value in values.items() if value != own.get(name)}
    return replace(source, code=with_values(source.code, changed))


def trial_of(values: Values, outcome: Outcome) -> Trial:
    """What a run of `values` came to."""
    if isinstance(outcome, BacktestResult):
        return Trial(values=values, metrics=outcome.metrics, moments=moments_of(outcome.daily_returns))
    return Trial(values=values, metrics=None, moments=None, error=outcome)


def objective(daily_sharpe: float, trades: int, needed: int) -> float:
    """What a search maximises: the daily Sharpe ratio, less a penalty for the part of the needed trades not made."""
    missing = max(0.0, 1.0 - trades / needed)
    return daily_sharpe - FEW_TRADES_PENALTY * missing


def best_of(trials: Sequence[Trial], trades_needed: int) -> int:
    """Which trial has the highest objective, the earliest of equals. Raises the first trial's error when none was run."""
    scored = [
        (objective(trial.metrics.daily_sharpe, trial.metrics.trades, trades_needed), -number)
        for number, trial in enumerate(trials) if trial.metrics is not None
    ]
    if not scored:
        raise trials[0].error or Transient("none of the trials could be run")
    return -max(scored)[1]


def luck_of(trials: Sequence[Trial], best: int) -> Luck:
    """The deflated Sharpe ratio of the best of all `trials`, those that broke counted as well.

    The variance across trials is never taken below that of a Sharpe ratio without skill, 1 / (T - 1) (Lo 2002): trials
    that are much alike would otherwise deflate nothing.
    """
    chosen = trials[best].moments
    assert chosen is not None, "the best trial has been run"
    ratios = [trial.moments.sharpe for trial in trials if trial.moments is not None]
    spread = float(np.var(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    variance = max(spread, 1.0 / max(chosen.n_obs - 1, 1))
    try:
        return Luck(
            tried=len(trials), expected_maximum=expected_maximum_sharpe(len(trials), variance),
            probability=deflated_sharpe_ratio(
                chosen.sharpe, chosen.n_obs, chosen.skew, chosen.kurtosis, len(trials), variance
            ),
        )
    except BadInput as refusal:
        return Luck(tried=len(trials), probability=None, expected_maximum=None, reason=str(refusal))


def _drawn(
    names: Sequence[str], choices: Sequence[Sequence[Number]], declared: Values, trials: int, seed: int
) -> list[Values]:
    """`declared`, then random combinations, each once."""
    chance = random.Random(seed)
    found: list[Values] = [declared]
    seen, repeats = {tuple(declared.values())}, 0
    while len(found) < trials and repeats < REPEATS_MAX:
        drawn = tuple(chance.choice(values) for values in choices)
        if drawn in seen:
            repeats += 1
            continue
        repeats = 0
        seen.add(drawn)
        found.append(dict(zip(names, drawn, strict=True)))
    return found
