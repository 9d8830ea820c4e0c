"""The gate's checks, in the order they are applied. Each is a pure function of the inputs and the thresholds."""

from __future__ import annotations

from shell.config import GateConfig
from shell.gate.inputs import GateInputs
from shell.gate.luck import deflated_sharpe, pbo, spa_buy_and_hold, spa_incumbent, trial_variance
from shell.gate.probing import biases, neighbours, undeclared
from shell.gate.result import Check, CheckResult, refused, skipped

__all__ = ["ALL_CHECKS", "BEFORE_VAULT", "CHEAP", "Check", "CheckResult", "trial_variance"]


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
        return skipped("stressed_return", 0.0, sentence)
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
    if look is None:
        return skipped("vault", 0.0, "not looked at: an earlier check failed")
    if look.refusal:
        return refused("vault", 0.0, look.refusal)
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
    determinism, biases, minimum_trades, minimum_days, positive_return, stressed_return, drawdown, deflated_sharpe, pbo,
    beats_incumbent, beats_buy_and_hold, spa_incumbent, spa_buy_and_hold, undeclared, neighbours,
)
ALL_CHECKS: tuple[Check, ...] = (*BEFORE_VAULT, vault)
# Decided on what the stages before have left; the others need further runs of the candidate.
CHEAP: tuple[Check, ...] = tuple(check for check in BEFORE_VAULT if check not in (biases, neighbours))


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.2f} %"
