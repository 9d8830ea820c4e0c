"""A home is saved while it is written, restored elsewhere, and equal to the exchange to the last unit (hazards 21 and 32)."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.backup.manifest import read_manifest
from deployments.backup.restoring import restore
from deployments.backup.saving import save
from deployments.cli.main import app
from shell.clock import monotonic
from shell.errors import BadInput, DataError, NotNow
from shell.home import Home, HomeLock
from shell.orders import Side
from shell.store import migrations
from shell.store.store import Store
from tests.shell.exchange.bench import Bench, empty_database
from tests.shell.page.homes import add_year, begin, home_at, trade
from tests.shell.store.examples import START
from tests.shell.store.older import turn_back
from tests.thorough import thorough

CANARY = "c4n4ry-of-a-secret"


def told(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == code, done.output
    facts: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return facts


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Half a bitcoin, a month of archived bars, a strategy, a note for the shell; a secret beside the settings."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.toml").write_text("[account]\n")
    (tmp_path / ".env").write_text(f"KRAKEN_API_SECRET={CANARY}\n")
    place = Home.private(tmp_path / "home", project=tmp_path).create()
    place.database.write_bytes(empty_database())
    with Store.open(place.database) as store:
        begin(store)
        trade(store, 1, Side.BUY)
        trade(store, 2, Side.SELL, price="20500")
        trade(store, 3, Side.BUY, price="18000")
    for path, text in ((place.archive / "BTC-USD" / "2023-03.parquet", "bars"), (place.workspace / "active" / "strategy.py", "x = 1\n"),
                       (place.workspace / "active" / "__pycache__" / "strategy.pyc", "made"), (place.root / "kraken-nonce-0f", "7")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


def dump(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        return list(connection.iterdump())


def test_what_is_restored_is_what_was_saved_and_no_secret_went_along(home: Home, tmp_path: Path) -> None:
    saved, before = tmp_path / "saved", dump(home.database)
    with Store.open(home.database) as store, store.transaction():
        # Somebody is in the middle of writing: one state before it is what is saved, without waiting.
        store.facts.set("half", "done", START)
        manifest = save(home, saved, START)
    assert manifest.books == {"main": {"cash": manifest.books["main"]["cash"], "BTC/USD": "0.5"}}
    assert manifest.books_check == ()
    assert sorted(manifest.files) == [
        "archive/BTC-USD/2023-03.parquet", "beside/kraken-nonce-0f", "brain.db", "config/settings.toml", "strategy/active/strategy.py",
    ]
    assert all(CANARY.encode() not in path.read_bytes() for path in saved.rglob("*") if path.is_file())
    assert stat.S_IMODE(saved.stat().st_mode) == 0o700
    assert stat.S_IMODE((saved / "brain.db").stat().st_mode) == 0o600
    other = Home.private(tmp_path / "other", project=tmp_path)
    done = restore(saved, other)
    assert dump(other.database) == dump(saved / "brain.db") == before
    assert (other.archive / "BTC-USD" / "2023-03.parquet").read_text() == "bars"
    assert (other.workspace / "active" / "strategy.py").read_text() == "x = 1\n"
    assert other.database.with_name("kraken-nonce-0f").read_text() == "7"
    assert (done.differing_settings, done.upgraded_from, done.moved_aside) == ((), "", None)
    assert stat.S_IMODE(other.database.stat().st_mode) == 0o600
    with Store.open(other.database) as store:
        assert store.books.check("main") == []
        assert store.events.verify()
        assert store.facts.get("half") is None


def test_a_damaged_backup_is_refused_before_anything_is_written(home: Home, tmp_path: Path) -> None:
    saved, other = tmp_path / "saved", Home.private(tmp_path / "other", project=tmp_path)
    save(home, saved, START)
    bars, added = saved / "archive" / "BTC-USD" / "2023-03.parquet", saved / "strategy" / "active" / "other.py"
    for harm, mend in (
        (lambda: bars.write_text("bars!"), lambda: bars.write_text("bars")),
        (bars.unlink, lambda: bars.write_text("bars")),
        (lambda: added.write_text(""), added.unlink),
    ):
        harm()
        with pytest.raises(DataError, match="damaged"):
            restore(saved, other)
        assert not other.database.exists()
        mend()
    with pytest.raises(DataError, match="no backup"):
        restore(tmp_path, other)
    restore(saved, other)


def test_only_an_empty_home_that_nobody_writes_takes_a_backup(home: Home, tmp_path: Path) -> None:
    saved, other = tmp_path / "saved", Home.private(tmp_path / "other", project=tmp_path)
    save(home, saved, START)
    before = dump(home.database)
    with pytest.raises(NotNow, match="empty home only"):
        restore(saved, home)
    assert dump(home.database) == before
    with HomeLock(other), pytest.raises(NotNow, match="writing the home"):
        restore(saved, other)
    with pytest.raises(BadInput, match="new folder"):
        save(home, saved, START)
    (other.workspace / "mine.py").write_text("kept")
    done = restore(saved, other)
    assert done.moved_aside == other.root / "strategy-before-restore"
    assert (done.moved_aside / "mine.py").read_text() == "kept"


def test_a_secret_in_a_strategy_stops_the_backup_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    (home.workspace / "active" / "strategy.py").write_text(f"KEY = '{CANARY}'\n")
    with pytest.raises(DataError, match="holds the text of a secret") as refused:
        save(home, tmp_path / "out" / "saved", START)
    assert CANARY not in str(refused.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_backup_of_an_earlier_schema_is_upgraded_on_its_way(home: Home, tmp_path: Path) -> None:
    with Store.open(home.database) as store:
        books = store.books.load("main")
        assert books is not None
        held = {symbol: each.qty for symbol, each in books.ledger.positions.items()}
    turn_back(home.database, "0003")
    manifest = save(home, tmp_path / "saved", START)
    assert (manifest.schema_version, manifest.books) == ("0003", {})
    other = Home.private(tmp_path / "other", project=tmp_path)
    assert restore(tmp_path / "saved", other).upgraded_from == "0003"
    with Store.open(other.database, read_only=True) as store:
        assert store.schema_version == migrations.HEAD
        state = store.books.load("main")
        assert state is not None
        assert {symbol: each.qty for symbol, each in state.ledger.positions.items()} == held
        assert store.books.check("main") == []


def test_a_restored_home_agrees_with_the_exchange_to_the_last_unit(tmp_path: Path) -> None:
    """Hazard 32: the rehearsal of the day on which the machine is gone."""
    bench = Bench(tmp_path / "home")
    bench.reconcile()
    bench.trade(Side.BUY, "0.12345678", stop="29000")
    bench.trade(Side.BUY, "0.05", limit="25000")
    bench.reconcile()
    assert bench.ours("BTC") > 0
    save(Home.private(tmp_path / "home"), tmp_path / "saved", bench.now)
    restored = Home.private(tmp_path / "other")
    restore(tmp_path / "saved", restored)
    orders = len(bench.desk.exchange.venue.orders)
    bench.restart_on(restored.database)
    try:
        bench.agrees()
        assert bench.reconcile().matches
        bench.agrees()
        assert len(bench.desk.exchange.venue.orders) == orders, "nothing was sent"
    finally:
        bench.store.close()


def test_the_commands_tell_what_they_did(home: Home, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    made = told("backup", saved, "--home", home.root)
    assert made["rows"] == sum(read_manifest(saved).rows.values()) > 0
    back = told("restore", saved, "--home", tmp_path / "fresh")
    assert back["books"] == made["books"]
    assert back["books_check"] == []
    assert "no database" in told("backup", tmp_path / "none", "--home", home_at(tmp_path / "empty").root, code=1)["error"]
    assert "empty home only" in told("restore", saved, "--home", tmp_path / "fresh", code=1)["error"]


@thorough
def test_a_year_is_saved_and_restored_in_seconds(tmp_path: Path, seed: int) -> None:
    home = home_at(tmp_path / "home")
    with Store.open(home.database) as store:
        begin(store)
        add_year(store, seed)
        trade(store, 366 * 288, Side.BUY)
    begun = monotonic()
    manifest = save(home, tmp_path / "saved", START + timedelta(days=366))
    middle = monotonic()
    done = restore(tmp_path / "saved", Home.private(tmp_path / "other"))
    seconds = middle - begun, monotonic() - middle
    print(f"a year of marks and candles, {sum(manifest.rows.values()):,} rows, {os.stat(tmp_path / 'saved' / 'brain.db').st_size / 1e6:.0f} MB: "
          f"saved in {seconds[0]:.1f} s, restored and checked in {seconds[1]:.1f} s")
    assert done.figures["rows"] == manifest.rows
    shutil.rmtree(tmp_path / "saved")
