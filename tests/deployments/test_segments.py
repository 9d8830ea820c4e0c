"""What `brain data check` says of a history: its segments and budget, recorded or as they would be, and the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.segments import standing_of_folder, standing_of_home
from shell.config import OrchestratorConfig
from shell.home import Home
from shell.market.archive import Archive
from shell.market.folder import check_folder
from shell.market.history import History
from shell.market.importer import import_path
from shell.market.synthetic import synthetic_market
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.segments import SegmentName

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 80


@pytest.fixture(scope="module")
def market() -> History:
    return synthetic_market(7, ["BTC/USD", "ETH/USD"], START, DAYS, "plain")


@pytest.fixture
def folder(tmp_path: Path, market: History) -> Path:
    place = tmp_path / "data"
    place.mkdir()
    for symbol, frame in market.m5.items():
        # The second begins later: the segments lie where both have bars.
        begin = START + timedelta(days=5 if symbol == "ETH/USD" else 0)
        frame.filter(frame["timestamp"] >= begin).write_parquet(place / f"{symbol.replace('/', '-')}_5m.parquet")
    return place


def test_a_folder_shows_the_segments_of_the_days_that_all_symbols_have(folder: Path) -> None:
    standing = standing_of_folder(check_folder(folder, None), OrchestratorConfig())
    assert standing.segments[SegmentName.SEARCH].start == START + timedelta(days=5)
    assert standing.segments[SegmentName.VAULT].end == START + timedelta(days=DAYS)
    assert standing.budget is not None
    assert (standing.budget.allowed, standing.budget.spent) == (2, 0)


def test_too_little_is_said_plainly(folder: Path) -> None:
    standing = standing_of_folder(check_folder(folder, None), OrchestratorConfig(history_days_min=90))
    assert (standing.segments, standing.budget) == ({}, None)
    assert "75 whole days" in standing.refusal
    assert "promoted" in standing.refusal
    assert standing.as_dict()["segments"] is None


def test_a_home_shows_what_is_recorded_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    home = Home.private(tmp_path / "home").create()
    with Store.open(home.database) as store:
        import_path(folder, CandleStore(store), Archive(home.archive))
        before = standing_of_home(home, store)
        assert before.segments
        assert store.looks.newest() is None
        access = HistoryAccess(
            store, CandleStore(store), Archive(home.archive), symbols=["BTC/USD", "ETH/USD"],
            config=OrchestratorConfig(search_pct="0.3"), source="", real=True,
        )
        recorded = access.segments(START + timedelta(days=DAYS))
        after = standing_of_home(home, store)
        assert after.segments == recorded != before.segments
        assert after.ledger is not None
        assert after.ledger.whole
    shown = CliRunner().invoke(app, ["data", "check", "--home", str(home.root), "--json"])
    facts = json.loads(shown.output.strip().splitlines()[-1])
    assert facts["segments"]["vault"]["end"] == recorded[SegmentName.VAULT].end.isoformat()
    assert facts["budget"]["quarter"] == "2026Q1"
    people = CliRunner().invoke(app, ["data", "check", "--home", str(home.root)])
    assert people.exit_code == 0
    assert all(word in people.output for word in ("Segments", "Search budget", "Trial ledger: whole"))
