"""The whole of one home on PostgreSQL, by the URL alone: candles, a trading shell, status, doctor, kill, backup both ways."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.running import run_shell
from shell.home import Home
from shell.orders import Side
from shell.store.copying import fill_database
from shell.store.place import open_store
from shell.store.store import Store
from tests.shell.page.homes import begin, trade
from tests.shell.store.examples import START
from tests.shell.store.postgresql import Server, serving
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.timeout(600)]
WIDE = {"COLUMNS": "400"}


def told(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], env=WIDE)
    assert done.exit_code == code, done.output
    facts: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return facts


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture
def home(server: Server, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Home:
    """A project as after a clone, whose environment names a database."""
    for folder in ("config", "strategy"):
        shutil.copytree(project / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAIN_DATABASE_URL", server.url(request.node.nodeid))
    return Home.project().create()


def test_one_url_and_the_home_trades_on_postgresql(home: Home, server: Server, tmp_path: Path) -> None:
    assert home.root == tmp_path
    facts = run_shell(
        home, simulated=True, speed=60.0, seed=7, data=None, minutes=100.0, console=Console(stderr=True), live=False
    )
    assert facts["slots"]["done"] >= 1
    assert facts["books_check"] == []
    assert not home.database.exists(), "nothing of the books is in a file"
    status = told("status")
    assert status["last_scan"] is not None
    assert status["books_check"] == []
    assert status["total_value"] == pytest.approx(facts["total_value"])
    checks = {each["name"]: each for each in told("doctor", code=1 if _wrong() else 0)["checks"]}
    assert checks["database"]["state"] == "ok"
    assert "***" in checks["database"]["sentence"]
    assert told("kill")["halted"] == ["KILL_SWITCH"]
    assert told("status")["halted"] == ["KILL_SWITCH"]


def test_a_home_moves_between_postgresql_and_a_file_by_its_backup(home: Home, server: Server, tmp_path: Path) -> None:
    with open_store(home) as store:
        assert not store.is_sqlite
        begin(store)
        trade(store, 1, Side.BUY)
        store.paper.start("c0001", started_at=START, due_at=START)
    told("kill")
    saved, other = tmp_path / "saved", tmp_path / "other"
    made = told("backup", saved)
    assert "***" in made["source"]
    assert made["books"]["main"]["BTC/USD"] == "0.5"
    back = told("restore", saved, "--home", other)
    assert (back["rows"], back["books"], back["books_check"]) == (made["rows"], made["books"], [])
    assert told("status", "--home", other)["halted"] == ["KILL_SWITCH"]

    # And from the file into a PostgreSQL that is empty: what a move to the server is.
    url = server.url("moved")
    shutil.copyfile(saved / "brain.db", tmp_path / "copy.db")
    fill_database(tmp_path / "copy.db", url)
    with Store.open(url) as moved, open_store(home) as original:
        assert moved.events.head() == original.events.head()
        assert moved.events.verify()
        assert moved.books.check("main") == []
        # Numbers that PostgreSQL draws itself go on behind those that came.
        trade(moved, 2, Side.SELL, price="20500")
        assert moved.books.check("main") == []


def _wrong() -> bool:
    done = CliRunner().invoke(app, ["doctor", "--json"], env=WIDE)
    return done.exit_code != 0
