"""A new version earns its capital by days of trading without a breach, in live mode alone, and a restart changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shell.config import HostConfig, OrchestratorConfig, RiskConfig, Settings
from shell.engine_config import EngineConfig
from shell.execution.record import ScanDone, StepRecord
from shell.risk.halts import Halt, HaltKind
from shell.staged_capital import STAGE_FACT, CapitalStage, StagedCapital, recorded_shares
from shell.store.store import Store

BEGIN = datetime(2026, 3, 2, 15, tzinfo=UTC)
DAY = timedelta(days=1)
ZONE = ZoneInfo("America/New_York")
ORCHESTRATOR = OrchestratorConfig(first_capital_pct=Decimal("0.2"), capital_earned_days=4)


class Book:
    """The part of an engine that is needed: its configuration."""

    def __init__(self, version: str) -> None:
        self.config = EngineConfig(
            book="main", version=version, risk=RiskConfig(), host=HostConfig(), zone=ZONE, pairs={}, fees={},
        )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "brain.db") as opened:
        yield opened


def staged(store: Store, mode: str = "live") -> StagedCapital:
    return StagedCapital(store, Settings(mode=mode, orchestrator=ORCHESTRATOR), ZONE)


def scanned(store: Store, *days: int) -> None:
    for day in days:
        slot = BEGIN + day * DAY
        done = ScanDone(slot=slot, origin="fallback", version="v002", signals=0, approved=0)
        store.journal("main").record(StepRecord(book="main", at=slot, scan=done))


def breach(store: Store, day: int, kind: HaltKind = HaltKind.DAILY_LOSS) -> None:
    store.halts.raise_(Halt(kind=kind, book="main", sentence="too much", raised_at=BEGIN + day * DAY))
    store.halts.lift(kind, "main", "Ann", BEGIN + day * DAY + timedelta(hours=1))


def share(capital: StagedCapital, day: int, version: str = "v002") -> str:
    return str(capital.stage(version, BEGIN + day * DAY).share.normalize())


def test_the_first_day_is_a_part_and_each_scanned_day_earns_more(store: Store) -> None:
    capital = staged(store)
    assert share(capital, 0) == "0.2"
    scanned(store, 1, 2, 4, 5)
    assert [share(capital, day) for day in (1, 2, 3, 4, 5, 6)] == ["0.2", "0.4", "0.6", "0.6", "0.8", "1"]


def test_a_breach_takes_all_of_it_back_at_once_and_another_version_begins_anew(store: Store) -> None:
    capital = staged(store)
    share(capital, 0)
    scanned(store, 1, 2, 3)
    assert share(capital, 3) == "0.6"
    breach(store, 3)
    assert [share(capital, day) for day in (3, 4)] == ["0.2", "0.2"]
    scanned(store, 4)
    assert share(capital, 5) == "0.4"
    assert share(capital, 5, "v003") == "0.2"
    breach(store, 5, HaltKind.OPERATOR_PAUSE)
    scanned(store, 6)
    assert share(capital, 7, "v003") == "0.4"


def test_a_restart_keeps_what_was_earned_and_days_on_paper_earn_nothing(store: Store) -> None:
    share(staged(store), 0)
    scanned(store, 1, 2)
    again = staged(store)
    again.begin("v002", BEGIN + 3 * DAY)
    assert share(again, 3) == "0.6"
    on_paper = staged(store, "paper")
    on_paper.begin("v002", BEGIN + 3 * DAY)
    assert (share(on_paper, 3), store.facts.get(STAGE_FACT)) == ("1", {})
    scanned(store, 3, 4)
    live = staged(store)
    live.begin("v002", BEGIN + 5 * DAY)
    assert share(live, 5) == "0.2"


def test_the_engine_is_given_the_part_and_readers_find_it(store: Store) -> None:
    capital, book = staged(store), Book("v002")
    stage: CapitalStage = capital.apply(book, BEGIN)  # type: ignore[arg-type]
    assert book.config.capital_share == stage.share == Decimal("0.2")
    scanned(store, 1)
    for day in (1, 2, 2):
        capital.apply(book, BEGIN + day * DAY)  # type: ignore[arg-type]
    assert book.config.capital_share == Decimal("0.4")
    kept = store.facts.get(STAGE_FACT)
    assert (kept["version"], kept["share"], kept["days"], kept["days_needed"]) == ("v002", "0.4", 1, 4)
    # Another version came and went between two scans: the stage begins anew, and readers are told again.
    capital.begin("v003", BEGIN + 2 * DAY)
    capital.begin("v002", BEGIN - 9 * DAY)
    capital.apply(book, BEGIN + 2 * DAY)  # type: ignore[arg-type]
    assert store.facts.get(STAGE_FACT)["share"] == "0.4"
    told = recorded_shares(store)
    assert [told(BEGIN + day * DAY) for day in (-1, 0, 1, 2, 3)] == [1, Decimal("0.2"), Decimal("0.2"), Decimal("0.4"), Decimal("0.4")]


def test_what_readers_know_is_neither_read_nor_written_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for capital, reads in ((staged(store), 1), (staged(store, "paper"), 0)):
        book, asked = Book("v002"), []
        capital.apply(book, BEGIN)  # type: ignore[arg-type]
        get = type(store.facts).get
        with monkeypatch.context() as patched:
            patched.setattr(type(store.facts), "get", lambda facts, key, get=get, asked=asked: (asked.append(key), get(facts, key))[1])
            capital.apply(book, BEGIN)  # type: ignore[arg-type]
        assert asked == [STAGE_FACT] * reads
