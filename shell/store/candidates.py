"""The ledger of candidates: registered once, every stage kept, every look counted. Rows are added, never taken back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from shell.clock import NEW_YORK, local_day
from shell.errors import Rejected
from shell.host.port import StrategySource
from shell.store.canonical import canonical
from shell.store.database import Database
from shell.store.events import EventLog
from shell.store.metadata import table_of
from shell.store.tables_candidates import (
    CandidateRow,
    ScoreRow,
    SearchRow,
    StageRow,
    SubmissionRow,
)
from shell.trials.candidate import (
    Candidate,
    ChangeClass,
    Proposal,
    Stage,
    StageResult,
    TrialScore,
    Verdict,
    source_hash,
)

CANDIDATES, STAGES, SCORES = table_of(CandidateRow), table_of(StageRow), table_of(ScoreRow)
SEARCHES, SUBMISSIONS = table_of(SearchRow), table_of(SubmissionRow)
_WEIGHT = {ChangeClass.TWEAK: 0, ChangeClass.RESTRUCTURE: 1, ChangeClass.OVERHAUL: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A file that a person handed in and that has not become a candidate yet."""

    submission_id: str
    proposal: Proposal
    submitted_at: datetime


class Candidates:
    """Candidates by id "c0001", in the order they were proposed."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    # -- a candidate's life ---------------------------------------------------------------------------------------

    def register(self, proposal: Proposal, at: datetime) -> Candidate:
        """Make a proposal a candidate. The same source, provider and parent in the same New York night is the same one.

        A waiting submission of this source is taken with it.
        """
        night = local_day(at, NEW_YORK)
        identity = {
            "night": night, "source_hash": source_hash(proposal.source),
            "provider": proposal.provider, "parent_version": proposal.parent_version,
        }
        with self._database.transaction() as connection:
            same = and_(*(CANDIDATES.c[name] == value for name, value in identity.items()))
            known = connection.execute(select(CANDIDATES.c.candidate_id).where(same)).scalar()
            if known is not None:
                return self.get(known)
            number = _next_number(connection, CANDIDATES.c.number)
            candidate_id = f"c{number:04d}"
            connection.execute(
                insert(CANDIDATES).values(
                    candidate_id=candidate_id, number=number, proposed_at=at, change_class=None,
                    **(identity | _proposal_values(proposal)),
                )
            )
            payload = candidate_fact(self.get(candidate_id), night)
            self._events.chain(connection).append("candidate", at, payload, "main")
            waiting = (SUBMISSIONS.c.source_hash == identity["source_hash"]) & SUBMISSIONS.c.taken_at.is_(None)
            connection.execute(update(SUBMISSIONS).where(waiting).values(taken_at=at, candidate_id=candidate_id))
            return self.get(candidate_id)

    def record_stage(self, candidate_id: str, result: StageResult, at: datetime) -> None:
        """Append a stage's outcome; the same one again changes nothing.

        Raises Rejected when the stage is recorded with another outcome, or the candidate has ended.
        """
        with self._database.transaction() as connection:
            candidate = self.get(candidate_id)
            same = [stage for stage in candidate.stages if stage.stage is result.stage]
            if same:
                if canonical(same[0]) != canonical(result):
                    raise Rejected(f"{candidate_id}: stage {result.stage.value} is recorded, with another outcome")
                return
            if candidate.verdict is not Verdict.PENDING:
                raise Rejected(
                    f"{candidate_id} has ended as {candidate.verdict.value}: no stage {result.stage.value} follows"
                )
            values = {"stage": result.stage.value, "passed": result.passed, "reasons": result.reasons}
            payload = stage_fact(candidate_id, result)
            seq = self._events.chain(connection).append("stage", at, payload, "main")
            connection.execute(
                insert(STAGES).values(candidate_id=candidate_id, seq=seq, inputs=result.inputs, at=at, **values)
            )

    def classify(self, candidate_id: str, change: ChangeClass) -> None:
        """Set the risk tier of the change. It may be raised; raises Rejected when it would be lowered."""
        with self._database.transaction() as connection:
            known = self.get(candidate_id).change_class
            if known is change:
                return
            if known is not None and _WEIGHT[change] < _WEIGHT[known]:
                raise Rejected(f"{candidate_id} is a {known.value}; it cannot become a {change.value}")
            where = CANDIDATES.c.candidate_id == candidate_id
            connection.execute(update(CANDIDATES).where(where).values(change_class=change.value))

    def get(self, candidate_id: str) -> Candidate:
        """Raises Rejected for one that does not exist."""
        with self._database.reading() as connection:
            row = connection.execute(select(CANDIDATES).where(CANDIDATES.c.candidate_id == candidate_id)).first()
            if row is None:
                raise Rejected(f"there is no candidate {candidate_id}")
            where = STAGES.c.candidate_id == candidate_id
            stages = connection.execute(select(STAGES).where(where).order_by(STAGES.c.seq)).all()
        return _candidate_of(row, stages)

    def list(self) -> Sequence[Candidate]:
        """Every candidate, oldest first."""
        stages: dict[str, list[Any]] = {}
        with self._database.reading() as connection:
            for stage in connection.execute(select(STAGES).order_by(STAGES.c.seq)):
                stages.setdefault(stage.candidate_id, []).append(stage)
            rows = connection.execute(select(CANDIDATES).order_by(CANDIDATES.c.number)).all()
        return [_candidate_of(row, stages.get(row.candidate_id, [])) for row in rows]

    def count(self) -> int:
        """How many there are, for whoever asks often: all that is kept of them need not be read for that."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(CANDIDATES)).scalar_one())

    def of_code(self, digest: str) -> Sequence[Candidate]:
        """Every candidate with this code, oldest first."""
        statement = select(CANDIDATES.c.candidate_id).where(CANDIDATES.c.source_hash == digest).order_by(CANDIDATES.c.number)
        with self._database.reading() as connection:
            return [self.get(name) for name in connection.execute(statement).scalars().all()]

    # -- looks at the segments ------------------------------------------------------------------------------------

    def record_score(self, score: TrialScore) -> None:
        """Append a scoring. Exactly the same one again is a repeated report of it, not a second trial."""
        values = _score_values(score)
        with self._database.transaction() as connection:
            key = ("candidate_id", "segment", "scored_at", "data_hash", "source_hash")
            same = and_(*(SCORES.c[name] == values[name] for name in key))
            known = [canonical(score_of(row)) for row in connection.execute(select(SCORES).where(same))]
            if canonical(score) in known:
                return
            payload = score_fact(score)
            seq = self._events.chain(connection).append("score", score.scored_at, payload, "main")
            connection.execute(insert(SCORES).values(seq=seq, **values))

    def scores(self, segment: str | None = None) -> Sequence[TrialScore]:
        """Scorings on one segment, or all, oldest first."""
        statement = select(SCORES).order_by(SCORES.c.seq)
        if segment is not None:
            statement = statement.where(SCORES.c.segment == str.__str__(segment))
        with self._database.reading() as connection:
            return [score_of(row) for row in connection.execute(statement)]

    def record_searches(self, candidate_id: str | None, count: int, at: datetime) -> None:
        """Count looks at the search segment, by a candidate or by what never became one."""
        with self._database.transaction() as connection:
            payload = {"candidate": candidate_id, "looks": count}
            seq = self._events.chain(connection).append("searches", at, payload, "main")
            connection.execute(insert(SEARCHES).values(seq=seq, candidate_id=candidate_id, looks=count, at=at))

    def searches_total(self) -> int:
        """Looks at the search segment so far."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.sum(SEARCHES.c.looks))).scalar() or 0)

    def last_search(self) -> datetime | None:
        """When the search segment was last looked at, whatever came of it; None before the first look."""
        with self._database.reading() as connection:
            found: datetime | None = connection.execute(select(func.max(SEARCHES.c.at))).scalar()
        return found

    # -- what people hand in --------------------------------------------------------------------------------------

    def submit(self, proposal: Proposal, at: datetime) -> Submission:
        """Keep a person's file until a night takes it; one that waits already is returned."""
        digest = source_hash(proposal.source)
        with self._database.transaction() as connection:
            waiting = (SUBMISSIONS.c.source_hash == digest) & SUBMISSIONS.c.taken_at.is_(None)
            row = connection.execute(select(SUBMISSIONS).where(waiting)).first()
            if row is not None:
                return _submission_of(row)
            number = _next_number(connection, SUBMISSIONS.c.number)
            submission = Submission(submission_id=f"s{number:04d}", proposal=proposal, submitted_at=at)
            connection.execute(
                insert(SUBMISSIONS).values(
                    submission_id=submission.submission_id, number=number, source_hash=digest,
                    proposal={"parent_version": proposal.parent_version, **_proposal_values(proposal)},
                    submitted_at=at, taken_at=None, candidate_id=None,
                )
            )
            payload = {"submission": submission.submission_id, "source_hash": digest, "hypothesis": proposal.hypothesis}
            self._events.chain(connection).append("submission", at, payload, "main")
            return submission

    def pending(self) -> Sequence[Submission]:
        """Submissions that wait, oldest first."""
        statement = select(SUBMISSIONS).where(SUBMISSIONS.c.taken_at.is_(None)).order_by(SUBMISSIONS.c.number)
        with self._database.reading() as connection:
            return [_submission_of(row) for row in connection.execute(statement)]

    def mark_taken(self, submission_id: str, at: datetime) -> None:
        """Take a submission off the waiting list, without a candidate. `register` does it for one that becomes one."""
        where = (SUBMISSIONS.c.submission_id == submission_id) & SUBMISSIONS.c.taken_at.is_(None)
        with self._database.transaction() as connection:
            connection.execute(update(SUBMISSIONS).where(where).values(taken_at=at))


def candidate_fact(candidate: Candidate, night: date) -> dict[str, Any]:
    """What the event log keeps of a proposal; its source is there by its hash."""
    proposal = candidate.proposal
    return {
        "candidate": candidate.candidate_id, "night": night, "source_hash": candidate.source_hash,
        "provider": proposal.provider, "parent_version": proposal.parent_version, "hypothesis": proposal.hypothesis,
        "seed": proposal.seed, "parameters": proposal.parameters, "prompt_hash": proposal.prompt_hash,
        "searched": proposal.searched,
    }


def stage_fact(candidate_id: str, result: StageResult) -> dict[str, Any]:
    """What the event log keeps of a stage: everything."""
    return {
        "candidate": candidate_id, "stage": result.stage.value, "passed": result.passed, "reasons": result.reasons,
        "inputs": result.inputs,
    }


def score_fact(score: TrialScore) -> dict[str, Any]:
    """What the event log keeps of a scoring: everything, the daily returns included."""
    return {**_score_values(score), "sharpe": score.sharpe, "total_return_pct": score.total_return_pct}


def _next_number(connection: Connection, numbers: Any) -> int:
    return 1 + (connection.execute(select(func.max(numbers))).scalar() or 0)


def _proposal_values(proposal: Proposal) -> dict[str, Any]:
    return {
        "code": proposal.source.code, "skills": dict(proposal.source.skills), "code_origin": proposal.source.origin,
        "hypothesis": proposal.hypothesis, "provider": proposal.provider, "seed": proposal.seed,
        "parameters": dict(proposal.parameters), "prompt_hash": proposal.prompt_hash, "searched": proposal.searched,
    }


def _proposal_of(row: Any) -> Proposal:
    return Proposal(
        source=StrategySource(code=row.code, skills=row.skills, origin=row.code_origin),
        parent_version=row.parent_version, hypothesis=row.hypothesis, provider=row.provider, seed=row.seed,
        parameters=row.parameters, prompt_hash=row.prompt_hash, searched=row.searched,
    )


def _candidate_of(row: Any, rows: Sequence[Any]) -> Candidate:
    stages = tuple(
        StageResult(stage=Stage(each.stage), passed=each.passed, reasons=tuple(each.reasons), inputs=each.inputs)
        for each in rows
    )
    last = stages[-1] if stages else None
    verdict = Verdict.PENDING
    if any(not stage.passed for stage in stages):
        verdict = Verdict.REFUSED
    elif last is not None and last.stage is Stage.PROMOTE:
        verdict = Verdict.PROMOTED
    return Candidate(
        candidate_id=row.candidate_id, proposed_at=row.proposed_at, proposal=_proposal_of(row),
        source_hash=row.source_hash, change_class=None if row.change_class is None else ChangeClass(row.change_class),
        stage=last.stage if last is not None else Stage.GENERATE, verdict=verdict,
        reasons=last.reasons if last is not None else (), stages=stages,
    )


def _score_values(score: TrialScore) -> dict[str, Any]:
    return {
        "candidate_id": score.candidate_id, "segment": str.__str__(score.segment), "scored_at": score.scored_at,
        "data_hash": score.data_hash, "source_hash": score.source_hash, "sharpe": _finite_or_null(score.sharpe),
        "daily_returns": list(score.daily_returns), "trades": score.trades,
        "total_return_pct": _finite_or_null(score.total_return_pct),
    }


def score_of(row: Any) -> TrialScore:
    """The scoring that a row of `trial_scores` holds."""
    return TrialScore(
        candidate_id=row.candidate_id, segment=row.segment, scored_at=row.scored_at, data_hash=row.data_hash,
        source_hash=row.source_hash, sharpe=_null_as_nan(row.sharpe),
        daily_returns=tuple(float(value) for value in row.daily_returns), trades=row.trades,
        total_return_pct=_null_as_nan(row.total_return_pct),
    )


def _submission_of(row: Any) -> Submission:
    values = row.proposal
    proposal = Proposal(
        source=StrategySource(code=values["code"], skills=values["skills"], origin=values["code_origin"]),
        parent_version=values["parent_version"], hypothesis=values["hypothesis"], provider=values["provider"],
        seed=values["seed"], parameters=values["parameters"], prompt_hash=values["prompt_hash"],
        searched=values["searched"],
    )
    return Submission(submission_id=row.submission_id, proposal=proposal, submitted_at=row.submitted_at)


def _finite_or_null(value: float) -> float | None:
    """A column of floats holds no NaN on every database; NULL stands for it."""
    return value if math.isfinite(value) else None


def _null_as_nan(value: float | None) -> float:
    return math.nan if value is None else value
