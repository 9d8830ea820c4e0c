"""A witness beside the database of how far it had come: what tells that somebody put an older copy in its place.

A copy that lost orders is found out by the account. One that lost nothing but a halt, an accepted limit or a capital event
looks whole, and would trade on although a person had stopped it.
"""

from __future__ import annotations

import os
from pathlib import Path

from shell.log import get_logger
from shell.store.events import EventLog

NAME = "events-witness"


class Witness:
    """The number and hash of a fact that the database had, in a file of `folder`. For the process that writes the database."""

    def __init__(self, folder: Path, events: EventLog) -> None:
        self._path = folder / NAME
        self._events = events

    def note(self) -> None:
        """Remember the newest fact. A file that cannot be written is told in the log, and the older one goes on."""
        written = self._path.with_suffix(".new")
        seq, head = self._events.newest()
        try:
            written.write_text(f"{seq} {head}\n", encoding="ascii")
            os.replace(written, self._path)
        except OSError as error:
            get_logger().warning("the witness of the database could not be written", path=str(self._path), reason=str(error))

    def contradicts(self) -> str:
        """Why the database is not the one, or is an older copy of the one, that was here before; empty where it goes on."""
        try:
            seq, _, digest = self._path.read_text(encoding="ascii").strip().partition(" ")
        except (OSError, UnicodeDecodeError):
            return ""
        if not seq.isdecimal() or self._events.has(int(seq), digest):
            return ""
        return (
            f"the database is an older copy, or another one: it does not have the fact {seq} that was noted beside it. What it "
            "forgot besides orders (a halt, accepted limits, capital) nobody knows; look, and then lift this halt"
        )
