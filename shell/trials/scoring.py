"""What a reported score must be before it is a trial: of this candidate's code, on these candles, and true to its own returns.

Runs are made outside the shell, so a score is a report. What can be computed again from the report is, when it arrives and
once more before anything is promoted on it; the rest of it is compared with what the shell itself knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shell.backtest.metrics import moments_of
from shell.errors import Rejected
from shell.trials.candidate import Candidate, TrialScore
from shell.trials.segments import Segment

# Two sums of the same numbers may differ in their last digits on another machine.
CLOSE = 1e-9
# A product of a year of daily returns is further from the quotient of two values than a single sum is.
CLOSE_RETURN = 1e-6


def require_score(score: TrialScore, candidate: Candidate, segment: Segment, data: str) -> None:
    """Raises Rejected unless `score` is one of `candidate` on `segment`, whose candles have the hash `data`."""
    name = candidate.candidate_id
    if score.source_hash != candidate.source_hash:
        raise Rejected(f"the score of {name} is one of the code {score.source_hash}, not of its own {candidate.source_hash}")
    if score.data_hash != data:
        raise Rejected(
            f"the score of {name} is on other candles ({score.data_hash}) than the selection segment holds now ({data}): "
            "score it again"
        )
    if len(score.daily_returns) != round(segment.days):
        raise Rejected(f"the score of {name} has {len(score.daily_returns)} daily returns for {segment.days:.0f} days")
    untrue = untrue_figures(score.daily_returns, score.sharpe, score.total_return_pct)
    if untrue:
        raise Rejected(f"the score of {name} is not true: {untrue}")


def untrue_figures(daily_returns: Sequence[float], sharpe: float, total_return_pct: float) -> str:
    """What does not follow from the daily returns, as a sentence; "" when both figures do.

    Where a return is no number, neither is the Sharpe ratio, and nothing is known of the total.
    """
    returns = np.asarray(daily_returns, dtype=np.float64)
    if not np.isfinite(returns).all():
        return "" if math.isnan(sharpe) else f"a daily return is no number, and its Sharpe ratio is told as {sharpe:.6f}"
    computed = moments_of(returns).sharpe
    if not math.isclose(computed, sharpe, rel_tol=CLOSE, abs_tol=CLOSE):
        return f"its daily returns have a Sharpe ratio of {computed:.6f}, not {sharpe:.6f}"
    compounded = float(np.prod(1 + returns)) - 1
    if not math.isclose(compounded, total_return_pct, rel_tol=CLOSE_RETURN, abs_tol=CLOSE_RETURN):
        return f"its daily returns come to {compounded:.4%} in all, not {total_return_pct:.4%}"
    return ""
