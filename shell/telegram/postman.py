"""Delivery of the outbox: in order, to every owner, at least once, at the pace Telegram bears.

Messages are read from the database and marked through the trading thread; while that is busy they are remembered as sent,
and are repeated only if the process dies in between.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from shell.by_hand import APPROVAL_KEY
from shell.desk import Desk
from shell.errors import NotNow, OutcomeUnknown
from shell.notices.kinds import Severity
from shell.notices.plan import MUTED, Parcel, plan
from shell.store.outbox import Notification
from shell.store.place import open_store
from shell.store.store import Store
from shell.telegram.answers import owner_buttons
from shell.telegram.books import Reader
from shell.telegram.text import Button, bold, plain

READ_AT_ONCE = 300
MARK_SECONDS = 5.0
LATE_SECONDS = 120
CHANNEL = "telegram"
_LOUD = {Severity.WARNING.value: "⚠ Warning", Severity.CRITICAL.value: "‼ Critical"}


class Postman:
    """What is still to be sent and what was, in the bot's own thread. `parcels` and `mark` block; the line does not."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._zone = ZoneInfo(reader.settings.account.timezone)
        self._store: Store | None = None
        self._sent_at: deque[datetime] = deque(maxlen=200)
        self._unmarked: dict[int, str] = {}
        self._reached: dict[tuple[int, ...], set[int]] = {}

    def parcels(self) -> tuple[Parcel, ...]:
        """What is to go out now. Opens the database at first; the shell made it before anything beside it began."""
        if self._store is None:
            self._store = open_store(self._reader.home, read_only=True)
        now = self._reader.clock.now()
        waiting: list[Notification] = [
            each for each in self._store.outbox.undelivered(READ_AT_ONCE) if each.id not in self._unmarked
        ]
        if not waiting:
            return ()
        found = plan(waiting, self._reader.settings.telegram, self._zone, now, self._sent_at)
        self._unmarked.update(dict.fromkeys(found.muted, MUTED))
        return found.parcels

    def still_to_reach(self, parcel: Parcel) -> list[int]:
        """The owners who have not got this parcel yet."""
        return [owner for owner in self._reader.settings.telegram.owner_ids if owner not in self._reached.get(parcel.ids, ())]

    def reached(self, parcel: Parcel, owner: int) -> None:
        self._reached.setdefault(parcel.ids, set()).add(owner)

    def done(self, parcel: Parcel) -> bool:
        """Everybody who can be reached has it: true, and it will be marked, when at least one did."""
        if not self._reached.pop(parcel.ids, None):
            return False
        self._sent_at.append(self._reader.clock.now())
        self._unmarked.update(dict.fromkeys(parcel.ids, CHANNEL))
        return True

    def mark(self) -> None:
        """Have written down what was sent. A busy shell is asked again the next time."""
        for channel in sorted(set(self._unmarked.values())):
            ids = [number for number, told in self._unmarked.items() if told == channel]
            try:
                self._reader.calls.ask(partial(_mark, ids, channel, self._reader.clock.now()), seconds=MARK_SECONDS)
            except (NotNow, OutcomeUnknown):
                return
            for number in ids:
                del self._unmarked[number]

    @property
    def to_mark(self) -> bool:
        return bool(self._unmarked)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _mark(ids: list[int], channel: str, now: datetime, desk: Desk) -> None:
    desk.by_hand.delivered(ids, channel, now)


def rendered(parcel: Parcel, now: datetime) -> tuple[str, tuple[tuple[Button, ...], ...]]:
    """A parcel as a message: how loud, what, when if that is a while ago, and what to do."""
    loud = _LOUD.get(parcel.severity)
    head, *rest = parcel.lines
    lines = [f"{bold(loud)}: {plain(head)}" if loud else plain(head), *(plain(line) for line in rest)]
    if (now - parcel.at).total_seconds() >= LATE_SECONDS:
        lines.append(f"<i>{parcel.at:%Y-%m-%d %H:%M} UTC</i>")
    lines.append(f"→ {plain(parcel.action)}")
    asked = parcel.kind == "approval" and parcel.key.startswith(APPROVAL_KEY)
    buttons = (owner_buttons(parcel.key.removeprefix(APPROVAL_KEY)),) if asked else ()
    return "\n".join(lines), buttons
