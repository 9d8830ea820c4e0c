"""What each place of a night had to work with, and which questions were not paid for: facts of the event log.

A night that models made cannot be run again without them: where the money was short, or a key was missing, no call was made
that would tell. The same told again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shell.store.canonical import canonical
from shell.store.database import Database
from shell.store.events import Event, EventLog
from shell.store.night_inputs import NightInputs

ROLE, REFUSED = "ai_role", "ai_refused"


class ModelRoles:
    """Facts of the night that is on: both kinds are looked for behind its inputs."""

    def __init__(self, database: Database, events: EventLog, inputs: NightInputs) -> None:
        self._database, self._events, self._inputs = database, events, inputs

    def tell(self, night: str, place: str, told: Mapping[str, Any], at: datetime) -> None:
        """A place of the night, such as "decide" or "generate:0", and what it was given."""
        self._tell(ROLE, {"night": night, "place": place, **told}, at)

    def refuse(self, night: str, slot: str, request_hash: str, reason: str, at: datetime) -> None:
        """A question for which no money was reserved, and the sentence that says why."""
        self._tell(REFUSED, {"night": night, "slot": slot, "request": request_hash, "reason": reason}, at)

    def of(self, night: str, kind: str, after: int, until: int | None) -> list[Event]:
        """Facts of one night and kind behind fact number `after`, up to `until` (None: the end)."""
        return [
            each for each in self._events.rows(kind=kind, after=after)
            if each.payload["night"] == night and (until is None or each.seq <= until)
        ]

    def _tell(self, kind: str, payload: Mapping[str, Any], at: datetime) -> None:
        with self._database.transaction() as connection:
            attempts = self._inputs.of(str(payload["night"]))
            if attempts:
                known = self.of(str(payload["night"]), kind, int(attempts[-1].inputs["events"]), None)
                if any(canonical(each.payload) == canonical(payload) for each in known):
                    return
            self._events.chain(connection).append(kind, at, payload, "main")
