"""Was another version promoted since the gate compared a candidate with the incumbent of its night?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shell.trials.candidate import Candidate, Stage, Verdict


def overtaken(candidate: Candidate, active_version: str, active_hash: str, candidates: Sequence[Candidate]) -> str:
    """A sentence when the strategy it has to beat is another one by now, and it does not beat that; else nothing.

    The gate compared it with the incumbent of its night. Was another candidate promoted since, the two are compared by
    their scores on the same selection segment; scores on different segments do not compare, which refuses as well.
    """
    own = _backtest(candidate)
    if own is None or own["incumbent"]["name"] == active_version:
        return ""
    rivals = [each for each in candidates if each.source_hash == active_hash and each.verdict is Verdict.PROMOTED]
    theirs = _backtest(rivals[-1]) if rivals else None
    was = own["incumbent"]["name"]
    if theirs is None or theirs["segment"] != own["segment"]:
        return f"it was compared with {was}; {active_version} is active by now and their scores do not compare"
    mine, other = own["figures"]["daily_sharpe"], theirs["figures"]["daily_sharpe"]
    if mine > other:
        return ""
    return f"it beat {was}, but {active_version}, active by now, has a daily Sharpe of {other:.3f}, it has {mine:.3f}"


def _backtest(candidate: Candidate) -> Mapping[str, Any] | None:
    return next((each.inputs for each in candidate.stages if each.stage is Stage.BACKTEST), None)
