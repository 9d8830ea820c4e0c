"""The transcript of a rehearsal with incidents: day by day what happened, what people were told of it, and what they did.

Times are those of the account's time zone, because that is what a person's phone shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from deployments.incidents import Incident
from shell.clock import local_day
from shell.home import Home
from shell.notices.kinds import Severity
from shell.store.outbox import Notification

TRANSCRIPT_FILE = "transcript.md"
_LOUD = {Severity.WARNING.value: "**warning**: ", Severity.CRITICAL.value: "**critical**: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person did and saw at one moment, a line each."""

    at: datetime
    lines: tuple[str, ...]


def write_transcript(
    home: Home, incidents: Sequence[Incident], messages: Sequence[Notification], said: Sequence[Said], zone: ZoneInfo, seed: int
) -> Path:
    """Write it into the home's reports; returns the file."""
    path = home.reports / TRANSCRIPT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(transcript_of(incidents, messages, said, zone, seed), encoding="utf-8")
    return path


def transcript_of(
    incidents: Sequence[Incident], messages: Sequence[Notification], said: Sequence[Said], zone: ZoneInfo, seed: int
) -> str:
    """The whole of it as Markdown. Pure."""
    days: dict[date, list[tuple[datetime, int, str]]] = {}

    def put(at: datetime, rank: int, text: str) -> None:
        days.setdefault(local_day(at, zone), []).append((at, rank, text))

    for incident in incidents:
        put(incident.begins, 0, f"- {_hour(incident.begins, zone)} *{incident.story or incident.name}*")
    for message in messages:
        put(message.at, 1, _told(message, zone))
    for each in said:
        put(each.at, 2, "\n".join(f"- {_hour(each.at, zone)} Operator: {line}" for line in each.lines))
    lines = [
        "# A rehearsal with incidents", "",
        f"Seed {seed}; times of {zone.key}. What happens to the system is in *italics*; the rest is what it told, and what its "
        "operator did.",
    ]
    for day in sorted(days):
        lines += ["", f"## {day:%A}, {day.day} {day:%B %Y}", ""]
        lines += [text for _, _, text in sorted(days[day], key=lambda entry: entry[:2]) if text]
    return "\n".join(lines) + "\n"


def _told(message: Notification, zone: ZoneInfo) -> str:
    loud = _LOUD.get(message.severity, "")
    # What to do is said beside what needs doing; below a quiet message it would be noise.
    action = f" -> {message.action}" if loud and message.action else ""
    return f"- {_hour(message.at, zone)} {loud}{message.text}{action}"


def _hour(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"
