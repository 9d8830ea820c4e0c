"""A home that lives nights with its real store, desk, host and models over HTTP, and without Prefect: the flows' steps in their
order (`flows/orchestrate.py`, `flows/evolve.py`), where what a night does is to be seen and not who conducts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.opening import OpenHome, account_overrides, furnish, open_replay, settings_for
from shell.clock import VirtualClock
from shell.desk import Desk
from shell.home import Home
from shell.host.port import StrategySource
from shell.market.history import History
from shell.trials.candidate import Stage
from tasks.costs import costs_of
from tasks.decide import decide_and_keep
from tasks.document import add_note
from tasks.life import live, stage_of
from tasks.night import CandidateOutcome, Decision, NightRecord, Settlement, night_of
from tasks.notify import send_headline
from tasks.outcome import outcome_of
from tasks.paper import due_trials, settle_trial, start_trial
from tasks.promote import promote_candidate, ready
from tasks.report import write_report
from tasks.settlements import answered, settled


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where the nights are: a home, what its settings say besides the defaults, and a market until `end`."""

    home: Home
    settings: Mapping[str, Any]
    history: History
    end: datetime

    def furnished(self, active: StrategySource) -> World:
        """The same, with `active` as what runs at first."""
        furnish(self.home)
        (self.home.workspace / "active" / "strategy.py").write_text(active.code)
        return self

    @contextmanager
    def opened(self, at: datetime) -> Iterator[OpenHome]:
        """The home, held by this process from `at` on."""
        overrides = {**account_overrides(self.history.symbols), **self.settings}
        held = open_replay(self.home, settings_for(self.home, overrides), self.history, at, self.end)
        try:
            held.shell.start(at)
            yield held
        finally:
            held.close()


def desk_at(opened: OpenHome, at: datetime, kind: type[Desk] = Desk) -> Desk:
    """A desk that stands at `at`: one slot is scanned, once, and the month that money is spent in is that of the night."""
    opened.shell.step(at, origin="rehearsal")
    return kind(opened.shell, VirtualClock(at))


def live_night(desk: Desk, at: datetime, seed: int, provider: str = "") -> NightRecord:
    """One night from its first question to its message. Only the parity check is left out: it starts a process a night."""
    settlements = _settle(desk, at)
    decision = decide_and_keep(desk, at, provider, seed)
    outcomes = _evolve(desk, decision, at, seed)
    record = NightRecord(
        night=night_of(at), at=at, decision=decision, settlements=settlements, outcomes=outcomes,
        performance=desk.performance(at), active_version=desk.active_strategy().version,
        aggregated=desk.aggregate(at), costs=costs_of(desk, at),
    )
    add_note(desk, record)
    write_report(desk, record)
    send_headline(desk, record)
    return record


def _settle(desk: Desk, at: datetime) -> tuple[Settlement, ...]:
    judged = [settled(trial, settle_trial(desk, trial, at)) for trial in due_trials(desk, at)]
    done = [each.candidate_id for each in judged if each.conformance.passed]
    for candidate_id in dict.fromkeys([*done, *ready(desk)]):
        judged = answered(judged, promote_candidate(desk, candidate_id, at))
    return tuple(judged)


def _evolve(desk: Desk, decision: Decision, at: datetime, seed: int) -> tuple[CandidateOutcome, ...]:
    outcomes = []
    for item in decision.items:
        outcome = live(desk, item, at, seed)
        if outcome.candidate_id is not None:
            gate = stage_of(desk.candidate(outcome.candidate_id), Stage.GATE)
            if gate is not None and gate.passed:
                trial = start_trial(desk, outcome.candidate_id, at)
                outcome = outcome_of(desk.candidate(outcome.candidate_id), outcome.looks, trial=trial)
        outcomes.append(outcome)
    return tuple(outcomes)
