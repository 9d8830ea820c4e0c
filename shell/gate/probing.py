"""The gate's checks of what other runs of the candidate show: that it does not look ahead, and does not hang on one number."""

from __future__ import annotations

from shell.backtest.biases.lag import CHECK as LAG
from shell.backtest.biases.lag import KEPT_MIN
from shell.backtest.biases.probe import CHECKS
from shell.config import GateConfig
from shell.gate.inputs import BiasFinding, GateInputs, Neighbour
from shell.gate.result import CheckResult, refused, skipped

CLEAN, UNKNOWN = "clean", "unknown"


def biases(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """Every probe of `brain biases` on the selection segment came out clean; unknown is no pass.

    One exception has a rule of its own, and a stricter one: too few trades to test the delay by one bar are judged by the
    figures as they are, a quarter of the gain must be left.
    """
    found = inputs.biases
    if found is None:
        return skipped("biases", None, "not probed: a check that costs less refuses it already")
    missing = set(CHECKS) - {finding.check for finding in found}
    failed = [finding for finding in found if not _harmless(finding)]
    if failed:
        worst = min(failed, key=lambda finding: finding.verdict == UNKNOWN)
        left = "" if worst.kept is None else f"; {worst.kept:.0%} of the gain is left, {KEPT_MIN:.0%} needed at least"
        return refused("biases", None, f"{worst.check.replace('_', ' ')} is {worst.verdict}: {worst.sentence}{left}")
    if missing:
        return refused("biases", None, f"not everything was probed: {', '.join(sorted(missing))} is missing")
    return CheckResult(
        name="biases", passed=True, value=None, threshold=None,
        sentence=f"none of {len(found)} probes found it looking ahead or missing history",
    )


def neighbours(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """Of the settings one step away, enough keep enough of the daily Sharpe ratio: a peak on its own is fitted."""
    found, needed = inputs.neighbours, config.min_neighbours_kept
    if found is None:
        return skipped("neighbours", needed, "not run one step away: a check that costs less refuses it already")
    if not found:
        return CheckResult(
            name="neighbours", passed=True, value=None, threshold=None,
            sentence="it declares no parameters that could be moved, so there is nothing to ask its neighbours",
        )
    least = config.neighbour_score_kept * inputs.run.daily_sharpe
    kept = [neighbour for neighbour in found if _keeps(neighbour, inputs.run.daily_sharpe, least)]
    share = len(kept) / len(found)
    worst = min(found, key=lambda neighbour: float("-inf") if neighbour.daily_sharpe is None else neighbour.daily_sharpe)
    return CheckResult(
        name="neighbours", passed=share >= needed, value=share, threshold=needed,
        sentence=(
            f"{len(kept)} of {len(found)} settings one step away keep {config.neighbour_score_kept:.0%} of its daily Sharpe "
            f"({least:.3f}), {needed:.0%} needed; the worst is {_told(worst)}"
        ),
    )


def _harmless(finding: BiasFinding) -> bool:
    if finding.check == LAG and finding.verdict == UNKNOWN:
        return finding.kept is not None and finding.kept >= KEPT_MIN
    return finding.verdict == CLEAN


def _keeps(neighbour: Neighbour, own: float, least: float) -> bool:
    return own > 0 and neighbour.daily_sharpe is not None and neighbour.daily_sharpe >= least


def _told(neighbour: Neighbour) -> str:
    values = ", ".join(f"{name} {value:g}" for name, value in neighbour.values.items())
    return f"{values} with {neighbour.fault if neighbour.daily_sharpe is None else format(neighbour.daily_sharpe, '.3f')}"
