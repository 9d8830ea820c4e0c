"""What a report shows, as plain values: no store, no market book and no clock behind them.

Conventions: money and prices are quote units (Decimal where booked, float where drawn); every `_pct` is a fraction;
times are aware UTC. Strings come from strategies, models and people and are escaped by whoever renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shell.report.memory import MemoryRows

Series = tuple[tuple[datetime, float], ...]
Value = float | int | str | bool | Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One completed trade, entry to flat. `pnl` is net of `fees`, `pnl_pct` its fraction of the entry cost."""

    symbol: str
    opened: datetime
    closed: datetime
    entry: Decimal
    exit: Decimal
    qty: Decimal
    pnl: Decimal
    pnl_pct: float
    fees: Decimal
    exit_purpose: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """A position still open when the period ended; `price` is the last one seen, `unrealised` is before exit fees."""

    symbol: str
    qty: Decimal
    entry: Decimal
    price: Decimal
    unrealised: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    opened: datetime
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """One execution, drawn on the price. `side` is buy or sell; `purpose` entry, exit, stop or target, if known."""

    symbol: str
    at: datetime
    side: str
    price: Decimal
    qty: Decimal
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightRow:
    """One night's decision and why. `night` is the New York date; `incumbent` the version active when it was taken."""

    night: str
    decision: str
    reasons: tuple[str, ...] = ()
    candidate_ids: tuple[str, ...] = ()
    incumbent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check of the gate: what was measured, what was asked for, and the sentence that says so. A `skipped` one was not
    made, because a cheaper check had failed: it has not passed either."""

    name: str
    passed: bool
    value: Value
    threshold: Value
    sentence: str
    skipped: bool = False

    @property
    def result(self) -> str:
        """What became of it, in a word or two."""
        if self.skipped:
            return "not made"
        return "passed" if self.passed else "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A paper trial: it shows conformance (paper does what the backtest said), never skill. None: not known yet."""

    trial_id: str
    state: str
    started: datetime | None = None
    due: datetime | None = None
    scans: int | None = None
    signals_paper: int | None = None
    signals_backtest: int | None = None
    signals_equal: int | None = None
    fills_paper: int | None = None
    fills_backtest: int | None = None
    fills_equal: int | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """One candidate's life. `stage` is the last it reached; `figures` are the key numbers it was judged on."""

    candidate_id: str
    night: str
    hypothesis: str
    change_class: str
    provider: str
    verdict: str
    stage: str
    reasons: tuple[str, ...] = ()
    checks: tuple[CheckRow, ...] = ()
    figures: Mapping[str, Value] = field(default_factory=dict)
    paper: PaperRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """How long until the data can decide about one strategy. Sharpe ratios are per day; `more_days` is None when no record
    would be long enough, `paper_power` the chance that a week of paper trading shows it above zero."""

    name: str
    have_days: int
    daily_sharpe: float
    bar_sharpe: float
    more_days: int | None
    paper_power: float | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRow:
    """A change of the active version; `rollback` when it went back. `figures` are the numbers behind it."""

    at: datetime
    version: str
    previous: str
    candidate_id: str
    hash: str
    rollback: bool = False
    reason: str = ""
    figures: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRow:
    """How often signals were refused with one code, and one of the sentences given."""

    code: str
    count: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRow:
    """A halt of opening orders; `lifted_at` is None while it stands."""

    kind: str
    sentence: str
    raised_at: datetime
    lifted_at: datetime | None = None
    lifted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """A hole in the market data: reported, never bridged. `bars` is how many 5-minute bars are missing."""

    symbol: str
    begins: datetime
    ends: datetime
    bars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """A strategy that raised, hung, died or answered nonsense."""

    at: datetime
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much happened in the period."""

    scans: int = 0
    signals: int = 0
    orders: int = 0
    fills: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything a report shows.

    `real` is False for any invented market, `planted_edge` True when an edge was put into it on purpose. `metrics` are
    those of `shell.truth`, `unanswered` says why one has no value, the groups are of closed trades; `statistics` those of
    the `backtesting` library, if it was run; `settings` maps a section to names and texts for people; `trials` tells how
    many trials were made, `memory` what is remembered of them; `quality` holds sentences about the data, `notes` about the
    run. `partial` says that the run was stopped before its end.
    """

    title: str
    start: datetime
    end: datetime
    mode: str
    source: str
    real: bool
    symbols: tuple[str, ...]
    starting_value: Decimal
    final_value: Decimal
    planted_edge: bool = False
    quote: str = "USD"
    seed: int | None = None
    metrics: Mapping[str, Value] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)
    by_symbol: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    by_version: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    equity: Series = ()
    buy_and_hold: Series = ()
    prices: Mapping[str, Series] = field(default_factory=dict)
    trades: tuple[TradeRow, ...] = ()
    positions: tuple[PositionRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    fees_total: Decimal = Decimal(0)
    fees_by_symbol: Mapping[str, Decimal] = field(default_factory=dict)
    nights: tuple[NightRow, ...] = ()
    candidates: tuple[CandidateRow, ...] = ()
    promotions: tuple[PromotionRow, ...] = ()
    evidence: tuple[EvidenceRow, ...] = ()
    trials: str = ""
    memory: MemoryRows = field(default_factory=MemoryRows)
    refusals: tuple[RefusalRow, ...] = ()
    halts: tuple[HaltRow, ...] = ()
    gaps: tuple[GapRow, ...] = ()
    faults: tuple[FaultRow, ...] = ()
    quality: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    counts: Counts = Counts()
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    statistics: Mapping[str, Value] = field(default_factory=dict)
    event_log_hash: str = ""
    partial: bool = False
