"""Halts: persistent reasons why no opening order may leave (I6). Raised by arithmetic or by a person, lifted by a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class HaltKind(str, Enum):
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    CONSECUTIVE_LOSSES = "CONSECUTIVE_LOSSES"
    KILL_SWITCH = "KILL_SWITCH"
    LIMITS_CHANGED = "LIMITS_CHANGED"
    BOOKS_DIFFER = "BOOKS_DIFFER"
    STRATEGY_FAULTS = "STRATEGY_FAULTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """One active halt of one book. `sentence` tells a person what was measured against which limit."""

    kind: HaltKind
    book: str
    sentence: str
    raised_at: datetime
