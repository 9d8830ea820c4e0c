"""What the shell answers to those who ask it: plain values, the same in process and over a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shell.host.port import StrategySource

# What a person says of a candidate's promotion; "waiting" until somebody did.
APPROVED, REJECTED, WAITING = "approved", "rejected", "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveStrategy:
    version: str
    hash: str
    source: StrategySource
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The shell's own account of itself; floats are for display."""

    mode: str
    now: datetime
    halted: tuple[str, ...]
    cash: float
    total_value: float
    starting_value: float
    day_pnl: float
    drawdown_pct: float
    trades_closed: int
    positions: tuple[Mapping[str, Any], ...]
    active: ActiveStrategy
    last_scan: datetime | None
    scan_interval_minutes: int = 5
    # The part of the capital that the active version has earned (live mode), and the days without a breach it has to show.
    capital_share_pct: float = 1.0
    capital_days: int = 0
    capital_days_needed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """What a book was worth at a moment, in the account's currency; for display."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    slot: datetime
    origin: str
    signals: int
    approved: int
    answers: tuple[Mapping[str, Any], ...]
    already_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrial:
    trial_id: str
    candidate_id: str
    started_at: datetime
    due_at: datetime
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """Does paper do what the backtest said? Compared per scan and per fill over the trial's own window."""

    trial_id: str
    passed: bool
    extended_until: datetime | None
    scans: int
    signals_paper: int
    signals_backtest: int
    signals_equal: int
    fills_paper: int
    fills_backtest: int
    fills_equal: int
    reasons: tuple[str, ...]


class RerunState(StrEnum):
    """RUNNING: ask again. HELD: what was reported came out again. REFUSED: it did not, for good."""

    RUNNING = "running"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """A candidate's evidence, made again by the shell. `seq` is the number of the fact that decided, 0 before."""

    candidate_id: str
    state: RerunState
    sentence: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    candidate_id: str
    version: str
    previous: str
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One row of the strategy index."""

    version: str
    hash: str
    parent: str
    hypothesis: str
    promoted_at: datetime | None
    state: str
