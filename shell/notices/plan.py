"""What to send of the messages that wait: in order, collapsed when there are many, held back in quiet hours. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from shell.config import TelegramConfig
from shell.notices.kinds import Severity, kind_of
from shell.store.outbox import Notification

COLLAPSE_FROM = 4
LINES_SHOWN = 3
RATE_WINDOW = timedelta(minutes=1)
_RANK = {Severity.INFO.value: 0, Severity.WARNING.value: 1, Severity.CRITICAL.value: 2}
MUTED, COLLAPSED = "muted", "collapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One message as it is sent: it stands for the notifications `ids`, the first of them of `at`. `silent` ones make no
    sound on the phone."""

    ids: tuple[int, ...]
    kind: str
    severity: str
    lines: tuple[str, ...]
    action: str
    silent: bool
    at: datetime
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`parcels` go out now, in order; nobody is told of `muted`; `held` wait for the end of the quiet hours."""

    parcels: tuple[Parcel, ...]
    muted: tuple[int, ...]
    held: int


def plan(
    waiting: Sequence[Notification], config: TelegramConfig, zone: ZoneInfo, now: datetime, sent: Sequence[datetime]
) -> Plan:
    """What to do with `waiting`, oldest first. `sent` are the moments messages went out; those of the last minute count
    towards `messages_per_minute`, which holds nothing back that is urgent."""
    quiet = is_quiet(config, zone, now)
    muted = tuple(each.id for each in waiting if each.kind in config.muted and not is_urgent(each))
    left = [each for each in waiting if each.id not in set(muted)]
    ready = [each for each in left if is_urgent(each) or not quiet]
    room = config.messages_per_minute - sum(now - at < RATE_WINDOW for at in sent)
    parcels = []
    for parcel in collapse(ready):
        if room <= 0 and not _urgent(parcel.kind, parcel.severity):
            continue
        room -= 1
        parcels.append(parcel)
    return Plan(parcels=tuple(parcels), muted=muted, held=len(left) - len(ready))


def is_urgent(message: Notification) -> bool:
    """Told at any hour, whatever is switched off: what is critical, and every halt."""
    return _urgent(message.kind, message.severity)


def is_quiet(config: TelegramConfig, zone: ZoneInfo, now: datetime) -> bool:
    """Whether `now` lies in the quiet hours, which may go over midnight; equal ends are none."""
    begin, end = _hour(config.quiet_from), _hour(config.quiet_until)
    if begin is None or end is None or begin == end:
        return False
    local = now.astimezone(zone).time()
    return begin <= local < end if begin < end else local >= begin or local < end


def collapse(ready: Sequence[Notification]) -> list[Parcel]:
    """One parcel a message, but one for all of a kind that are not urgent where many wait; the place is that of the first."""
    counts: dict[str, list[Notification]] = {}
    for message in ready:
        if not is_urgent(message):
            counts.setdefault(message.kind, []).append(message)
    many = {kind: messages for kind, messages in counts.items() if len(messages) >= COLLAPSE_FROM and kind != "approval"}
    parcels, done = [], set()
    for message in ready:
        if message.kind not in many or is_urgent(message):
            parcels.append(_single(message))
        elif message.kind not in done:
            done.add(message.kind)
            parcels.append(_many(many[message.kind]))
    return parcels


def _single(message: Notification) -> Parcel:
    return Parcel(
        ids=(message.id,), kind=message.kind, severity=message.severity, lines=(message.text,), action=message.action,
        silent=message.severity == Severity.INFO.value and not is_urgent(message), at=message.at,
        key=message.key,
    )


def _many(messages: Sequence[Notification]) -> Parcel:
    kind = kind_of(messages[0].kind)
    loudest = max(messages, key=lambda message: _RANK.get(message.severity, 0))
    shown = messages[-LINES_SHOWN:]
    left_out = len(messages) - len(shown)
    lines: tuple[str, ...] = (f"{len(messages)} {kind.many} since {messages[0].at:%H:%M} UTC, the last of them:",)
    lines += tuple(message.text for message in shown)
    lines += (f"and {left_out} before",) if left_out else ()
    return Parcel(
        ids=tuple(message.id for message in messages), kind=kind.name, severity=loudest.severity, lines=lines,
        action=loudest.action or kind.action, silent=loudest.severity == Severity.INFO.value, at=messages[0].at,
    )


def _urgent(kind: str, severity: str) -> bool:
    return severity == Severity.CRITICAL.value or kind_of(kind).urgent


def _hour(text: str) -> time | None:
    return time.fromisoformat(text) if text else None
