"""What a history allows: its three segments, the quarter's search budget on them, and how the trial ledger stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deployments.opening import SOURCE_FACT, settings_for
from shell.clock import from_ms
from shell.config import OrchestratorConfig
from shell.errors import DataError
from shell.home import Home
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.check import DataReport
from shell.store.candles import CandleStore
from shell.store.ledger_check import LedgerCheck, check_ledger
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.budget import Budget, trials_allowed
from shell.trials.segments import Segment, SegmentName, next_quarter, quarter_name, split

NOTHING_IS_PROMOTED = "nothing is searched, scored or promoted before there is more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The segments as of the newest candle. `segments` is empty and `refusal` set when history is too short; `ledger` is
    None for a data folder, which has none."""

    segments: dict[SegmentName, Segment]
    budget: Budget | None
    refusal: str = ""
    ledger: LedgerCheck | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "segments": {name.value: segment.as_dict() for name, segment in self.segments.items()} or None,
            "segments_refusal": self.refusal, "budget": self.budget.as_dict() if self.budget else None,
            "ledger": self.ledger.as_dict() if self.ledger else None,
        }


def standing_of_folder(report: DataReport, config: OrchestratorConfig) -> Standing:
    """What the 5-minute candles of a checked folder would allow, were nights to begin at their newest."""
    spans = [(each.first, each.last) for each in report.series if each.tier is Tier.M5]
    try:
        if not spans or any(first is None or last is None for first, last in spans):
            raise DataError("there are no 5m candles to lay out in segments")
        first = max(first for first, _ in spans if first is not None)
        last = min(last for _, last in spans if last is not None) + timedelta(milliseconds=Tier.M5.ms)
        parts = dict(split(first=first, last=last, anchor=last, config=config))
    except DataError as error:
        return Standing(segments={}, budget=None, refusal=f"{error}; {NOTHING_IS_PROMOTED}")
    days, target = parts[SegmentName.SELECTION].days, config.target_annual_sharpe
    budget = Budget(
        quarter=quarter_name(last), days=days, target_annual_sharpe=target, allowed=trials_allowed(days, target), spent=0,
        renewed_at=next_quarter(last),
    )
    return Standing(segments=parts, budget=budget)


def standing_of_home(home: Home, store: Store) -> Standing:
    """The segments a home has recorded for the quarter of its newest candle, or would record now. Nothing is written."""
    settings, candles = settings_for(home), CandleStore(store)
    ledger = check_ledger(store)
    # A home trades what its settings name; a rehearsal's was told otherwise and holds what it traded.
    named = [symbol for symbol in settings.account.symbols if candles.span(symbol, Tier.M5) is not None]
    symbols = named if len(named) == len(settings.account.symbols) else candles.symbols()
    label = (store.facts.get(SOURCE_FACT) or "imported candles|real").partition("|")
    access = HistoryAccess(
        store, candles, Archive(home.archive), symbols=symbols, config=settings.orchestrator, source=label[0],
        real=label[2] == "real",
    )
    try:
        now = newest_close(candles, symbols)
        return Standing(segments=dict(access.preview(now)), budget=access.budget(now), ledger=ledger)
    except DataError as error:
        return Standing(segments={}, budget=None, refusal=f"{error}; {NOTHING_IS_PROMOTED}", ledger=ledger)


def newest_close(candles: CandleStore, symbols: list[str]) -> datetime:
    """The moment up to which every symbol has 5-minute candles. Raises DataError where one has none."""
    bars = {symbol: candles.last(symbol, Tier.M5) for symbol in symbols}
    if not bars or any(bar is None for bar in bars.values()):
        raise DataError("there are no 5m candles to lay out in segments")
    return from_ms(min(bar.close_ms for bar in bars.values() if bar is not None))
