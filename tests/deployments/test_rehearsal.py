"""The rehearsal: whole days and nights, the same again from the same seed, and books that survive kill -9 and Ctrl-C."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from deployments.checks import State, prefect_check
from deployments.prefect_api import PrefectApi, call
from deployments.prefect_password import PASSWORD_FILE, known_password
from deployments.rehearsal import MARK, PAPER, VENUES, Options, rehearse
from deployments.standing import prefect_of, standing_of
from shell.errors import DataError, NotNow, UsageError
from shell.home import Home, HomeLock
from shell.market.synthetic import synthetic_market
from shell.secrets import Secret
from shell.store.store import Store
from tests.thorough import THOROUGH

START = datetime(2023, 3, 1, tzinfo=UTC)
FIELDS = {
    "days", "nights", "scans", "signals", "orders", "fills", "candidates", "promotions", "starting_value", "final_value",
    "max_drawdown_pct", "data", "report", "event_log_hash", "seconds", "venue", "exchange_check",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty days: enough to trade on, too few to search on, so that nights are quick."""
    folder = tmp_path_factory.mktemp("data")
    for symbol, frame in synthetic_market(3, ["BTC/USD", "ETH/USD"], START, 40).m5.items():
        frame.write_parquet(folder / f"{symbol.replace('/', '-')}_5m.parquet")
    return folder


def command(data: Path, out: Path, *, days: int, venue: str = "simulator") -> list[str]:
    return [
        sys.executable, "-m", "deployments.cli.main", "rehearse", "--data", str(data), "--days", str(days),
        "--start", "2023-03-31", "--seed", "7", "--out", str(out), "--venue", venue, "--json",
    ]


def facts_of(out: Path) -> dict[str, Any]:
    home = Home.private(out)
    with Store.open(home.database, read_only=True) as store:
        assert store.events.verify()
        return standing_of(home, store)


@pytest.mark.prefect
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("venue", [pytest.param(each, marks=THOROUGH) for each in VENUES])
def test_two_days_and_nights_give_the_same_events_twice_and_a_report(data: Path, tmp_path: Path, venue: str) -> None:
    answers = []
    for name in ("one", "two"):
        done = subprocess.run(
            command(data, tmp_path / name, days=2, venue=venue), capture_output=True, text=True, timeout=1500, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers.append(json.loads(done.stdout.strip().splitlines()[-1]))
    first, second = answers
    assert first.keys() >= FIELDS
    assert first["event_log_hash"] == second["event_log_hash"]
    assert (first["days"], first["nights"], first["scans"]) == (2, 2, 576)
    assert first["books_check"] == []
    assert first["data"]["real"] is True
    assert first["venue"] == venue
    check = first["exchange_check"]
    if venue == PAPER:
        assert check is None
    else:
        assert (check["equal"], check["fills_booked"]) == (True, first["fills"])
    report = Path(first["report"]).read_text(encoding="utf-8")
    assert "2 nights" in report
    assert ("books equal the exchange's" in html.unescape(report)) is (venue != PAPER)
    nights = Path(first["home"]) / "reports"
    assert sorted(path.name for path in nights.glob("night-*.md")) == ["night-2023-03-31.md", "night-2023-04-01.md"]


def require_closed(home: Home, *, every_path: bool) -> None:
    """Prefect itself tells nobody without the home's password more than that it is well, and its flows had it."""
    url, password = prefect_of(home)["url"], known_password(home)
    assert password is not None and password.place == str(home.prefect / PASSWORD_FILE)
    api = PrefectApi(url=url, password=password)
    runs = call(api, "POST", "/flow_runs/filter", {})
    assert any(run["name"].startswith("orchestrate 2023-03-31") for run in runs), [run["name"] for run in runs]
    asked = {"post /deployments/", "post /flow_runs/", "get /admin/settings", "get /health"}
    if every_path:
        paths = call(api, "GET", "/openapi.json", None)["paths"]
        asked |= {f"{verb} {path.removeprefix('/api')}" for path, verbs in paths.items() for verb in verbs}
        assert len(asked) > 100
    wrong = replace(api, password=replace(password, secret=Secret("brain:not-this-one-0123456789"))).headers()
    answered = set()
    with httpx.Client(trust_env=False, timeout=30) as stranger:
        for each in asked:
            verb, path = each.replace("{id}", str(UUID(int=0))).split()
            answered |= {each for headers in ({}, wrong) if stranger.request(verb, url + path, headers=headers).status_code != 401}
    assert answered - {"get /ready"} == {"get /health"}
    told = prefect_check(home, {})
    assert (told.state, told.sentence) == (State.OK, f"answers at {url}, to its password alone")


@pytest.mark.prefect
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(signal.SIGKILL, id="kill -9", marks=THOROUGH),
        pytest.param(signal.SIGINT, id="Ctrl-C"),
    ],
)
def test_an_interrupted_rehearsal_leaves_consistent_books(data: Path, tmp_path: Path, sent: signal.Signals) -> None:
    out = tmp_path / "home"
    process = subprocess.Popen(
        command(data, out, days=5), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (out / "reports" / "night-2023-03-31.md").exists():
        time.sleep(0.2)
    server = int((out / "prefect" / "server.url").read_text().split()[1])
    require_closed(Home.private(out), every_path=sent is signal.SIGKILL)
    time.sleep(0.5)
    os.kill(process.pid, sent)
    stdout, _ = process.communicate(timeout=120)
    while Path(f"/proc/{server}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not Path(f"/proc/{server}").exists(), "the Prefect server outlived the rehearsal"
    facts = facts_of(out)
    assert facts["books_check"] == []
    assert facts["last_scan"] >= START + timedelta(days=30)
    if sent is signal.SIGINT:
        assert process.returncode == 1
        answer = json.loads(stdout.strip().splitlines()[-1])
        assert answer["partial"] is True
        assert answer.keys() >= FIELDS
        assert answer["exchange_check"]["equal"], answer["exchange_check"]["differences"]
        assert Path(answer["report"]).is_file()


def test_an_impossible_rehearsal_is_refused_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    def go(**fields: Any) -> None:
        rehearse(Options(**{"data": data, "out": tmp_path / "out", "days": 2, **fields}), lambda _: None)

    with pytest.raises(DataError, match="are not in the history, which runs from 2023-03-01"):
        go(start="2024-01-01")
    with pytest.raises(UsageError, match="--days 0"):
        go(days=0)
    with pytest.raises(DataError, match="XYZ-USD"):
        go(symbols=("XYZ-USD",))
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_and_a_home_in_use_are_never_cleared(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    options = Options(data=data, out=out, days=1, start="2023-03-31")
    with pytest.raises(UsageError, match="holds files that no rehearsal made"):
        rehearse(options, lambda _: None)
    (out / MARK).write_text("")
    with HomeLock(Home.private(out)), pytest.raises(NotNow):
        rehearse(options, lambda _: None)
    assert (out / "mine.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="is a file"):
        rehearse(Options(data=data, out=out / "mine.txt", days=1, start="2023-03-31"), lambda _: None)
