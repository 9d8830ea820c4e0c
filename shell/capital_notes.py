"""Notes by which an operator allocates capital to a running shell, or takes it away: only the shell writes its database (D11).

Money that merely arrives in the account is external (D12). It becomes the system's by such a note alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from shell.errors import BadInput
from shell.home import Home

FILE = "brain.capital"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalNote:
    """One request. `amount` is negative to take away. `note_id` makes it count once, however often it is read."""

    note_id: str
    amount: Decimal
    at: datetime


def leave_note(home: Home, amount: Decimal, at: datetime) -> CapitalNote:
    """Append a request; it is on the disk when this returns. Raises BadInput where the home cannot be written."""
    note = CapitalNote(note_id=secrets.token_hex(8), amount=amount, at=at)
    line = json.dumps({"id": note.note_id, "amount": f"{amount:f}", "at": at.isoformat()}) + "\n"
    try:
        with home.database.with_name(FILE).open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BadInput(f"the note cannot be left in {home.root}: {error.strerror}") from None
    return note


def take_notes(home: Home) -> list[CapitalNote]:
    """The requests that wait, oldest first, a broken line left out. They stay until `forget_notes`."""
    path = home.database.with_name(FILE)
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        # Not while one is being left: half a line is no note.
        fcntl.flock(file, fcntl.LOCK_SH)
        found = [_note_of(line) for line in file]
    return [note for note in found if note is not None]


def forget_notes(home: Home, heeded: Collection[str]) -> None:
    """Take those notes away, and lines that are none; what was left meanwhile stays.

    Each is remembered in the database, so one that stays by accident counts no second time. The file itself stays, or a note
    could be left in one that is gone.
    """
    with home.database.with_name(FILE).open("r+", encoding="utf-8", errors="replace") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        notes = [(line, _note_of(line)) for line in file]
        left = [line for line, note in notes if note is not None and note.note_id not in heeded]
        file.seek(0)
        file.truncate()
        file.writelines(left)
        file.flush()
        os.fsync(file.fileno())


def _note_of(line: str) -> CapitalNote | None:
    try:
        given = json.loads(line)
        amount, at = Decimal(given["amount"]), datetime.fromisoformat(given["at"])
        if amount.is_finite() and amount and at.tzinfo is not None:
            return CapitalNote(note_id=str(given["id"]), amount=amount, at=at)
    except (ValueError, KeyError, TypeError, InvalidOperation):
        pass
    return None
