"""Notes by which an operator allocates capital to a running shell, or takes it away: only the shell writes its database (D11).

Money that merely arrives in the account is external (D12). It becomes the system's by such a note alone.
"""

from __future__ import annotations

import json
import os
import secrets
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
    notes = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            given = json.loads(line)
            amount, at = Decimal(given["amount"]), datetime.fromisoformat(given["at"])
            if amount.is_finite() and amount and at.tzinfo is not None:
                notes.append(CapitalNote(note_id=str(given["id"]), amount=amount, at=at))
        except (ValueError, KeyError, TypeError, InvalidOperation):
            continue
    return notes


def forget_notes(home: Home) -> None:
    """All of them were heeded: each is remembered in the database, so one left by accident counts no second time."""
    home.database.with_name(FILE).unlink(missing_ok=True)
