"""The gate's checks of what other runs of the candidate show: that it does not look ahead, and does not hang on one number."""

from __future__ import annotations

from collections.abc import Sequence

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


def undeclared(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """A number in the code is a parameter that nobody declared: few can be moved one by one, many are a table."""
    count, allowed = inputs.undeclared_numbers, config.undeclared_numbers_max
    advice = "" if count <= allowed else ": declare those that could be another value in PARAMETERS"
    return CheckResult(
        name="undeclared", passed=count <= allowed, value=count, threshold=allowed,
        sentence=f"{count} numbers in its text are no declared parameters, at most {allowed} allowed{advice}",
    )


def neighbours(inputs: GateInputs, config: GateConfig) -> CheckResult:
    """Of the settings one step away, enough keep enough of the daily Sharpe ratio, and no single number loses it whichever way
    it is moved: a peak on its own is fitted.

    A neighbour with the candidate's own figures says nothing, and does not count: else any number of unread parameters would
    outvote the one that was fitted.
    """
    found, needed = inputs.neighbours, config.min_neighbours_kept
    if found is None:
        return skipped("neighbours", needed, "not run one step away: a check that costs less refuses it already")
    own = inputs.run.daily_sharpe
    telling = [neighbour for neighbour in found if neighbour.daily_sharpe != own]
    if not telling:
        return CheckResult(
            name="neighbours", passed=True, value=None, threshold=None,
            sentence=(
                f"none of the {len(found)} settings one step away changes anything, so there is nothing to ask them" if found
                else "there is no number in it that could be moved, so there is nothing to ask its neighbours"
            ),
        )
    least = config.neighbour_score_kept * own
    kept = [neighbour for neighbour in telling if _keeps(neighbour, own, least)]
    share = len(kept) / len(telling)
    peak = _peak(telling, own, least)
    worst = min(telling, key=lambda neighbour: float("-inf") if neighbour.daily_sharpe is None else neighbour.daily_sharpe)
    return CheckResult(
        name="neighbours", passed=share >= needed and not peak, value=share, threshold=needed,
        sentence=(
            f"{len(kept)} of {len(telling)} settings one step away keep {config.neighbour_score_kept:.0%} of its daily Sharpe "
            f"({least:.3f}), {needed:.0%} needed; the worst is {_told(worst)}"
            + (f"; it stands or falls with one number, lost whichever way that is moved ({peak})" if peak else "")
        ),
    )


def _harmless(finding: BiasFinding) -> bool:
    if finding.check == LAG and finding.verdict == UNKNOWN:
        return finding.kept is not None and finding.kept >= KEPT_MIN
    return finding.verdict == CLEAN


def _keeps(neighbour: Neighbour, own: float, least: float) -> bool:
    return own > 0 and neighbour.daily_sharpe is not None and neighbour.daily_sharpe >= least


def _peak(telling: Sequence[Neighbour], own: float, least: float) -> str:
    """The first number that was moved to both sides and keeps enough on neither; "" when there is none."""
    by_number: dict[str, list[bool]] = {}
    for neighbour in telling:
        by_number.setdefault(", ".join(neighbour.values), []).append(_keeps(neighbour, own, least))
    return next((name for name, kept in by_number.items() if len(kept) > 1 and not any(kept)), "")


def _told(neighbour: Neighbour) -> str:
    values = ", ".join(f"{name} {value:g}" for name, value in neighbour.values.items())
    return f"{values} with {neighbour.fault if neighbour.daily_sharpe is None else format(neighbour.daily_sharpe, '.3f')}"
