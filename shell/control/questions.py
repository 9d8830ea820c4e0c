"""What the control API asks of the desk beyond the ShellClient's methods: slots, halts, moments. On the trading thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shell.answers import ScanOutcome
from shell.clock import require_utc
from shell.desk import Desk
from shell.errors import BadInput, NotNow, UsageError
from shell.service import MAIN_BOOK

SLOT_AHEAD_MAX = timedelta(days=1)
# A flow is begun by another clock and another process: what is this little ahead of the shell is waited for.
AHEAD_MAX = timedelta(minutes=2)
EARLIEST, LATEST = 2000, 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotState:
    """A slot as the shell knows it; `outcome` once it has been scanned."""

    slot: datetime
    state: str
    outcome: ScanOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Halts:
    """Which halts stand."""

    halted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A person's word about a candidate, as it was recorded; `told` says what follows from it."""

    candidate_id: str
    approved: bool
    told: str


def register(desk: Desk, slot: datetime) -> SlotState:
    """Note that a conductor will report on `slot`. Registering again, or after the scan, is harmless.

    Raises BadInput for a slot more than a day ahead or not at a full minute.
    """
    shell = desk.shell
    if slot.second or slot.microsecond:
        raise BadInput(f"{slot.isoformat()} is no slot: slots lie at full minutes")
    if slot > shell.now + SLOT_AHEAD_MAX:
        raise BadInput(f"the slot {slot:%Y-%m-%d %H:%M} UTC lies more than a day ahead of {shell.now:%Y-%m-%d %H:%M}")
    if not passed(desk, slot):
        shell.slots.register(slot)
    return slot_state(desk, slot)


def slot_state(desk: Desk, slot: datetime) -> SlotState:
    """Scanned (with what became of it), missed (later slots were scanned), or waiting."""
    store = desk.shell.store
    if store.scans.get(MAIN_BOOK, slot) is not None:
        return SlotState(slot=slot, state="scanned", outcome=store.scans.outcome(MAIN_BOOK, slot, already_done=True))
    return SlotState(slot=slot, state="missed" if passed(desk, slot) else "waiting")


def passed(desk: Desk, slot: datetime) -> bool:
    """Whether this slot or a later one has been scanned."""
    last = desk.shell.engine.last_scan
    return last is not None and slot <= last


def halts(desk: Desk) -> Halts:
    return Halts(halted=desk.shell.status().halted)


def decided(desk: Desk, candidate_id: str, approved: bool, by: str) -> Decided:
    """Record a person's word. Raises Rejected for an unknown candidate, NotNow for one that has ended."""
    told = desk.by_hand.decide(candidate_id, approved, by, desk.shell.now)
    return Decided(candidate_id=candidate_id, approved=approved, told=told)


def require_sane(value: Any) -> None:
    """Raises BadInput for a time without a zone, or one no record of ours can have, anywhere in `value`."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise BadInput(f"a time without a zone was given: {value.isoformat()}")
        if not EARLIEST <= value.year < LATEST:
            raise BadInput(f"{value.isoformat()} lies outside the years {EARLIEST} to {LATEST}")
    elif isinstance(value, dict):
        for each in value.values():
            require_sane(each)
    elif isinstance(value, list | tuple):
        for each in value:
            require_sane(each)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            require_sane(getattr(value, name))


def require_reached(desk: Desk, now: datetime) -> bool:
    """Whether the shell has come to `now`; False while it is so near that waiting will do.

    Raises UsageError for a moment further ahead: the shell records what was, and moves no clock for anybody.
    """
    present = desk.shell.now
    if require_utc(now) <= present:
        return True
    if now - present > AHEAD_MAX:
        raise UsageError(f"{now:%Y-%m-%d %H:%M} UTC lies in the future: the shell stands at {present:%Y-%m-%d %H:%M} UTC")
    return False


def missed(state: SlotState) -> NotNow:
    """The refusal for a slot that will not be scanned any more."""
    return NotNow(f"the slot {state.slot:%Y-%m-%d %H:%M} UTC was not scanned, and later ones were: it stays a gap")
