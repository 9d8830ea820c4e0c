"""Access to history by segment: the only way by which a search, a backtest, a candidate or a paper trial reads stored bars.

There is no door that takes two dates. Search and selection windows end where the vault begins; a window that reaches into it
is given for a look that the store has written down, and is not kept in memory. Segments are laid out once a quarter and
stand: neither a later import, nor another setting, nor another `now` moves their edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from shell.clock import from_ms, parse_moment, to_ms
from shell.config import OrchestratorConfig
from shell.errors import DataError, NotNow, UsageError
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.history import History, data_hash
from shell.market.port import CandleReader
from shell.market.tiers import full_history
from shell.store.candles import CandleStore
from shell.store.looks import SelectionLook
from shell.store.store import Store
from shell.trials.budget import Budget, Free, broke, free_of_charge, trials_allowed
from shell.trials.candidate import Candidate, Verdict
from shell.trials.segments import Segment, SegmentName, anchor_for, next_quarter, quarter_name, split

# Where homes of an earlier version kept the newest edge of their segments.
ANCHOR_FACT = "segments.anchor"
# What a strategy may look back on at the start of a segment: the longest window the 5m tier gives.
WARM_UP = timedelta(days=30)
KEPT_WINDOWS = 4


class HistoryAccess:
    """Reads history for searches, backtests and conformance runs; writes the segments' edges and every counted look."""

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
        """The three segments of the quarter of `now`, laid out at the first call in it and the same ever after.

        Raises DataError when history is too short, NotNow for a quarter that passed without segments.
        """
        quarter = quarter_name(now)
        known = self._store.looks.laid_out(quarter)
        if known is None:
            newest = self._store.looks.newest()
            if newest is not None and newest.quarter > quarter:
                raise NotNow(
                    f"{quarter} is over and had no segments; those of {newest.quarter} hold, and none are laid out "
                    "in the past"
                )
            known = self._store.looks.lay_out(self.preview(now), now)
        return known.segments

    def preview(self, now: datetime) -> Mapping[SegmentName, Segment]:
        """What `segments` answers, without recording anything: for a reader beside a running shell."""
        known = self._store.looks.laid_out(quarter_name(now))
        if known is not None:
            return known.segments
        recorded = self._store.facts.get(ANCHOR_FACT)
        first, last = self._covered(now)
        anchor = anchor_for(now, parse_moment(recorded) if recorded else None)
        return split(first=first, last=last, anchor=anchor, config=self._config)

    def budget(self, now: datetime) -> Budget:
        """The search budget of the quarter of `now`. Raises DataError when history is too short for segments."""
        return self._budget(self.preview(now), now)

    def segment_history(self, name: SegmentName, candidate_id: str | None, now: datetime) -> History:
        """A segment's bars with its warm-up.

        Selection and vault are opened for one named candidate, and the look is written down first. Selection raises NotNow
        when the quarter's budget is spent; the vault does before the candidate was scored on selection, after its verdict,
        and on a second look. Raises UsageError without a name, Rejected for a candidate that does not exist.
        """
        segments = self.segments(now)
        segment = segments[name]
        window = (segment.start - WARM_UP, segment.end)
        if name is SegmentName.SEARCH:
            return self._kept(*window)
        if candidate_id is None:
            raise UsageError(f"the {name.value} segment is opened for one candidate: name it")
        candidate = self._store.candidates.get(candidate_id)
        if name is SegmentName.SELECTION:
            self._open_selection(candidate, segments, now)
            return self._kept(*window)
        self._open_vault(candidate, segment, now)
        return self._read(*window)

    def selection_scored(self, at: datetime) -> tuple[Segment, str]:
        """The selection segment as of `at`, and the hash of its candles with their warm-up: what a score must be of."""
        segment = self.segments(at)[SegmentName.SELECTION]
        return segment, data_hash(self._kept(segment.start - WARM_UP, segment.end))

    def trial_history(self, candidate_id: str, started_at: datetime, now: datetime) -> History:
        """The bars of a candidate's paper trial, from its warm-up to `now`. Raises NotNow where they reach into the vault
        and the candidate has not had its look."""
        start = started_at - WARM_UP
        newest = self._store.looks.newest()
        if newest is not None:
            vault = newest.segments[SegmentName.VAULT]
            inside = start < vault.end and now > vault.start
            if inside and self._store.looks.vault_look(candidate_id) is None:
                raise NotNow(
                    f"{candidate_id} has not had its look at the vault, into which the {WARM_UP.days} days before its "
                    "paper trial reach"
                )
        return self._read(start, now)

    def seen_before(self, name: SegmentName, candidate_id: str, now: datetime) -> History:
        """Selection or vault again for a candidate that had its look: what it was shown, and nothing anybody else may see.

        For running a night, or a candidate's evidence, again; nothing is written down. Raises NotNow for a candidate that was
        never let in.
        """
        looked = (
            self._store.looks.vault_look(candidate_id) is not None if name is SegmentName.VAULT
            else any(look.candidate_id == candidate_id for look in self._store.looks.selection_looks())
        )
        if not looked:
            raise NotNow(f"{candidate_id} was never shown the {name.value} segment, so there is nothing to show again")
        segment = self.preview(now)[name]
        return self._read(segment.start - WARM_UP, segment.end)

    def lived_history(self, since: datetime, now: datetime) -> History:
        """The bars the main book was shown since a moment, with their warm-up: for a second run of what it did itself.

        No candidate is measured on them, so it is no look at any segment.
        """
        # Asked every night about the same year of hours and a day more.
        return self._read(since - WARM_UP, now, self._candles.kept)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _budget(self, segments: Mapping[SegmentName, Segment], now: datetime) -> Budget:
        quarter, days = quarter_name(now), segments[SegmentName.SELECTION].days
        target = self._config.target_annual_sharpe
        spent = sum(not look.free for look in self._store.looks.selection_looks(quarter))
        return Budget(
            quarter=quarter, days=days, target_annual_sharpe=target, allowed=trials_allowed(days, target), spent=spent,
            renewed_at=next_quarter(now),
        )

    def _open_selection(self, candidate: Candidate, segments: Mapping[SegmentName, Segment], now: datetime) -> None:
        """Charge a trial, or find out why it is free; a candidate that was let in already is let in again."""
        quarter = quarter_name(now)
        with self._store.transaction():
            looks = self._store.looks.selection_looks(quarter)
            if any(look.candidate_id == candidate.candidate_id for look in looks):
                return
            self._require_current(quarter)
            free = self._free(candidate, looks)
            budget = self._budget(segments, now)
            if free is None and not budget.left:
                raise NotNow(budget.spent_sentence)
            self._store.looks.open_selection(
                SelectionLook(
                    quarter=quarter, candidate_id=candidate.candidate_id, at=now, free=free.reason if free else "",
                    repairs=free.repairs if free else "",
                )
            )

    def _free(self, candidate: Candidate, looks: Sequence[SelectionLook]) -> Free | None:
        let_in = [self._store.candidates.get(look.candidate_id) for look in looks]
        with_score = {score.candidate_id for score in self._store.candidates.scores(SegmentName.SELECTION)}
        trusted = [each for each in let_in if self._store.strategies.quarantine_of(each.source_hash) is None]
        return free_of_charge(
            candidate,
            scored=[each for each in let_in if each.candidate_id in with_score],
            broken=[each for each in trusted if each.candidate_id not in with_score and broke(each)],
            repaired=frozenset(look.repairs for look in looks if look.repairs),
        )

    def _open_vault(self, candidate: Candidate, vault: Segment, now: datetime) -> None:
        name = candidate.candidate_id
        if candidate.verdict is not Verdict.PENDING:
            raise NotNow(f"{name} has ended as {candidate.verdict.value}: the vault stays shut")
        scored = {score.candidate_id for score in self._store.candidates.scores(SegmentName.SELECTION)}
        if name not in scored:
            raise NotNow(f"{name} has not been scored on the selection segment: the vault is the last thing it is shown")
        quarter = quarter_name(now)
        if any(look.candidate_id == name and look.quarter > quarter for look in self._store.looks.selection_looks()):
            raise NotNow(f"{name} was scored after {quarter}, on days that its vault may hold: that vault stays shut")
        self._store.looks.open_vault(name, vault, now)

    def _require_current(self, quarter: str) -> None:
        """What a quarter that is over left of its budget is nobody's, and its vault is selection by now."""
        newest = self._store.looks.newest()
        if newest is not None and newest.quarter > quarter:
            raise NotNow(f"{quarter} is over: nothing new is scored on its selection segment")

    def _kept(self, start: datetime, end: datetime) -> History:
        """A window that ends where the vault begins at the latest, kept in memory for the next who needs it."""
        key = (to_ms(start), to_ms(end))
        if key not in self._cache:
            if len(self._cache) >= KEPT_WINDOWS:
                self._cache.pop(next(iter(self._cache)))
            self._cache[key] = self._read(start, end)
        return self._cache[key]

    def _read(self, start: datetime, end: datetime, candles: CandleReader | None = None) -> History:
        """Bars opened at or after `start` and closed at `end`."""
        found = full_history(candles or self._candles, self._archive, self._symbols, start, end)
        return History(m5=found.m5, h1=found.h1, d1=found.d1, source=self._source, real=self._real)

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
