"""Whether a candidate's evidence came out again when the shell made it itself: asked, run beside trading, written down once.

Nothing is written before a rerun is over, so a crash in the middle leaves it undecided, and the next question begins it anew.
What is written is a fact of the trial ledger, and final: a promotion wants one that held.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from shell.answers import Rerun, RerunState
from shell.backtest.result import BacktestSettings
from shell.config import GateConfig
from shell.errors import NotNow, Rejected
from shell.gate.inputs import from_stored
from shell.host.port import StrategySource
from shell.log import get_logger
from shell.market.history import History
from shell.program import program_identity
from shell.promotion.rerun import INCUMBENT, Case, Found, run_again
from shell.promotion.rerun_process import RerunProcess
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.candidate import Candidate, Stage
from shell.trials.segments import SegmentName

KIND = "rerun"
# A strategy that breaks where it is run again may have met a busy machine; one that does so this often is refused.
BROKEN_MAX = 3
HELD, DIFFERS, BROKE = "held", "differs", "broke"

# Told of code that tried what honest code never does: (source, name, sentence, now).
Catcher = Callable[[StrategySource, str, str, datetime], None]


class Notify(Protocol):
    """Puts one message into the outbox."""

    def __call__(self, kind: str, severity: str, text: str, now: datetime) -> None: ...


class Reruns:
    """The reruns of one shell, one at a time."""

    def __init__(
        self, store: Store, access: HistoryAccess, settings: BacktestSettings, gate: GateConfig, notify: Notify,
        caught: Catcher,
    ) -> None:
        self._store = store
        self._access = access
        self._settings = settings
        self._gate = gate
        self._notify = notify
        self._caught = caught
        self._running: tuple[Candidate, RerunProcess] | None = None

    def ask(self, candidate: Candidate, now: datetime, *, beside: bool) -> Rerun:
        """How the rerun of a candidate stands; begun where nobody has. `beside` trading it runs in a process of its own and
        whoever asked asks again, else this returns when it is over.

        Raises what is no fault of the strategy's: nothing is decided then, and the next question begins it anew.
        """
        name = candidate.candidate_id
        decided = rerun_of(self._store, name)
        if decided.state is not RerunState.RUNNING:
            return decided
        if not beside:
            case, histories = self._case(candidate)
            return self._record(candidate, run_again(case, histories, _unwatched), now)
        self._collect(now)
        decided = rerun_of(self._store, name)
        if decided.state is not RerunState.RUNNING:
            return decided
        if self._running is None:
            self._running = candidate, RerunProcess(*self._case(candidate))
            get_logger().info("running the evidence again", candidate=name)
        whose, process = self._running
        waits = f"waits for that of {whose.candidate_id}, of which " if whose.candidate_id != name else ""
        return Rerun(candidate_id=name, state=RerunState.RUNNING, sentence=f"{waits}{process.done:.0%} are over")

    def _collect(self, now: datetime) -> None:
        """Write down what the running one found, if it is over; whoever asked for it may be gone."""
        if self._running is None:
            return
        candidate, process = self._running
        try:
            found = process.answer()
        except BaseException:
            self._running = None
            raise
        if found is not None:
            self._running = None
            self._record(candidate, found, now)

    def close(self) -> None:
        """End what runs; it is undecided."""
        if self._running is not None:
            self._running[1].close()
            self._running = None

    def _case(self, candidate: Candidate) -> tuple[Case, tuple[History, History]]:
        """What to run again, read from the shell's own store. Raises Rejected where the ledger lacks what it starts from."""
        name, stages = candidate.candidate_id, {each.stage: each.inputs for each in candidate.stages}
        scored = [each for each in self._store.candidates.scores(SegmentName.SELECTION) if each.candidate_id == name]
        looked = self._store.looks.vault_look(name)
        if Stage.GATE not in stages or Stage.BACKTEST not in stages or not scored or looked is None:
            raise Rejected(f"{name} has no evidence that could be made again: it has not passed the gate")
        told, _ = from_stored(stages[Stage.GATE])
        candles = str(stages[Stage.BACKTEST]["segment"]["data_hash"])
        own = next((each for each in scored if each.data_hash == candles), scored[0])
        # The segments of the quarters in which it was scored and looked, whatever quarter it is by now.
        selection = self._access.preview(own.scored_at)[SegmentName.SELECTION]
        vault = self._access.preview(looked)[SegmentName.VAULT]
        case = Case(
            source=candidate.proposal.source, incumbent=self._store.strategies.get(told.incumbent.name).source,
            settings=self._settings, cost_stress=self._gate.cost_stress, selection=(selection.start, selection.end),
            vault=(vault.start, vault.end), candles=candles, told=told,
        )
        histories = (
            self._access.seen_before(SegmentName.SELECTION, name, own.scored_at),
            self._access.seen_before(SegmentName.VAULT, name, looked),
        )
        return case, histories

    def _record(self, candidate: Candidate, found: Found, now: datetime) -> Rerun:
        name, source = candidate.candidate_id, candidate.proposal.source
        outcome = HELD if not found.differs else BROKE if found.broke else DIFFERS
        fact: dict[str, Any] = {
            "candidate": name, "outcome": outcome, "check": found.differs, "sentence": found.sentence,
            "same": list(found.same), "program": program_identity(),
        }
        self._store.events.append(KIND, now, fact)
        for step, sentence in found.attempts:
            if step == INCUMBENT:
                active = self._store.strategies.active()
                self._caught(active.source, active.version, sentence, now)
            else:
                self._caught(source, name, sentence, now)
        answer = rerun_of(self._store, name)
        if answer.state is RerunState.REFUSED:
            self._notify(KIND, "critical", answer.sentence, now)
        return answer


def rerun_of(store: Store, candidate_id: str) -> Rerun:
    """What the ledger says of a candidate's rerun; RUNNING while it says nothing that decides."""
    facts = [event for event in store.events.rows(kind=KIND) if event.payload["candidate"] == candidate_id]
    held = next((event for event in facts if event.payload["outcome"] == HELD), None)
    if held is not None:
        return Rerun(candidate_id=candidate_id, state=RerunState.HELD, seq=held.seq)
    refused = [event for event in facts if event.payload["outcome"] == DIFFERS]
    broke = [event for event in facts if event.payload["outcome"] == BROKE]
    if not refused and len(broke) < BROKEN_MAX:
        return Rerun(candidate_id=candidate_id, state=RerunState.RUNNING)
    last = (refused or broke)[-1]
    often = "" if refused else f" ({len(broke)} times)"
    return Rerun(
        candidate_id=candidate_id, state=RerunState.REFUSED, seq=last.seq,
        sentence=(
            f"{candidate_id}: what was reported of it did not come out when the shell ran it again, "
            f"{last.payload['check']}: {last.payload['sentence']}{often}. Either the report was not true, or costs, limits, "
            "candles or the program changed since"
        ),
    )


def require_rerun(store: Store, candidate_id: str) -> int:
    """The number of the fact that says that the evidence came out again. Raises Rejected where it did not, NotNow where it was
    not made again yet."""
    found = rerun_of(store, candidate_id)
    match found.state:
        case RerunState.HELD:
            return found.seq
        case RerunState.REFUSED:
            raise Rejected(found.sentence)
        case RerunState.RUNNING:
            raise NotNow(f"{candidate_id} is not promoted before the shell has run its evidence again: ask for that first")


def _unwatched(_done: int, _total: int) -> None:
    """Nobody looks."""
