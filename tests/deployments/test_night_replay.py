"""A night run again from its record: the same to the byte, and a difference where something was changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.night_replay.run import replay_night
from deployments.opening import account_overrides, open_replay, settings_for
from shell.desk import Desk
from shell.home import Home
from shell.secrets import SECRET_NAMES
from shell.store.canonical import canonical
from shell.store.store import Store
from tasks.client import SegmentName
from tasks.decide import decide_and_keep, gather
from tasks.life import live
from tasks.night import DecisionKind
from tasks.night_inputs import context_of, settings_of
from tests.shell.store.examples import unguard
from tests.tasks.memory_shell import SYMBOLS, MemoryShell
from tests.tasks.sources import proposal, rule
from tests.tasks.zigzag import zigzag
from tests.thorough import thorough

DAYS, SEED = 62, 7
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
NIGHT_AT = BEGIN + timedelta(days=DAYS - 1, hours=5)
NIGHT = "2024-03-02"
SMALL = {
    "orchestrator.search_evaluations": 2, "orchestrator.search_days_max": 6, "orchestrator.history_days_min": 30,
    "orchestrator.candidates_per_night": 2, "orchestrator.nights_between_searches": 0, "gate.min_trades": 2, "gate.min_days": 5,
}


def make_home(place: Home, **changed: object) -> Home:
    """A home after one night: a person's file and perhaps a search, decided and taken as far as each goes."""
    settings = settings_for(place, {**account_overrides(SYMBOLS), **SMALL, **changed})
    opened = open_replay(place, settings, zigzag(SYMBOLS, BEGIN, DAYS), NIGHT_AT, NIGHT_AT + timedelta(hours=1))
    opened.shell.start(NIGHT_AT)
    try:
        opened.shell.step(NIGHT_AT, origin="rehearsal")
        desk = Desk(opened.shell)
        opened.store.candidates.submit(proposal(rule(fast=4, slow=30)), NIGHT_AT)
        decision = decide_and_keep(desk, NIGHT_AT, seed=SEED)
        assert decision.kind is DecisionKind.EVOLVE, decision.reasons
        for item in decision.items:
            live(desk, item, NIGHT_AT, SEED)
        opened.store.nights.record(NIGHT, {"decision": "evolve"}, NIGHT_AT)
        # What came later must not show: a candidate of the next day.
        desk.register_candidate(proposal(rule(fast=20, slow=90)), NIGHT_AT + timedelta(days=1))
        assert opened.store.candidates.scores(SegmentName.SELECTION.value)
    finally:
        opened.close()
    return place


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One submitted file that the gate refuses for its few trades, before it costs further runs."""
    place = Home.private(tmp_path_factory.mktemp("night") / "home")
    return make_home(place, **{"orchestrator.candidates_per_night": 1, "gate.min_trades": 1000})


@pytest.fixture
def untouched(home: Home) -> Iterator[bytes]:
    before = home.database.read_bytes()
    yield before
    assert home.database.read_bytes() == before, "a replay writes nothing"


@thorough
def test_a_night_run_again_is_the_same_to_the_byte_and_writes_nothing(home: Home, untouched: bytes) -> None:
    facts = replay_night(home, NIGHT)
    [attempt] = facts["attempts"]
    assert facts["differences"] == [] and facts["identical"] and facts["same_program"]
    assert attempt["decision"] == "evolve"
    assert [life["made"] for life in attempt["candidates"]] == [["c0001"]]


@thorough
def test_a_night_with_a_search_and_the_whole_gate_is_the_same_too(tmp_path: Path) -> None:
    facts = replay_night(make_home(Home.private(tmp_path / "home")), NIGHT)
    assert facts["differences"] == []
    assert len(facts["attempts"][0]["candidates"]) == 2


@thorough
def test_the_command_tells_whether_it_is_identical(home: Home, untouched: bytes) -> None:
    runner = CliRunner()
    listed = json.loads(runner.invoke(app, ["night", "list", "--home", str(home.root), "--json"]).stdout.splitlines()[-1])
    assert [(each["night"], each["replayable"]) for each in listed["nights"]] == [(NIGHT, True)]
    refused = runner.invoke(app, ["night", "replay", "2024-01-05", "--home", str(home.root)])
    assert refused.exit_code == 1 and "not on record" in refused.output
    assert runner.invoke(app, ["night", "replay", NIGHT, "--provider", "oracle", "--home", str(home.root)]).exit_code == 2


@thorough
def test_a_record_that_was_changed_shows(home: Home, tmp_path: Path) -> None:
    place = Home.private(tmp_path / "copy").create()
    place.database.write_bytes(home.database.read_bytes())
    for file in home.archive.rglob("*"):
        if file.is_file():
            target = place.archive / file.relative_to(home.archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    with Store.open(place.database) as store, store.transaction() as connection:
        unguard(connection)
        connection.exec_driver_sql(
            "UPDATE candidate_stages SET reasons = '[\"something else\"]' WHERE candidate_id = 'c0001' AND stage = 'sandbox'"
        )
    facts = replay_night(place, NIGHT)
    assert not facts["identical"]
    assert any(line.startswith("c0001: the sandbox stage differs: now") for line in facts["differences"]), facts["differences"]


def test_inputs_survive_json_and_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET_NAMES:
        monkeypatch.setenv(name, "hush-hush-hush")
    shell = MemoryShell(rule())
    decision = decide_and_keep(shell, NIGHT_AT, seed=SEED)
    [inputs] = shell.inputs.values()
    assert "hush" not in canonical(inputs)
    assert settings_of(inputs) == shell.settings()
    assert settings_of(inputs, "vertex").ai.provider == "vertex"
    assert canonical(context_of(inputs)) == canonical(gather(shell, NIGHT_AT))
    assert inputs["decision"]["kind"] == decision.kind.value
