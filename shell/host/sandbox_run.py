"""One walk over a sample market, and where two walks that should be the same are not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from shell.contract import Signal

SHOWN_CHARS_MAX = 80

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class Run:
    """Each scan's signals, as given and as JSON rows; the state in the middle if it was asked for, and that at the end."""

    interval: int = 0
    scans: list[Sequence[Signal]] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    middle: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    def take(self, signals: Sequence[Signal], timestamp: str) -> Sequence[Signal]:
        """Keep the answer to one scan; returns it."""
        self.scans.append(signals)
        self.rows.append([_row(signal, timestamp) for signal in signals])
        return signals

    def first(self, count: int) -> Run:
        """The first `count` scans of this run, to be continued by another process."""
        return Run(scans=self.scans[:count], rows=self.rows[:count])

    def answers_hash(self) -> str:
        """Covers every signal, the state at the end and the scan interval; 16 hex digits."""
        answers = {"scans": self.rows, "state": self.state, "interval": self.interval}
        return hashlib.sha256(json.dumps(answers, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def difference(one: Run, other: Run) -> tuple[int, str] | None:
    """(number of the first scan that differs, where and how); what comes after the last scan counts as one more. None where
    all is the same."""
    for number, (mine, theirs) in enumerate(zip(one.rows, other.rows, strict=True), start=1):
        if mine != theirs:
            return number, f"at scan {number}: {_how(mine, theirs)}"
    if one.state != other.state:
        return len(one.rows) + 1, f"in the state at the end: {first_difference(one.state, other.state)}"
    if one.interval != other.interval:
        return len(one.rows) + 1, f"in scan_interval_minutes: {one.interval} and {other.interval}"
    return None


def first_difference(one: Any, other: Any, where: str = "state") -> str:
    """The first place at which two JSON values differ, and both values there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            if key not in one or key not in other:
                return f"{where}[{key!r}] is in one of them only"
            if one[key] != other[key]:
                return first_difference(one[key], other[key], f"{where}[{key!r}]")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            if mine != theirs:
                return first_difference(mine, theirs, f"{where}[{number}]")
    return f"{where} is {_cut(one)} and {_cut(other)}"


def _how(mine: Rows, theirs: Rows) -> str:
    """The signals themselves, or one field of one signal."""
    if [(row["action"], row["symbol"]) for row in mine] != [(row["action"], row["symbol"]) for row in theirs]:
        return f"{_names(mine)} and {_names(theirs)}"
    for row, other in zip(mine, theirs, strict=True):
        for name, value in row.items():
            if other[name] != value:
                return f"{row['action']} {row['symbol']} has {name} {_cut(value)} and {_cut(other[name])}"
    return "in nothing that can be shown"


def _names(rows: Rows) -> str:
    return ", ".join(f"{row['action']} {row['symbol']}" for row in rows) or "no signal"


def _cut(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…"


def _row(signal: Signal, timestamp: str) -> dict[str, Any]:
    row: dict[str, Any] = {"timestamp": timestamp}
    for name in Signal.__slots__:
        value = getattr(signal, name)
        row[name] = value.value if isinstance(value, Enum) else value
    return row
