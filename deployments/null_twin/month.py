"""One month: a market of its own, and as many nights of the normal schedule on it, up to the gate's verdicts.

Each month has a private home with a real store, so that the ledger, the segments and the vault are those of any other home.
Nothing trades between the nights. The paper trial is left out: it proves that live does what the backtest said, which says
nothing about luck. A month ends with its first promotion, because what came after it would be measured against a strategy
that was promoted by mistake.
"""

from __future__ import annotations

import hashlib
import resource
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.opening import OpenHome, open_replay
from shell.clock import monotonic, next_night
from shell.config import Settings
from shell.desk import Desk
from shell.errors import BadInput
from shell.home import Home
from shell.market.history import History
from shell.market.null_market import NullKind, null_market
from shell.market.synthetic import MarketKind, synthetic_market
from shell.trials.access import WARM_UP
from shell.trials.candidate import Stage
from tasks.client import SegmentName
from tasks.decide import decide, gather
from tasks.life import live, stage_of
from tasks.night import CandidateOutcome
from tasks.runs import uncertified

# The first day of a quarter, so that the segments stand still for the whole month, as they do in most months.
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
NIGHTS = 30
PLANTED = "planted-edge"
# A made source is longer than a month's market, so that two months of it have different stretches.
MADE_SOURCE_DAYS_MORE = 95
# Bars after the first night's midnight, which the replay of a home begins with.
DAYS_AFTER = 1

# Told the number of nights that are over.
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every month of one test has in common. `markets` names what months take in turn: kinds of null market, or
    `PLANTED` for an invented one with an edge in it."""

    seed: int
    symbols: tuple[str, ...]
    markets: tuple[str, ...]
    nights: int = NIGHTS

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Terms:
        """From JSON values."""
        return cls(
            seed=values["seed"], symbols=tuple(values["symbols"]), markets=tuple(values["markets"]), nights=values["nights"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthResult:
    """What one month came to. `promoted_on` is the night of the first promotion, 1 for the first, or None; `refusals` count
    where candidates ended: a stage, or the first check of the gate that failed. `seconds` by what they went into, and
    `cpu_seconds` of all processes; everything else is the same however fast the machine is."""

    month: int
    market: str
    nights: int
    searches: int
    looks: int
    scored: int
    promoted_on: int | None
    refusals: Mapping[str, int]
    seconds: Mapping[str, float] = field(compare=False, default_factory=dict)
    cpu_seconds: float = field(compare=False, default=0.0)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "refusals": dict(self.refusals), "seconds": dict(self.seconds)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> MonthResult:
        """The reverse of `as_dict`. Raises BadInput for another shape."""
        try:
            return cls(**values)
        except TypeError as error:
            raise BadInput(f"this is no month's result: {error}") from None


def month_seed(seed: int, month: int, what: str) -> int:
    """A seed of its own for each month and purpose; 31 bits."""
    digest = hashlib.sha256(f"null twin|{seed}|{month}|{what}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def days_needed(settings: Settings) -> int:
    """Days of history a month's market has: what the segments use at most, their warm-up, and the replay's first day."""
    return settings.orchestrator.history_days_max + WARM_UP.days + DAYS_AFTER


def month_market(terms: Terms, settings: Settings, source: History | None, month: int) -> tuple[str, History]:
    """What the month's market is called, and its bars. Without a `source` the twin is one of an invented fair game."""
    name = terms.markets[month % len(terms.markets)]
    days = days_needed(settings)
    start = BEGINS + timedelta(days=DAYS_AFTER - days)
    chance = month_seed(terms.seed, month, "market")
    if name == PLANTED:
        return name, synthetic_market(chance, terms.symbols, start, days, MarketKind.PLANTED_EDGE)
    if source is None:
        source = synthetic_market(chance, terms.symbols, start, days + MADE_SOURCE_DAYS_MORE)
    return name, null_market(source, kind=NullKind(name), seed=chance, start=start, days=days)


def run_month(
    terms: Terms, settings: Settings, source: History | None, month: int, *, scratch: Path | None = None,
    tell: Tell = lambda _nights: None,
) -> MonthResult:
    """Live through one month in a home of its own under `scratch`, which is gone afterwards.

    Raises DataError when no market can be made.
    """
    spent, cpu_before = _Spent("market"), _cpu_seconds()
    name, market = month_market(terms, settings, source, month)
    spent.begin("home")
    with tempfile.TemporaryDirectory(prefix="null-month-", dir=scratch) as folder, uncertified():
        home = Home.private(Path(folder) / "home")
        opened = open_replay(home, settings, market, BEGINS, BEGINS + timedelta(days=DAYS_AFTER))
        try:
            opened.shell.start(BEGINS)
            counted = _Nights(opened, month_seed(terms.seed, month, "search"), spent)
            counted.live_through(terms.nights, tell)
        finally:
            opened.close()
    spent.begin("")
    return MonthResult(
        month=month, market=name, nights=counted.nights, searches=counted.searches, looks=counted.looks,
        scored=counted.scored, promoted_on=counted.promoted_on, refusals=dict(sorted(counted.refusals.items())),
        seconds={what: round(seconds, 2) for what, seconds in spent.seconds.items()},
        cpu_seconds=round(_cpu_seconds() - cpu_before, 2),
    )


class _Nights:
    """The nights of a month, and what is counted of them."""

    def __init__(self, opened: OpenHome, seed: int, spent: _Spent) -> None:
        self._shell, self._desk = opened.shell, Desk(opened.shell)
        self._seed = seed
        self._spent = spent
        self.nights = self.searches = self.looks = self.scored = 0
        self.promoted_on: int | None = None
        self.refusals: Counter[str] = Counter()

    def live_through(self, nights: int, tell: Tell) -> None:
        """`nights` nights, or as many as there are up to the first promotion."""
        now = BEGINS
        while self.nights < nights and self.promoted_on is None:
            self._spent.begin("night")
            now = next_night(now).begins
            self.nights += 1
            # Nothing trades, but a night is only where its shell stands.
            self._shell.step(now, origin="null test", scan=False)
            decision = decide(gather(self._desk, now))
            if any(self._promotes(live(self._desk, item, now, self._seed, self._spent.begin)) for item in decision.items):
                self.promoted_on = self.nights
            tell(self.nights)
        self.scored = len(self._desk.scores(SegmentName.SELECTION))

    def _promotes(self, outcome: CandidateOutcome) -> bool:
        self.searches += 1
        self.looks += outcome.looks
        if outcome.candidate_id is None:
            self.refusals["nothing better was found"] += 1
            return False
        verdict = stage_of(self._desk.candidate(outcome.candidate_id), Stage.GATE)
        if verdict is not None and verdict.passed:
            return True
        self.refusals[str(verdict.inputs["first_failure"]) if verdict is not None else outcome.stage] += 1
        return False


class _Spent:
    """Where the time went: what is begun ends what was under way."""

    def __init__(self, doing: str) -> None:
        self._doing, self._since = doing, monotonic()
        self.seconds: dict[str, float] = {}

    def begin(self, doing: str) -> None:
        now = monotonic()
        if self._doing:
            self.seconds[self._doing] = self.seconds.get(self._doing, 0.0) + now - self._since
        self._doing, self._since = doing, now


def _cpu_seconds() -> float:
    """What this process and those it has outlived have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
