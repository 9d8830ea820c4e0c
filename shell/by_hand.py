"""What a person may do by hand, whoever carries the wish: pause and resume openings, close a position, decide on a candidate,
ask for a run, kill. Each goes through the engine and risk like everything else, and is recorded under a name.

Called on the trading thread (`Calls.ask(lambda desk: desk.by_hand...)`), because only the shell writes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from shell.answers import WAITING
from shell.contract import Action, Signal
from shell.errors import NotNow, Rejected
from shell.main_book import MAIN_BOOK
from shell.promotion.permission import decide, note_question, permission
from shell.risk.halts import Halt, HaltKind
from shell.risk.refusal import RefusalCode
from shell.service import Shell
from shell.step_log import log_step
from shell.store.outbox import Notification
from shell.trials.candidate import Stage

REQUEST_FACT = "request.{flow}"
REQUESTED_FLOWS = ("orchestrate",)
APPROVAL_KEY = "approval:"


class ByHand:
    """One shell's answers to a person. `by` is who asked, as it will be recorded."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._store = shell.store

    # -- openings -------------------------------------------------------------------------------------------------

    def pause(self, by: str, now: datetime) -> str:
        """No opening order leaves until somebody resumes; exits and stops go on. Raises NotNow when paused already."""
        engine = self._shell.engine
        if HaltKind.OPERATOR_PAUSE in engine.halts:
            raise NotNow("openings are paused already; /resume allows them again")
        sentence = f"asked for by {by}"
        engine.halt(Halt(kind=HaltKind.OPERATOR_PAUSE, book=MAIN_BOOK, sentence=sentence, raised_at=now))
        self._shell.notices.catch_up(now)
        return "openings are paused; stops and exits go on"

    def resume(self, kind: HaltKind, by: str, now: datetime) -> tuple[str, ...]:
        """Lift one halt; returns those that remain. Raises NotNow when there is none of this kind."""
        self._shell.lift(kind, by, now)
        return tuple(sorted(each.value for each in self._shell.engine.halts))

    def kill(self, reason: str, now: datetime) -> None:
        """The kill switch; killing twice is one halt."""
        self._shell.kill(reason, now)

    # -- positions ------------------------------------------------------------------------------------------------

    def close(self, symbol: str, by: str, now: datetime) -> str:
        """Leave a position at the market, resting orders of its symbol first; returns risk's sentence, or
        why it leaves a little later.

        Raises NotNow when it is not held, Rejected with risk's or the venue's reason.
        """
        if symbol not in self._shell.engine.ledger.positions:
            raise NotNow(f"no {symbol} is held")
        signal = Signal(symbol, Action.CLOSE, reasoning=f"asked for by {by}")
        record = self._shell.engine.by_hand(signal, f"hand:{now:%Y%m%dT%H%M%S%f}", now)
        log_step(record)
        self._shell.notices.of_step(record, now)
        (answer,) = record.answers
        if not answer.approved and answer.code != RefusalCode.EXIT_WAITING.value:
            raise Rejected(f"{answer.code}: {answer.sentence}")
        return answer.sentence

    # -- candidates -----------------------------------------------------------------------------------------------

    def decide(self, candidate_id: str, approved: bool, by: str, now: datetime) -> str:
        """Record a person's decision: the candidate's own run heeds it within a quarter of an hour, else the next night does.

        Raises Rejected for one that is unknown, NotNow for one that has ended.
        """
        return decide(self._store, self._shell.config, candidate_id, approved, by, now)

    def approval(self, candidate_id: str, now: datetime) -> str:
        """Whether this candidate may be promoted as far as people are concerned. Asks them where nobody has decided."""
        said = permission(self._store, self._shell.config, candidate_id, now)
        if said != WAITING:
            return said
        note_question(self._store, candidate_id, now)
        candidate = self._store.candidates.get(candidate_id)
        paper = next((each for each in candidate.stages if each.stage is Stage.PAPER), None)
        shown = "; ".join(paper.reasons) if paper is not None else "it has passed its trial"
        self._shell.notify(
            "approval", "warning", f"{candidate_id} waits for you: {candidate.proposal.hypothesis} ({shown})", now,
            action=f"/approve {candidate_id} or /reject {candidate_id}", key=f"{APPROVAL_KEY}{candidate_id}",
        )
        return WAITING

    # -- runs -----------------------------------------------------------------------------------------------------

    def request_run(self, flow: str, by: str, now: datetime) -> None:
        """Leave a request for the conductor. Raises Rejected for a flow nobody takes requests for."""
        if flow not in REQUESTED_FLOWS:
            raise Rejected(f"{flow!r} cannot be asked for: {', '.join(REQUESTED_FLOWS)} can")
        self._store.facts.set(REQUEST_FACT.format(flow=flow), {"by": by, "at": now.isoformat(), "taken": False}, now)

    def take_request(self, flow: str, now: datetime, *, within: timedelta = timedelta(hours=1)) -> str:
        """Who asked for this flow, once; "" when nobody did, or longer ago than `within`."""
        known: Any = self._store.facts.get(REQUEST_FACT.format(flow=flow))
        if known is None or known["taken"] or now - datetime.fromisoformat(known["at"]) > within:
            return ""
        self._store.facts.set(REQUEST_FACT.format(flow=flow), {**known, "taken": True}, now)
        return str(known["by"])

    # -- messages -------------------------------------------------------------------------------------------------

    def delivered(self, ids: list[int], channel: str, now: datetime) -> None:
        """Say that a channel has told these messages."""
        self._store.outbox.mark_delivered(ids, now, channel)

    def waiting(self, limit: int = 100) -> list[Notification]:
        """Messages that nobody has been told of yet."""
        return list(self._store.outbox.undelivered(limit))
