"""Promotion and rollback: files, then one transaction, then the hot swap between two scans (D13).

    prepared (journal row) -> files placed -> [ versions, stages, journal committed in one transaction ] -> host swapped

The database says which version is active. A crash before the transaction leaves the old version active, one after it the new
one; `recover` at start-up mends the workspace from the database in both cases. Never neither.
"""

from __future__ import annotations

from datetime import datetime

from shell.answers import Promotion
from shell.config import GateConfig
from shell.errors import NotNow, Rejected
from shell.gate.inputs import from_stored
from shell.gate.verdict import judge
from shell.host.port import StrategySource
from shell.program import program_identity
from shell.promotion.dossier import dossier_of
from shell.promotion.evidence import untrue_evidence
from shell.promotion.overtaken import overtaken
from shell.promotion.reruns import require_rerun
from shell.promotion.workspace import Workspace
from shell.store.store import Store
from shell.trials.candidate import Candidate, Stage, StageResult, Verdict, source_hash

FLOOR_VERSION = "v000"


def promote(
    store: Store, workspace: Workspace, candidate: Candidate, now: datetime, *, gate: GateConfig
) -> Promotion:
    """Make a candidate the active version in database and workspace. The caller swaps the host afterwards.

    Recomputes all that can be of its evidence before acting, as whoever verifies its certificate will, and the gate's verdict
    by the thresholds of `gate`, the settings in force, as well. Raises Rejected when that, the paper trial, the candidate's
    life, a quarantine of its code or the rerun of its evidence does not allow it, NotNow before that rerun. Repeating a
    committed promotion returns it again.
    """
    done = store.promotions.committed(candidate.candidate_id)
    if done is not None:
        return done
    require_evidence(store, candidate, gate)
    rerun = require_rerun(store, candidate.candidate_id)
    previous = store.strategies.active()
    source = candidate.proposal.source
    version = f"v{1 + max(int(row.version[1:]) for row in store.strategies.list()):03d}"
    promotion = Promotion(
        candidate_id=candidate.candidate_id, version=version, previous=previous.version, hash=source_hash(source), at=now
    )
    store.promotions.prepare(promotion)
    workspace.place(version, source)
    with store.transaction():
        store.strategies.insert(
            version=version, hash=promotion.hash, parent=candidate.proposal.parent_version,
            hypothesis=candidate.proposal.hypothesis, source=source, state="archived",
        )
        store.strategies.activate(version, now)
        store.candidates.record_stage(
            candidate.candidate_id,
            StageResult(
                stage=Stage.PROMOTE, passed=True, reasons=(f"active as {version} since {now:%Y-%m-%d %H:%M} UTC",),
                inputs={"version": version, "previous": previous.version, "hash": promotion.hash},
            ),
            now,
        )
        store.promotions.commit(candidate.candidate_id)
        store.events.append(
            "promotion", now,
            {
                "candidate": candidate.candidate_id, "version": version, "previous": previous.version,
                "hash": promotion.hash, "program": program_identity(), "rerun": rerun,
            },
        )
    return promotion


def roll_back(store: Store, workspace: Workspace, reason: str, now: datetime) -> Promotion:
    """Make the newest good version before the active one active again, down to the floor, which holds nothing.

    Versions in quarantine are passed over. Raises NotNow when the floor is active already, Rejected when the floor itself is
    in quarantine.
    """
    current = store.strategies.active()
    if current.version == FLOOR_VERSION:
        raise NotNow(f"{FLOOR_VERSION} is active already; it is the floor of every rollback")
    target = store.strategies.get(store.strategies.before(current.version))
    store.strategies.require_trusted(target.hash)
    promotion = Promotion(
        candidate_id="", version=target.version, previous=current.version, hash=target.hash, at=now
    )
    workspace.place(target.version, target.source)
    with store.transaction():
        store.strategies.activate(target.version, now)
        store.events.append(
            "rollback", now, {"version": target.version, "previous": current.version, "reason": reason}
        )
    return promotion


def recover(store: Store, workspace: Workspace, now: datetime) -> list[str]:
    """Finish or undo what a crash left, and make the workspace hold the active version. Returns sentences for a person."""
    sentences = []
    for candidate_id in store.promotions.unfinished():
        store.promotions.abort(candidate_id)
        store.events.append("promotion_aborted", now, {"candidate": candidate_id})
        sentences.append(f"the promotion of {candidate_id} was interrupted and is undone")
    active = store.strategies.active()
    caught = store.strategies.quarantine_of(active.hash)
    if caught is not None and active.version != FLOOR_VERSION:
        promotion = roll_back(store, workspace, f"quarantine: {caught.sentence}", now)
        sentences.append(f"{promotion.previous} is in quarantine and was still active; {promotion.version} takes its place")
        active = store.strategies.active()
    if not workspace.active_file.is_file():
        workspace.place(active.version, active.source)
        sentences.append(f"the active strategy's file was missing; {active.version} is back in place")
    elif (found := source_hash(workspace.active())) != active.hash:
        ours = {row.hash for row in store.strategies.list()} | {row.source_hash for row in store.candidates.list()}
        if found in ours:
            workspace.place(active.version, active.source)
        else:
            sentences.append(
                f"{workspace.active_file} differs from {active.version}, which runs as recorded; "
                "send your file in with `brain strategy submit FILE`"
            )
    return sentences


def register_workspace(store: Store, workspace: Workspace, now: datetime) -> None:
    """Record v000 and v001 of a new home from its workspace. Does nothing when versions are there already."""
    if store.strategies.list():
        return
    floor, first = workspace.archived(FLOOR_VERSION), workspace.active()
    with store.transaction():
        _insert(store, FLOOR_VERSION, "", "holds nothing: the floor of every rollback", floor)
        _insert(store, "v001", FLOOR_VERSION, "the strategy this home began with", first)
        store.strategies.activate("v001", now)


def _insert(store: Store, version: str, parent: str, hypothesis: str, source: StrategySource) -> None:
    store.strategies.insert(
        version=version, hash=source_hash(source), parent=parent, hypothesis=hypothesis, source=source, state="archived"
    )


def require_evidence(store: Store, candidate: Candidate, in_force: GateConfig) -> None:
    """Raises Rejected unless everything holds that a promotion rests on and that follows from the ledger."""
    store.strategies.require_trusted(candidate.source_hash)
    if candidate.verdict is not Verdict.PENDING:
        raise Rejected(f"{candidate.candidate_id} has ended: it is {candidate.verdict.value}")
    stages = {result.stage: result for result in candidate.stages}
    gate, paper = stages.get(Stage.GATE), stages.get(Stage.PAPER)
    if gate is None or not gate.passed:
        raise Rejected(f"{candidate.candidate_id} has not passed the gate")
    # Both the stage that a task reported and the trial that the shell itself judged.
    own = [trial.state for trial in store.paper.list() if trial.candidate_id == candidate.candidate_id]
    if paper is None or not paper.passed or "passed" not in own:
        raise Rejected(f"{candidate.candidate_id} has not passed a paper trial")
    untrue = untrue_evidence(dossier_of(store, candidate.candidate_id), candidate.proposal.source)
    if untrue:
        raise Rejected(f"{candidate.candidate_id}: its evidence does not hold, {untrue}")
    active = store.strategies.active()
    late = overtaken(candidate, active.version, active.hash, store.candidates.of_code(active.hash))
    if late:
        raise Rejected(f"{candidate.candidate_id}: {late}")
    # Whoever stored the inputs stored the thresholds, too: those of the settings are the shell's own.
    inputs, _ = from_stored(gate.inputs)
    now_judged = judge(inputs, in_force)
    if not now_judged.passed:
        raise Rejected(
            f"{candidate.candidate_id}: the gate's verdict, recomputed by the settings in force, refuses: "
            f"{now_judged.first_failure}"
        )
