"""The gate's questions about luck: is the Sharpe ratio more than the best of so many trials would show anyway?

Three answers that err in different ways. The deflated Sharpe ratio counts trials; the probability of backtest overfitting asks
whether whoever is best in one half is any good in the other; the test for superior predictive ability compares with what could
be held instead, and knows how alike the trials are. What has no answer is a failed check, never a pass.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shell.backtest.alike import independent_trials
from shell.backtest.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    probability_of_backtest_overfitting,
)
from shell.backtest.placebo import placebos
from shell.backtest.spa import superiority
from shell.config import GateConfig
from shell.errors import BadInput
from shell.gate.inputs import GateInputs, Rival
from shell.gate.result import CheckResult, refused

# Fixed, so that the same inputs give the same verdict anywhere.
SEED = 20_140_807
# Daily returns that deviate less are those of an account that held nothing.
_DEVIATION_MIN = 1e-12

Floats = NDArray[np.float64]


def deflated_sharpe(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """Bailey and Lopez de Prado (2014): the probability that the Sharpe ratio is above what the best of N lucky trials
    would show. N is every distinct trial ever scored on any of these days, or their effective number where that is larger."""
    run, needed = inputs.run, config.min_deflated_sharpe
    variance = trial_variance(inputs)
    made = max(len(inputs.trial_sharpes), 1)
    try:
        effective = effective_trials(inputs)
        count = max(float(made), effective)
        probability = deflated_sharpe_ratio(run.daily_sharpe, run.days, run.skew, run.kurtosis, count, variance)
        luck = expected_maximum_sharpe(count, variance)
    except BadInput as refusal:
        return refused("deflated_sharpe", needed, f"no deflated Sharpe ratio can be computed: {refusal}")
    return CheckResult(
        name="deflated_sharpe", passed=probability >= needed, value=probability, threshold=needed,
        sentence=(
            f"daily Sharpe {run.daily_sharpe:.3f} over {run.days} days is above luck ({luck:.3f} is expected of the "
            f"best of {made} trials, which amount to {effective:.1f} independent ones) with probability {probability:.3f}, "
            f"{needed:.3f} needed"
        ),
    )


def pbo(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """Bailey, Borwein, Lopez de Prado and Zhu (2015): among all that was tried on these days and all that could be held
    instead, how often does the best of one half fall below the median in the other?

    Few trials are an easy field: of three columns of noise, one in three passes. Placebos of the candidate fill the field up
    to `pbo_columns_min`. Its own parameter neighbours do not: among equals the best of one half is anybody in the other,
    whatever their edge.
    """
    allowed = config.max_overfitting_probability
    try:
        field, trials, stand_ins = _field(inputs, config)
        probability = probability_of_backtest_overfitting(field, config.pbo_blocks)
    except BadInput as refusal:
        return refused("pbo", allowed, f"no probability of overfitting can be computed: {refusal}")
    return CheckResult(
        name="pbo", passed=probability <= allowed, value=probability, threshold=allowed,
        sentence=(
            f"the best of one half of the days falls below the median in the other half with probability {probability:.3f}, "
            f"at most {allowed:.3f} allowed ({trials} trials and rivals, {stand_ins} placebos, {config.pbo_blocks} blocks)"
        ),
    )


def spa_incumbent(inputs: GateInputs, config: GateConfig) -> CheckResult:
    return _superior("spa_incumbent", inputs.incumbent, inputs, config)


def spa_buy_and_hold(inputs: GateInputs, config: GateConfig) -> CheckResult:
    return _superior("spa_buy_and_hold", inputs.buy_and_hold, inputs, config)


def trial_variance(inputs: GateInputs) -> float:
    """Variance of the daily Sharpe ratio across trials, never below what luck alone gives over so many days.

    A handful of similar trials has a sample variance near zero, which would deflate nothing; the sampling variance of a
    Sharpe ratio without skill is 1 / (T - 1) (Lo 2002).
    """
    floor = 1.0 / max(inputs.run.days - 1, 1)
    # A trial whose Sharpe ratio is no number is a trial; it has no place in their variance.
    measured = [sharpe for sharpe in inputs.trial_sharpes if sharpe is not None and math.isfinite(sharpe)]
    if len(measured) < 2:
        return floor
    return max(float(np.var(np.asarray(measured), ddof=1)), floor)


def effective_trials(inputs: GateInputs) -> float:
    """Independent trials that all that were made amount to, counted as the ledger counts them (`shell.trials.count`); those on
    other candles, whose returns are not among the inputs, count as uncorrelated.

    Raises BadInput where returns differ in length or are not finite.
    """
    field = _aligned((inputs.daily_returns, *inputs.other_trials))
    made = max(len(inputs.trial_sharpes), 1)
    return independent_trials([field.T[:made].tolist()], made)[1]


def _superior(name: str, rival: Rival, inputs: GateInputs, config: GateConfig) -> CheckResult:
    """Hansen's test on daily returns at equal risk, each series over its own deviation: the difference of two Sharpe ratios.
    As they are, an account that risks little could never be told from one that is all in, and neither could be preferred."""
    allowed = config.max_spa_p_value
    try:
        trials = _at_equal_risk(_aligned((inputs.daily_returns, *inputs.other_trials)))
        benchmark = _at_equal_risk(_aligned((rival.daily_returns, inputs.daily_returns)))[:, 0]
        found = superiority(
            trials, benchmark, chosen=0, block=config.bootstrap_block_days, resamples=config.bootstrap_draws, seed=SEED
        )
    except BadInput as refusal:
        return refused(name, allowed, f"it cannot be compared with {rival.name}: {refusal}")
    return CheckResult(
        name=name, passed=found.p_value <= allowed, value=found.p_value, threshold=allowed,
        sentence=(
            f"as much better than {rival.name} ({found.mean_difference:+.3f} of daily Sharpe) the best of {found.trials} "
            f"trials without skill looks with probability {found.p_value:.3f}, at most {allowed:.3f} allowed"
        ),
    )


def _field(inputs: GateInputs, config: GateConfig) -> tuple[Floats, int, int]:
    """What the overfitting is measured among, the number of real columns and that of placebos."""
    real = _distinct(_aligned((
        inputs.daily_returns, *inputs.other_trials, inputs.incumbent.daily_returns, inputs.buy_and_hold.daily_returns
    )))
    own = np.asarray(inputs.daily_returns)
    if own.std() <= _DEVIATION_MIN:
        raise BadInput("the candidate's daily returns are constant")
    missing = max(0, config.pbo_columns_min - real.shape[1])
    made = placebos(own, missing, block=config.bootstrap_block_days, seed=SEED)
    return np.concatenate((real, made), axis=1), real.shape[1], missing


def _aligned(series: tuple[tuple[float, ...], ...]) -> Floats:
    """Days x series. Raises BadInput where they do not cover the same days, or hold what is no number."""
    lengths = {len(each) for each in series}
    if len(lengths) != 1:
        told = " and ".join(str(length) for length in sorted(lengths))
        raise BadInput(f"the daily returns cover {told} days, so not the same ones")
    if lengths == {0}:
        raise BadInput("there are no daily returns")
    matrix = np.asarray(series, dtype=np.float64).T
    if not np.isfinite(matrix).all():
        raise BadInput("every daily return must be finite")
    return matrix


def _distinct(matrix: Floats) -> Floats:
    """Each series once, in order, and none that held nothing: those have no Sharpe ratio."""
    kept: dict[bytes, int] = {}
    for column in range(matrix.shape[1]):
        if matrix[:, column].std() > _DEVIATION_MIN:
            kept.setdefault(matrix[:, column].tobytes(), column)
    return matrix[:, list(kept.values())]


def _at_equal_risk(matrix: Floats) -> Floats:
    """Every series over its own deviation; one that held nothing stays as it is."""
    deviations = matrix.std(axis=0, ddof=1) if len(matrix) > 1 else np.zeros(matrix.shape[1])
    scaled: Floats = matrix / np.where(deviations > _DEVIATION_MIN, deviations, 1.0)
    return scaled
