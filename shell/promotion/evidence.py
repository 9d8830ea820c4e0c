"""What a promotion rests on, checked again: by the shell before it promotes, and by whoever reads the certificate afterwards.

Runs are made outside the shell and reported to it, so every figure of a gate is a report. These checks compute again what
follows from the ledger: the scores from their daily returns, the gate's inputs from the stages and the trials there were,
the verdict from those. A report that is true to itself in all of that, and invented, is not found here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shell.backtest.metrics import max_drawdown, moments_of
from shell.backtest.neighbourhood import one_step_neighbours
from shell.clock import parse_moment
from shell.errors import BadInput, NotNow
from shell.gate.gather import DEAR, gathered
from shell.gate.inputs import GateInputs, Rival, from_stored
from shell.gate.verdict import recheck
from shell.host.port import StrategySource
from shell.promotion.certificate_facts import scores_before
from shell.promotion.dossier import Broken, Dossier, require
from shell.store.canonical import canonical
from shell.trials.candidate import Stage, TrialScore, source_hash
from shell.trials.count import distinct_scores
from shell.trials.scoring import CLOSE, untrue_figures
from shell.trials.segments import quarter_name

# A candidate's way to its paper trial: the facts that must be there, each after the one before.
WAY = (Stage.SANDBOX, Stage.BACKTEST, Stage.GATE, Stage.PAPER)
DAY = timedelta(days=1)

Window = tuple[datetime, datetime]


def untrue_evidence(dossier: Dossier, source: StrategySource) -> str:
    """The first thing that does not hold of a candidate that is about to be promoted, as a sentence; "" when all does."""
    for name, check in EVIDENCE:
        try:
            check(dossier, source)
        except Broken as broken:
            return f"{name}: {broken}"
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            return f"{name}: something is missing or of another shape ({error!r})"
    return ""


def code(dossier: Dossier, source: StrategySource) -> None:
    """The code is the candidate's, and its trials are trials of that code."""
    ((_, registered),) = dossier.own("candidate")
    require(source_hash(source) == registered["source_hash"], "the code is not that of the candidate")
    for _, score in dossier.own("score"):
        require(score["source_hash"] == registered["source_hash"], "it was scored with the code of another")


def order(dossier: Dossier, source: StrategySource) -> None:
    """Let onto selection, scored, looked once into the vault, judged, tried on paper: in this order, and never refused."""
    lets, scores, looks = dossier.own("selection_look"), dossier.own("score"), dossier.own("vault_look")
    require(bool(lets) and bool(scores), "it was never scored on the selection segment")
    require(len(looks) == 1, f"it looked {len(looks)} times into the vault, not once")
    sandbox, backtest, gate, paper = (dossier.stage(stage)[0] for stage in WAY)
    begun = [seq for seq, _ in dossier.own("paper_started")]
    require(bool(begun), "the shell began no paper trial of it")
    steps = [lets[0][0], scores[0][0], backtest, looks[0][0], gate, begun[-1], paper]
    require(sandbox < backtest and steps == sorted(steps), "its stages are not in their order")
    refused = [fact["stage"] for _, fact in dossier.own("stage") if fact["passed"] is not True]
    require(not refused, f"it was refused at {', '.join(refused)}")


def scores(dossier: Dossier, source: StrategySource) -> None:
    """The figures of each trial are those of its daily returns."""
    for score in scores_before(dossier.links, dossier.facts, _end(dossier)):
        untrue = untrue_figures(score.daily_returns, score.sharpe, score.total_return_pct)
        require(not untrue, f"the score of {score.candidate_id} is not true: {untrue}")


def gate(dossier: Dossier, source: StrategySource) -> None:
    """The gate's verdict, again, from its stored inputs and thresholds."""
    stored = dossier.stage(Stage.GATE)[1]["inputs"]
    try:
        verdict = recheck(stored)
    except BadInput as refusal:
        raise Broken(str(refusal)) from None
    require(verdict.passed, f"recomputed from its inputs it refuses: {verdict.first_failure}")
    checks = [check.as_dict() for check in verdict.checks]
    require(canonical(checks) == canonical(stored["checks"]), "recomputed from its inputs its checks show other numbers")


def trials(dossier: Dossier, source: StrategySource) -> None:
    """The gate deflated by the trials that the ledger holds on any of the candidate's days, no more and no fewer."""
    seq, used = dossier.stage(Stage.GATE)[0], _judged(dossier).trial_sharpes
    left = list(used)
    for score in _counted(dossier, seq):
        sharpe = score.sharpe if math.isfinite(score.sharpe) else None
        require(sharpe in left, f"the gate did not count the trial of {score.candidate_id}")
        left.remove(sharpe)
    require(not left, f"the gate counted {len(left)} trials that the ledger does not hold on these days")


def inputs(dossier: Dossier, source: StrategySource) -> None:
    """What the gate was given is what the stages and the ledger hold, and true to the candidate's own daily returns."""
    judged, backtest = _judged(dossier), dossier.stage(Stage.BACKTEST)[1]["inputs"]
    start, end = _window(backtest["segment"])
    own = _own_score(dossier)
    segment = _windows(dossier)[quarter_name(own.scored_at)]
    require((start, end) == segment, "its backtest names other days than the selection segment has")
    try:
        again = gathered(
            dossier.candidate_id, source, sandbox=dossier.stage(Stage.SANDBOX)[1]["inputs"], backtest=backtest,
            scores=_on_these_days(dossier, dossier.stage(Stage.GATE)[0], (start, end)),
        )
    except (BadInput, NotNow) as refusal:
        raise Broken(str(refusal)) from None
    for each in fields(GateInputs):
        if each.name not in DEAR:
            same = getattr(judged, each.name) == getattr(again, each.name)
            require(same, f"{each.name} is not what its stages and the ledger give")
    _true_run(judged, own)
    days = (end - start) // DAY
    require(len(judged.daily_returns) == days, f"it has {len(judged.daily_returns)} daily returns for {days} days")
    for rival in (judged.incumbent, judged.buy_and_hold):
        _true_rival(rival, days)


def dear(dossier: Dossier, source: StrategySource) -> None:
    """The settings beside it are those of its code, and the vault's days are those of its one look."""
    judged = _judged(dossier)
    beside = [dict(each.values) for each in judged.neighbours or ()]
    require(beside == [dict(each.values) for each in one_step_neighbours(source)], "its neighbours are not those of its code")
    look = dossier.own("vault_look")[0][1]
    days = (parse_moment(look["end"]) - parse_moment(look["start"])) // DAY
    require(judged.vault is not None and judged.vault.days == days, f"its look at the vault was not one at {days} days")


def _true_run(judged: GateInputs, own: TrialScore) -> None:
    returns = np.asarray(judged.daily_returns, dtype=np.float64)
    run, moments = judged.run, moments_of(returns)
    told = {
        "days": (run.days, moments.n_obs), "Sharpe ratio": (run.daily_sharpe, moments.sharpe), "skew": (run.skew, moments.skew),
        "kurtosis": (run.kurtosis, moments.kurtosis), "trades": (run.trades, own.trades),
        "return": (run.total_return_pct, own.total_return_pct),
    }
    for what, (said, found) in told.items():
        require(math.isclose(said, found, rel_tol=CLOSE, abs_tol=CLOSE), f"the {what} of its run is {found}, not {said}")
    # The marks between two midnights can only show a deeper fall.
    fallen = max_drawdown(np.concatenate(([1.0], np.cumprod(1 + returns))))
    require(run.max_drawdown_pct >= fallen - CLOSE, f"its days show a fall of {fallen:.4%}, not {run.max_drawdown_pct:.4%}")


def _true_rival(rival: Rival, days: int) -> None:
    require(len(rival.daily_returns) == days, f"{rival.name} has {len(rival.daily_returns)} daily returns for {days} days")
    untrue = untrue_figures(rival.daily_returns, rival.daily_sharpe, rival.total_return_pct)
    require(not untrue, f"of {rival.name}, {untrue}")


def _judged(dossier: Dossier) -> GateInputs:
    try:
        return from_stored(dossier.stage(Stage.GATE)[1]["inputs"])[0]
    except BadInput as refusal:
        raise Broken(str(refusal)) from None


def _own_score(dossier: Dossier) -> TrialScore:
    """The scoring that the gate was told of: that on the candles which the backtest names."""
    data = dossier.stage(Stage.BACKTEST)[1]["inputs"]["segment"]["data_hash"]
    found = [score for score in scores_before(dossier.links, dossier.facts, _end(dossier))
             if score.candidate_id == dossier.candidate_id and score.data_hash == data]
    require(bool(found), "the ledger holds no score of it on the candles that its backtest names")
    return found[0]


def _counted(dossier: Dossier, seq_max: int) -> Sequence[TrialScore]:
    window = _windows(dossier)[quarter_name(_own_score(dossier).scored_at)]
    return distinct_scores(_on_these_days(dossier, seq_max, window))


def _on_these_days(dossier: Dossier, seq_max: int, window: Window) -> list[TrialScore]:
    """The scores before a fact whose selection segment shares a day with `window`; one of an unknown segment is taken to."""
    known, (start, end) = _windows(dossier), window
    return [
        score for score in scores_before(dossier.links, dossier.facts, seq_max)
        if (other := known.get(quarter_name(score.scored_at))) is None or (other[0] < end and start < other[1])
    ]


def _windows(dossier: Dossier) -> Mapping[str, Window]:
    """The selection segment of every quarter."""
    laid_out = (dossier.facts[int(link["seq"])] for link in dossier.links if link["kind"] == "segments")
    return {
        str(fact["quarter"]): (parse_moment(fact["selection_start"]), parse_moment(fact["vault_start"])) for fact in laid_out
    }


def _window(segment: Mapping[str, Any]) -> Window:
    return parse_moment(segment["start"]), parse_moment(segment["end"])


def _end(dossier: Dossier) -> int:
    return int(dossier.links[-1]["seq"]) + 1


Check = Callable[[Dossier, StrategySource], None]

# The dearest last.
EVIDENCE: tuple[tuple[str, Check], ...] = (
    ("code", code), ("order", order), ("scores", scores), ("trials", trials), ("inputs", inputs), ("dear", dear),
    ("gate", gate),
)
