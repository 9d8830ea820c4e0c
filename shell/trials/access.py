"""Access to history by segment: full resolution out of store and archive, the vault only once a candidate and logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from shell.clock import from_ms, parse_moment, to_ms
from shell.config import OrchestratorConfig
from shell.errors import DataError, UsageError
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.history import History
from shell.market.tiers import full_history
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.trials.segments import Segment, SegmentName, anchor_for, split

ANCHOR_FACT = "segments.anchor"
# What a strategy may look back on at the start of a segment: the longest window the 5m tier gives.
WARM_UP = timedelta(days=30)


class HistoryAccess:
    """Reads history for searches, backtests and conformance runs; writes only the anchor and the vault's log."""

    def __init__(
        self,
        store: Store,
        candles: CandleStore,
        archive: Archive,
        *,
        symbols: Sequence[str],
        config: OrchestratorConfig,
        source: str,
        real: bool,
    ) -> None:
        self._store = store
        self._candles = candles
        self._archive = archive
        self._symbols = tuple(symbols)
        self._config = config
        self._source = source
        self._real = real
        self._cache: dict[tuple[int, int], History] = {}

    def segments(self, now: datetime) -> Mapping[SegmentName, Segment]:
        """The three segments as of `now`, standing still within a quarter. Raises DataError when history is too short."""
        recorded = self._store.facts.get(ANCHOR_FACT)
        anchor = anchor_for(now, parse_moment(recorded) if recorded else None)
        first, last = self._covered(now)
        parts = split(first=first, last=last, anchor=anchor, config=self._config)
        if recorded != anchor.isoformat():
            self._store.facts.set(ANCHOR_FACT, anchor.isoformat())
        return parts

    def segment_history(self, name: SegmentName, candidate_id: str | None, now: datetime) -> History:
        """A segment's bars with its warm-up. The vault needs a candidate; a second look raises NotNow."""
        segment = self.segments(now)[name]
        if name is SegmentName.VAULT:
            if candidate_id is None:
                raise UsageError("the vault is opened for one candidate: name it")
            self._store.candidates.grant_vault_look(candidate_id, now)
        return self.between(segment.start - WARM_UP, segment.end)

    def between(self, start: datetime, end: datetime) -> History:
        """Bars opened at or after `start` and closed at `end`."""
        key = (to_ms(start), to_ms(end))
        if key not in self._cache:
            if len(self._cache) >= 4:
                self._cache.pop(next(iter(self._cache)))
            found = full_history(self._candles, self._archive, self._symbols, start, end)
            self._cache[key] = History(
                m5=found.m5, h1=found.h1, d1=found.d1, source=self._source, real=self._real
            )
        return self._cache[key]

    def _covered(self, now: datetime) -> tuple[datetime, datetime]:
        """The period in which every symbol has 5m bars."""
        spans = [self._span(symbol) for symbol in self._symbols]
        first, last = max(span[0] for span in spans), min(span[1] for span in spans)
        return first, min(last, now)

    def _span(self, symbol: str) -> tuple[datetime, datetime]:
        archived = self._archive.first(symbol, Tier.M5)
        stored = self._candles.span(symbol, Tier.M5)
        if stored is None:
            raise DataError(f"there is no 5m history of {symbol}: `brain data import` brings it in")
        first = stored[0] if archived is None else min(archived, stored[0])
        return from_ms(first), from_ms(stored[1] + Tier.M5.ms)
