"""Nights and candidates as the report shows them, from what the store and each stage kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from shell.answers import PaperTrial, Promotion
from shell.clock import NEW_YORK, local_day, night_window
from shell.report.data import CandidateRow, CheckRow, NightRow, PaperRow, PromotionRow, Value
from shell.trials.candidate import Candidate, Stage

# What a backtest stage keeps that tells a reader something; the moments it also keeps do not.
_FIGURES = ("total_return_pct", "max_drawdown_pct", "trades", "days", "daily_sharpe")
_COMPARED = (
    "scans", "signals_paper", "signals_backtest", "signals_equal", "fills_paper", "fills_backtest", "fills_equal"
)


def candidate_row(candidate: Candidate, trial: PaperTrial | None, result: Mapping[str, Any] | None) -> CandidateRow:
    """One candidate; `trial` is its paper trial and `result` what that ended with, if there were any."""
    change = candidate.change_class
    return CandidateRow(
        candidate_id=candidate.candidate_id, night=local_day(candidate.proposed_at, NEW_YORK).isoformat(),
        hypothesis=candidate.proposal.hypothesis, change_class=change.value if change else "",
        provider=candidate.proposal.provider, verdict=candidate.verdict.value, stage=candidate.stage.value,
        reasons=tuple(candidate.reasons), checks=_checks(candidate), figures=figures_of(candidate),
        paper=_paper(candidate, trial, result),
    )


def figures_of(candidate: Candidate) -> dict[str, Value]:
    """The key numbers of a candidate on the selection segment, and the Sharpe ratio it had to beat."""
    inputs = _inputs(candidate, Stage.BACKTEST)
    measured = _mapping(inputs.get("figures"))
    found: dict[str, Value] = {name: _value(measured[name]) for name in _FIGURES if name in measured}
    incumbent = _mapping(inputs.get("incumbent"))
    if "daily_sharpe" in incumbent:
        found["incumbent_daily_sharpe"] = _value(incumbent["daily_sharpe"])
    return found


def promotion_row(promotion: Promotion, candidates: Sequence[Candidate]) -> PromotionRow:
    """A promotion with the numbers of the candidate it came from."""
    numbers: dict[str, Value] = {}
    for candidate in candidates:
        if candidate.candidate_id == promotion.candidate_id:
            numbers = figures_of(candidate)
    return PromotionRow(
        at=promotion.at, version=promotion.version, previous=promotion.previous, candidate_id=promotion.candidate_id,
        hash=promotion.hash, figures=numbers,
    )


def night_row(
    night: str,
    decision: Mapping[str, Any],
    candidates: Sequence[CandidateRow],
    changes: Sequence[PromotionRow],
    active_now: str,
) -> NightRow:
    """One night from what was recorded: `decision`, `reasons`, `candidates` worked on, paper trials `settled`, and of models
    what there was to say besides (`remarks`) and what they `costs`."""
    worked = [_mapping(each) for each in decision.get("candidates", ())]
    listed = {str(each["id"]) for each in worked if each.get("id")}
    fruitless = [reason for each in worked if not each.get("id") for reason in _texts(each.get("reasons"))]
    settled = [_settled(_mapping(each)) for each in decision.get("settled", ())]
    return NightRow(
        night=night, decision=str(decision.get("decision", "no change")),
        reasons=(
            *settled, *_texts(decision.get("reasons")), *_texts(decision.get("remarks")), *fruitless,
            *_texts(decision.get("costs")),
        ),
        candidate_ids=tuple(
            row.candidate_id for row in candidates if row.night == night or row.candidate_id in listed
        ),
        incumbent=_active_at(night, changes, active_now),
    )


def _settled(told: Mapping[str, Any]) -> str:
    """A paper trial that ended, or went on, in this night: one sentence."""
    subject = f"paper trial {told.get('trial')} of {told.get('candidate')}"
    if told.get("promoted"):
        return f"{subject} passed, and it became {told['promoted']}"
    reasons = "; ".join(_texts(told.get("refusal") or told.get("reasons")))
    outcome = "passed, but it was not promoted" if told.get("passed") else "has not passed"
    return f"{subject} {outcome}" + (f": {reasons}" if reasons else "")


def _active_at(night: str, changes: Sequence[PromotionRow], active_now: str) -> str:
    """The version that was active when the night began: what the first later change replaced, or what is active now."""
    try:
        begins = night_window(date.fromisoformat(night)).begins
    except ValueError:
        return ""
    later = sorted((change for change in changes if change.at >= begins), key=lambda change: change.at)
    return later[0].previous if later else active_now


def _checks(candidate: Candidate) -> tuple[CheckRow, ...]:
    rows = _inputs(candidate, Stage.GATE).get("checks", ())
    return tuple(
        CheckRow(
            name=str(row["name"]), passed=bool(row["passed"]), value=_value(row.get("value")),
            threshold=_value(row.get("threshold")), sentence=str(row.get("sentence", "")),
            skipped=row.get("skipped") is True,
        )
        for row in rows
    )


def _paper(candidate: Candidate, trial: PaperTrial | None, result: Mapping[str, Any] | None) -> PaperRow | None:
    """The trial with its comparison, which stands in its result or in what the paper stage was decided on."""
    if trial is None:
        return None
    stage = _inputs(candidate, Stage.PAPER)
    compared = _mapping(result) or _mapping(stage.get("conformance")) or stage
    counts = {name: _whole(compared.get(name)) for name in _COMPARED}
    return PaperRow(
        trial_id=trial.trial_id, state=trial.state, started=trial.started_at, due=trial.due_at,
        reasons=_texts(compared.get("reasons")), **counts,
    )


def _inputs(candidate: Candidate, stage: Stage) -> Mapping[str, Any]:
    return next((result.inputs for result in candidate.stages if result.stage is stage), {})


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(each) for each in value) if isinstance(value, Sequence) else ()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _value(value: object) -> Value:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def within(at: datetime, start: datetime, end: datetime) -> bool:
    """True from `start` to `end`, both included: a fact at the last slot of a period belongs to it."""
    return start <= at <= end
