"""The operator's commands as met on a terminal: init, doctor, status --watch, report trades|fees|lots, page."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from deployments import checks
from deployments.cli.main import app
from shell.exchange.simulator.hosting import hosted
from shell.exchange.simulator.tape import synthetic_tape
from shell.home import Home, HomeLock
from shell.main_book import LIVE_FACT
from shell.orders import Side
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from tests.shell.page.homes import begin, home_at, trade
from tests.shell.store.examples import START
from tests.thorough import thorough

WIDE = {"COLUMNS": "400"}


def told(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], env=WIDE)
    assert done.exit_code == code, done.output
    facts: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return facts


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Bought twice, sold once: half a bitcoin is left."""
    place = home_at(tmp_path / "home")
    with Store.open(place.database) as store:
        begin(store)
        trade(store, 1, Side.BUY)
        trade(store, 2, Side.SELL, price="20500")
        trade(store, 3, Side.BUY, price="18000")
    return place


@pytest.fixture
def fresh(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, as after a clone, and no secret in the environment."""
    shutil.copytree(project / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("KRAKEN_", "TELEGRAM_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def kraken(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    from datetime import UTC, datetime

    with hosted(synthetic_tape(["BTC/USD"], datetime.now(UTC), seed=7, prints=4, past_days=1, days=1)) as exchange:
        monkeypatch.setenv("KRAKEN_REST_URL", exchange.addresses()["rest"])
        yield exchange.addresses()


# -- books and tax ----------------------------------------------------------------------------------------------------


def test_lots_go_into_a_file_that_adds_up_and_is_never_overwritten(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "lots.csv"
    assert told("report", "lots", "--csv", file, "--home", home.root)["rows"] == 2
    sold, held = list(csv.DictReader(file.open(newline="")))
    assert (sold["state"], held["state"]) == ("sold", "held")
    # 10,250 less 40.0002 of fee, for what cost 10,000.05 and 40.0002 of fee.
    assert Decimal(sold["gain"]) == Decimal("10209.9998") - Decimal("10040.0502")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert "is there already" in told("report", "lots", "--csv", file, "--home", home.root, code=1)["error"]
    assert file.read_bytes() == before


def test_trades_and_fees_are_told_and_kept_to_a_year(home: Home) -> None:
    (one,) = told("report", "trades", "--home", home.root)["trades"]
    assert Decimal(one["result"]) == Decimal("169.9496")
    assert [row["fee"] for row in told("report", "fees", "--home", home.root)["fees"]] == ["40.0002"] * 3
    assert told("report", "fees", "--year", "2022", "--home", home.root)["rows"] == 0
    assert told("report", "fees", "--year", "2023", "--home", home.root)["rows"] in (0, 3)
    shown = CliRunner().invoke(app, ["report", "lots", "--home", str(home.root)], env=WIDE).stdout
    assert "169.95" in shown


def test_a_table_can_be_piped_on_and_no_file_is_called_dash(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    piped = CliRunner().invoke(app, ["report", "fees", "--csv", "-", "--home", str(home.root)])
    assert piped.exit_code == 0 and len(list(csv.DictReader(piped.stdout.splitlines()))) == 3
    assert not (tmp_path / "-").exists()
    assert "cannot both have the terminal" in told("report", "fees", "--csv", "-", "--home", home.root, code=2)["error"]


# -- doctor -----------------------------------------------------------------------------------------------------------


def by_name(facts: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {each["name"]: each for each in facts["checks"]}


def test_a_new_database_is_its_owners_alone_and_the_doctor_says_when_it_is_not(home: Home) -> None:
    assert stat.S_IMODE(home.database.stat().st_mode) == 0o600
    assert by_name(told("doctor", "--offline", "--home", home.root))["database"]["state"] == "ok"
    home.database.chmod(0o644)
    found = by_name(told("doctor", "--offline", "--home", home.root, code=1))["database"]
    assert found["state"] == "wrong"
    assert f"chmod 600 {home.database}" in found["sentence"]


def test_a_halt_and_a_running_shell_are_told_with_what_to_do(home: Home) -> None:
    with Store.open(home.database) as store:
        store.halts.raise_(Halt(kind=HaltKind.KILL_SWITCH, book="main", sentence="by hand", raised_at=START))
    with HomeLock(home):
        found = by_name(told("doctor", "--offline", "--home", home.root, code=1))
    assert "brain resume KILL_SWITCH" in found["halts"]["sentence"]
    assert found["shell"]["state"] == "ok"
    assert f"process {os.getpid()}" in found["shell"]["sentence"]


def test_settings_with_mistakes_and_an_open_env_file_are_findings_and_no_crash(fresh: Path) -> None:
    (fresh / "config" / "settings.toml").write_text('[account]\nsymbols = "BTC/USD"\ncash = 3\n')
    (fresh / ".env").write_text("KRAKEN_API_KEY=abcdefgh\n")
    (fresh / ".env").chmod(0o640)
    facts = told("doctor", "--offline", code=1)
    wrong = [each["sentence"] for each in facts["checks"] if each["state"] == "wrong"]
    assert any("symbols" in each for each in wrong)
    assert any("chmod 600" in each for each in wrong)
    assert "abcdefgh" not in json.dumps(facts)


def test_the_clock_is_compared_with_krakens(fresh: Path, kraken: dict[str, str]) -> None:
    found = by_name(told("doctor"))
    assert found["Kraken"]["state"] == "ok"
    assert found["clock"]["state"] == "ok"


@pytest.mark.parametrize(("free", "state"), [(1, "wrong"), (10**9, "note"), (10**10, "ok")])
def test_a_full_disk_is_told_before_it_is_full(free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free})())  # type: ignore[attr-defined]
    assert checks.disk_check(tmp_path / "not" / "there").state.value == state


# -- init -------------------------------------------------------------------------------------------------------------


def test_init_writes_what_was_answered_and_keeps_the_rest(fresh: Path, kraken: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_KEY", kraken["key"])
    monkeypatch.setenv("KRAKEN_API_SECRET", kraken["secret"])
    facts = told("init", "--yes", "--symbols", "btc-eur,eth/eur", "--cash", "500", "--timezone", "Europe/Berlin")
    assert facts["key_works"] is True
    assert kraken["secret"] not in json.dumps(facts)
    text = (fresh / "config" / "settings.toml").read_text()
    assert 'symbols = ["BTC/EUR", "ETH/EUR"]' in text
    assert 'quote = "EUR"' in text
    assert "starting_cash = 500" in text
    assert "# IANA time zone of local days" in text
    assert stat.S_IMODE((fresh / ".env").stat().st_mode) == 0o600
    monkeypatch.setenv("KRAKEN_API_KEY", "another")
    assert "--replace" in told("init", "--yes", code=1)["error"]
    assert "another" not in (fresh / ".env").read_text()


def test_init_asks_six_questions_and_writes_nothing_without_a_yes(fresh: Path) -> None:
    before = (fresh / "config" / "settings.toml").read_bytes()
    answers = ["BTC/USD", "250", "UTC", "local", "0", "", "n"]
    done = CliRunner().invoke(app, ["init"], input="\n".join(answers) + "\n", env=WIDE)
    assert done.exit_code == 1
    assert [f"{number}." in done.output for number in range(1, 7)] == [True] * 6
    assert (fresh / "config" / "settings.toml").read_bytes() == before
    assert not (fresh / ".env").exists()
    answers[-1] = "y"
    done = CliRunner().invoke(app, ["init"], input="\n".join(answers) + "\n", env=WIDE)
    assert done.exit_code == 0, done.output
    assert "starting_cash = 250" in (fresh / "config" / "settings.toml").read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [(["--timezone", "Mars/Olympus"], "timezone"), (["--symbols", "BTC/USD,ETH/EUR"], "one quote currency"), (["--provider", "me"], "me")],
)
def test_init_refuses_what_the_settings_would_refuse_and_writes_nothing(flags: list[str], words: str, fresh: Path) -> None:
    before = (fresh / "config" / "settings.toml").read_bytes()
    done = CliRunner().invoke(app, ["init", "--yes", *flags, "--json"], env=WIDE)
    assert done.exit_code in (1, 2)
    assert words in json.loads(done.stdout.strip().splitlines()[-1])["error"]
    assert (fresh / "config" / "settings.toml").read_bytes() == before


# -- status and page --------------------------------------------------------------------------------------------------


def test_status_is_not_watched_by_programs(home: Home) -> None:
    assert "for people" in told("status", "--watch", "--home", home.root, code=2)["error"]


def test_doctor_and_status_tell_where_the_running_shell_serves_its_page(home: Home) -> None:
    def page() -> str:
        facts = told("doctor", "--offline", "--home", home.root)
        return next(str(each["sentence"]) for each in facts["checks"] if each["name"] == "page")

    with Store.open(home.database) as store:
        beside = [{"name": "page", "ok": True, "sentence": "http://127.0.0.1:4711/"}]
        store.facts.set(LIVE_FACT, {"running": True, "beside": beside})
    assert "8787" in page() and "while the shell" in page()
    with HomeLock(home).acquire():
        assert page() == "at http://127.0.0.1:4711/"


@thorough
def test_the_page_is_served_for_a_home_without_a_shell_until_it_is_told_to_end(home: Home, project: Path) -> None:
    command = [sys.executable, "-m", "deployments.cli.main", "page", "--home", str(home.root), "--port", "0", "--json"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        view = httpx.get(f"{json.loads(line)['url']}data/view", trust_env=False, timeout=60).json()
        assert view["positions"]["rows"][0][0] == "BTC/USD"
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
