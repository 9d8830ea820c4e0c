"""Staged capital in live mode: since when the active version trades real money, how many days it has earned, and its part.

A breach is a loss limit reached or a strategy that failed again and again, each of which halts the book; the count of days
then begins anew. A day counts when it is over, was free of a breach and was scanned at least once: a machine that is off
earns nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from shell.clock import local_day, local_moment, parse_moment
from shell.config import Settings
from shell.engine import Engine
from shell.main_book import MAIN_BOOK
from shell.measured_halts import MEASURED_HALTS
from shell.money import plain
from shell.risk.halts import HaltKind
from shell.risk.staged import WHOLE, earned_share
from shell.store.store import Store

STAGE_FACT = "capital.stage"
SHARE_EVENT = "capital_share"
BREACHES = frozenset((*MEASURED_HALTS, HaltKind.STRATEGY_FAULTS))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalStage:
    """The part of the capital (a fraction) that a version may use, and how far it is from the whole of it."""

    version: str
    share: Decimal
    days: int
    days_needed: int


def recorded_shares(store: Store) -> Callable[[datetime], Decimal]:
    """The part of the capital that was in force at a moment, as it is on record; the whole where nothing is."""
    shares = [(event.at, Decimal(str(event.payload["share"]))) for event in store.events.rows(kind=SHARE_EVENT)]

    def share_at(moment: datetime) -> Decimal:
        return next((share for at, share in reversed(shares) if at <= moment), WHOLE)

    return share_at


class StagedCapital:
    """The stage of one shell's active version. In paper mode it is the whole, and nothing earned there counts in live mode."""

    def __init__(self, store: Store, settings: Settings, zone: ZoneInfo) -> None:
        self._store = store
        self._settings = settings
        self._zone = zone
        self._known: tuple[object, ...] = ()
        self._stage: CapitalStage | None = None
        self._told: CapitalStage | None = None

    def begin(self, version: str, now: datetime) -> None:
        """`version` trades from `now` on: at the first part, unless it had begun before and was not replaced since."""
        if self._settings.mode != "live":
            if self._store.facts.get(STAGE_FACT):
                self._told = None
                self._store.facts.set(STAGE_FACT, {}, now)
                self._store.events.append(SHARE_EVENT, now, {"version": version, "share": plain(WHOLE), "mode": "paper"})
            return
        known: Any = self._store.facts.get(STAGE_FACT)
        if not known or known["version"] != version:
            self._told = None
            self._store.facts.set(STAGE_FACT, {"version": version, "since": now.isoformat()}, now)

    def apply(self, engine: Engine, now: datetime) -> CapitalStage:
        """Give the engine the part its version may use, before it scans. What changes is kept for readers, and is an event."""
        stage = self.stage(engine.config.version, now)
        if engine.config.capital_share != stage.share:
            engine.config = replace(engine.config, capital_share=stage.share)
        if stage == self._told:
            return stage
        known: Any = self._store.facts.get(STAGE_FACT)
        told = {"share": plain(stage.share), "days": stage.days, "days_needed": stage.days_needed}
        if known and any(known.get(name) != value for name, value in told.items()):
            self._store.facts.set(STAGE_FACT, {**known, **told}, now)
            self._store.events.append(SHARE_EVENT, now, {"version": stage.version, **told})
        self._told = stage
        return stage

    def stage(self, version: str, now: datetime) -> CapitalStage:
        """Where `version` stands. Recorded breaches count from the moment they are on record."""
        orchestrator = self._settings.orchestrator
        needed = orchestrator.capital_earned_days
        if self._settings.mode != "live" or orchestrator.first_capital_pct == WHOLE:
            return CapitalStage(version=version, share=WHOLE, days=needed, days_needed=needed)
        self.begin(version, now)
        today, halts = local_day(now, self._zone), self._store.halts.history(MAIN_BOOK)
        known = (version, today, len(halts))
        if self._stage is None or known != self._known:
            since = parse_moment(str(self._store.facts.get(STAGE_FACT)["since"]))
            breaches = [each.halt.raised_at for each in halts if each.halt.kind in BREACHES and each.halt.raised_at >= since]
            days = self._days(local_day(max([since, *breaches]), self._zone), today, needed)
            share = earned_share(orchestrator.first_capital_pct, days, needed)
            self._known, self._stage = known, CapitalStage(version=version, share=share, days=days, days_needed=needed)
        return self._stage

    def _days(self, first: date, today: date, needed: int) -> int:
        """Whole local days after `first` and before `today` on which the book was scanned, up to `needed`."""
        days, day = 0, today - _DAY
        while day > first and days < needed:
            if self._store.scans.any_between(MAIN_BOOK, self._begin(day), self._begin(day + _DAY)):
                days += 1
            day -= _DAY
        return days

    def _begin(self, day: date) -> datetime:
        return local_moment(day, 0, 0, self._zone)
