"""The gate's checks, in the order they are applied. Each is a pure function of the inputs and the thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from shell.backtest.overfitting import deflated_sharpe_ratio, expected_maximum_sharpe
from shell.config import GateConfig
from shell.errors import BadInput
from shell.gate.inputs import GateInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check. `value` and `threshold` are None where a check compares no numbers."""

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


Check = Callable[[GateInputs, GateConfig], CheckResult]


def determinism(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """The sandbox ran it twice, in fresh processes with different hash seeds, and the answers were the same."""
    sentence = (
        f"two fresh processes gave the same answers ({inputs.answers_hash})" if inputs.deterministic
        else "two fresh processes gave different answers to the same market"
    )
    return CheckResult(
        name="determinism", passed=inputs.deterministic, value=None, threshold=None, sentence=sentence
    )


def minimum_trades(inputs: GateInputs, config: GateConfig) -> CheckResult:
    trades, needed = inputs.run.trades, config.min_trades
    short = "" if trades >= needed else f", {needed - trades} too few"
    return CheckResult(
        name="minimum_trades", passed=trades >= needed, value=trades, threshold=needed,
        sentence=f"{trades} closed trades on the selection segment, {needed} needed{short}",
    )


def minimum_days(inputs: GateInputs, config: GateConfig) -> CheckResult:
    days, needed = inputs.run.days, config.min_days
    short = "" if days >= needed else f", {needed - days} too few"
    return CheckResult(
        name="minimum_days", passed=days >= needed, value=days, threshold=needed,
        sentence=f"{days} days of returns, {needed} needed{short}",
    )


def positive_return(inputs: GateInputs, config: GateConfig) -> CheckResult:
    gained = inputs.run.total_return_pct
    return CheckResult(
        name="positive_return", passed=gained > 0, value=gained, threshold=0.0,
        sentence=f"{_percent(gained)} net of costs on the selection segment, more than 0 % needed",
    )


def stressed_return(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """The same run with every cost multiplied. Absent when the run at plain costs had already failed."""
    gained = inputs.stressed_return_pct
    times = f"{config.cost_stress:g}x costs"
    if gained is None:
        sentence = f"not run at {times}: the run at plain costs had too few trades or no gain"
        return CheckResult(name="stressed_return", passed=False, value=None, threshold=0.0, sentence=sentence)
    return CheckResult(
        name="stressed_return", passed=gained > 0, value=gained, threshold=0.0,
        sentence=f"{_percent(gained)} at {times}, more than 0 % needed",
    )


def drawdown(inputs: GateInputs, config: GateConfig) -> CheckResult:
    fallen, allowed = inputs.run.max_drawdown_pct, config.max_drawdown_pct
    return CheckResult(
        name="drawdown", passed=fallen <= allowed, value=fallen, threshold=allowed,
        sentence=f"largest fall {_percent(fallen)}, at most {_percent(allowed)} allowed",
    )


def deflated_sharpe(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """Bailey and Lopez de Prado (2014): the probability that the Sharpe ratio is above what the best of N lucky trials
    would show, N being every distinct trial ever scored on a selection segment."""
    run, count, needed = inputs.run, max(len(inputs.trial_sharpes), 1), config.min_deflated_sharpe
    variance = trial_variance(inputs)
    try:
        probability = deflated_sharpe_ratio(run.daily_sharpe, run.days, run.skew, run.kurtosis, count, variance)
        luck = expected_maximum_sharpe(count, variance)
    except BadInput as refusal:
        return CheckResult(
            name="deflated_sharpe", passed=False, value=None, threshold=needed,
            sentence=f"no deflated Sharpe ratio can be computed: {refusal}",
        )
    return CheckResult(
        name="deflated_sharpe", passed=probability >= needed, value=probability, threshold=needed,
        sentence=(
            f"daily Sharpe {run.daily_sharpe:.3f} over {run.days} days is above luck ({luck:.3f} is expected of the "
            f"best of {count} trials) with probability {probability:.3f}, {needed:.3f} needed"
        ),
    )


def beats_incumbent(inputs: GateInputs, config: GateConfig) -> CheckResult:
    own, rival = inputs.run.daily_sharpe, inputs.incumbent
    return CheckResult(
        name="beats_incumbent", passed=own > rival.daily_sharpe, value=own, threshold=rival.daily_sharpe,
        sentence=f"daily Sharpe {own:.3f}, more than the {rival.daily_sharpe:.3f} of {rival.name} needed",
    )


def beats_buy_and_hold(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """By return, or by Sharpe ratio: a strategy that is mostly in cash may earn less in a rally and still be better."""
    run, hold = inputs.run, inputs.buy_and_hold
    passed = run.daily_sharpe > hold.daily_sharpe or run.total_return_pct > hold.total_return_pct
    return CheckResult(
        name="beats_buy_and_hold", passed=passed, value=run.daily_sharpe, threshold=hold.daily_sharpe,
        sentence=(
            f"daily Sharpe {run.daily_sharpe:.3f} and return {_percent(run.total_return_pct)} against "
            f"{hold.daily_sharpe:.3f} and {_percent(hold.total_return_pct)} of buying and holding; one must be higher"
        ),
    )


def vault(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """One look at the newest segment: a gain net of costs, and no larger fall than the selection segment may show."""
    look = inputs.vault
    if look is None or look.refusal:
        reason = look.refusal if look is not None else "not looked at: an earlier check failed"
        return CheckResult(name="vault", passed=False, value=None, threshold=0.0, sentence=reason)
    allowed = config.max_drawdown_pct
    return CheckResult(
        name="vault", passed=look.total_return_pct > 0 and look.max_drawdown_pct <= allowed,
        value=look.total_return_pct, threshold=0.0,
        sentence=(
            f"{_percent(look.total_return_pct)} in {look.trades} trades over {look.days} days of the vault, largest "
            f"fall {_percent(look.max_drawdown_pct)}; a gain and at most {_percent(allowed)} of fall needed"
        ),
    )


BEFORE_VAULT: tuple[Check, ...] = (
    determinism, minimum_trades, minimum_days, positive_return, stressed_return, drawdown, deflated_sharpe,
    beats_incumbent, beats_buy_and_hold,
)
ALL_CHECKS: tuple[Check, ...] = (*BEFORE_VAULT, vault)


def trial_variance(inputs: GateInputs) -> float:
    """Variance of the daily Sharpe ratio across trials, never below what luck alone gives over so many days.

    A handful of similar trials has a sample variance near zero, which would deflate nothing; the sampling variance of a
    Sharpe ratio without skill is 1 / (T - 1) (Lo 2002).
    """
    floor = 1.0 / max(inputs.run.days - 1, 1)
    if len(inputs.trial_sharpes) < 2:
        return floor
    return max(float(np.var(np.asarray(inputs.trial_sharpes), ddof=1)), floor)


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.2f} %"
