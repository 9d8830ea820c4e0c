"""A night that a model made, run again from its record with the server gone, and by another provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.night_replay.run import replay_night
from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from shell.desk import Desk
from shell.errors import DataError
from shell.home import Home
from shell.model_calls import CallState
from shell.store.store import Store
from tasks.decide import decide_and_keep
from tasks.life import live
from tasks.night import Decision, DecisionKind, NightRecord, decision_values
from tests.tasks.ai.answers import finding, manuscript, opinion, plan
from tests.tasks.ai.messages_server import MessagesServer, serving
from tests.tasks.memory_shell import SYMBOLS
from tests.tasks.sources import rule
from tests.tasks.zigzag import zigzag
from tests.thorough import thorough

DAYS, SEED = 62, 7
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
NIGHT_AT = BEGIN + timedelta(days=DAYS - 1, hours=5)
NIGHT = "2024-03-02"
GOOD = rule(fast=4, slow=30)
SMALL: dict[str, Any] = {
    "orchestrator.search_evaluations": 2, "orchestrator.search_days_max": 6, "orchestrator.history_days_min": 30,
    "orchestrator.candidates_per_night": 1, "orchestrator.nights_between_searches": 0, "gate.min_trades": 1000,
    "ai.provider": "anthropic", "ai.retries_max": 0,
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    with serving() as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-canary")
        yield running


def opened_home(place: Home, **changed: object) -> OpenHome:
    settings = settings_for(place, {**account_overrides(SYMBOLS), **SMALL, **changed})
    opened = open_replay(place, settings, zigzag(SYMBOLS, BEGIN, DAYS), NIGHT_AT, NIGHT_AT + timedelta(days=9))
    opened.shell.start(NIGHT_AT)
    opened.shell.step(NIGHT_AT, origin="rehearsal")
    return opened


def lived_night(opened: OpenHome, at: datetime = NIGHT_AT, *, lives: bool = True) -> Decision:
    """Decide and live one night as the flow does, up to the gate; its decision is on record afterwards."""
    desk = Desk(opened.shell)
    decision = decide_and_keep(desk, at, seed=SEED)
    if lives:
        outcomes = tuple(live(desk, item, at, SEED) for item in decision.items)
        record = NightRecord(
            night=NIGHT, at=at, decision=decision, settlements=(), outcomes=outcomes, performance={}, active_version="v001",
            aggregated={},
        )
        desk.record_night(NIGHT, decision_values(record), at)
    return decision


def night_of_models(place: Home, **changed: object) -> Decision:
    opened = opened_home(place, **changed)
    try:
        return lived_night(opened)
    finally:
        opened.close()


def home_in(folder: Path) -> Home:
    return Home.private(folder / "home")


def test_a_night_that_a_model_ended_runs_again_when_the_server_is_gone(tmp_path: Path, monkeypatch: Any) -> None:
    place = home_in(tmp_path)
    with serving() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-canary")
        server.script = [plan(decision="no change", direction="")]
        decision = night_of_models(place)
        assert decision.kind is DecisionKind.NO_CHANGE
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    before = place.database.read_bytes()
    facts = replay_night(place, NIGHT)
    assert facts["differences"] == [] and facts["identical"] and facts["same_program"]
    assert facts["attempts"][0]["reasons"] == list(decision.reasons)
    assert (facts["provider"], facts["calls"], len(server.asked)) == ("anthropic", 0, 1)
    assert place.database.read_bytes() == before, "a replay from the record writes nothing"
    # A document that nobody kept cannot be shown to a model again, and that is said.
    text = (place.workspace / "strategy_document.md").read_text()
    (place.workspace / "strategy_document.md").write_text(text + "\nOne more belief.\n")
    with pytest.raises(DataError, match="is not kept"):
        replay_night(place, NIGHT)


@thorough
def test_a_night_with_a_candidate_runs_again_to_the_byte(tmp_path: Path, monkeypatch: Any) -> None:
    place = home_in(tmp_path)
    with serving() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-canary")
        server.by_role = {"analyse": [plan()], "generate": [manuscript(GOOD)], "review": [opinion()]}
        decision = night_of_models(place)
        assert decision.kind is DecisionKind.EVOLVE
        assert len(server.asked) == 3
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    facts = replay_night(place, NIGHT)
    assert facts["differences"] == [] and facts["identical"]
    [attempt] = facts["attempts"]
    assert attempt["reasons"] == list(decision.reasons)
    assert attempt["candidates"][0]["made"] == ["c0001"]
    # By the rules alone the night would have gone another way, and it says where.
    other = replay_night(place, NIGHT, "local")
    assert any(line.startswith("the night decides evolve") for line in other["differences"])
    assert any(line.startswith("c0001") for line in other["differences"])


@thorough
def test_a_night_whose_money_ended_runs_again_with_the_same_sentences(server: MessagesServer, tmp_path: Path) -> None:
    """The plan is paid, the code is not: no row tells of the refused call, the log does."""
    place = home_in(tmp_path)
    server.by_role = {"analyse": [plan()]}
    server.counted_tokens = 500
    opened = opened_home(place, **{"ai.call_usd_max": Decimal("0.25"), "ai.night_usd_max": Decimal("0.26")})
    try:
        lived_night(opened)
        candidate = opened.store.candidates.list()[0]
    finally:
        opened.close()
    assert "the night's money is spent" in candidate.stages[0].reasons[0]
    facts = replay_night(place, NIGHT)
    assert facts["differences"] == []


@thorough
def test_a_night_without_a_key_runs_again_with_the_same_sentences(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    place = home_in(tmp_path)
    opened = opened_home(place)
    try:
        decision = lived_night(opened)
        assert "set ANTHROPIC_API_KEY" in decision.remarks[0]
        assert "set ANTHROPIC_API_KEY" in opened.store.candidates.list()[0].stages[0].reasons[0]
    finally:
        opened.close()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-canary")
    facts = replay_night(place, NIGHT)
    assert facts["differences"] == [] and facts["attempts"][0]["remarks"] == list(decision.remarks)


@thorough
def test_a_night_that_was_cut_short_runs_again_attempt_by_attempt(server: MessagesServer, tmp_path: Path) -> None:
    """Decided, cut short, and done an hour's trading later: the second attempt takes the answer of the first."""
    place = home_in(tmp_path)
    server.by_role = {
        "analyse": [plan()], "generate": [manuscript(GOOD), manuscript(rule(fast=4, slow=24))],
        "review": [opinion(findings=[finding()]), opinion()],
    }
    opened = opened_home(place)
    try:
        lived_night(opened, lives=False)
        later = NIGHT_AT + timedelta(hours=1)
        for minutes in range(5, 65, 5):
            opened.shell.step(NIGHT_AT + timedelta(minutes=minutes), origin="rehearsal")
        lived_night(opened, later)
        names = [each.candidate_id for each in opened.store.candidates.list()]
    finally:
        opened.close()
    assert names == ["c0001", "c0002"], "the reviewer's objection led to a revision"
    facts = replay_night(place, NIGHT)
    assert facts["differences"] == []
    assert len(facts["attempts"]) == 2


@thorough
def test_another_provider_is_asked_once_within_the_caps_and_booked(server: MessagesServer, tmp_path: Path) -> None:
    place = home_in(tmp_path)
    night_of_models(place, **{"ai.provider": "local"})
    server.by_role = {"analyse": [plan(decision="no change", direction="")] * 2}
    facts = replay_night(place, NIGHT, "anthropic")
    assert any("on record is evolve" in line for line in facts["differences"])
    assert (facts["calls"], facts["usd"], len(server.asked)) == (1, 0.04, 1)
    again = replay_night(place, NIGHT, "anthropic")
    assert (again["differences"], len(server.asked)) == (facts["differences"], 1), "a question is paid once"
    with Store.open(place.database) as store:
        [call] = store.model_calls.list()
        assert (call.asked.night, call.state) == (f"{NIGHT} replay anthropic", CallState.ANSWERED)
    assert replay_night(place, NIGHT)["identical"], "the night itself is as it was"


@thorough
def test_the_command_shows_a_night_of_models_and_its_differences(server: MessagesServer, tmp_path: Path) -> None:
    place = home_in(tmp_path)
    server.script = [plan(decision="no change", direction="")]
    night_of_models(place)
    runner = CliRunner()
    same = runner.invoke(app, ["night", "replay", NIGHT, "--home", str(place.root), "--json"])
    assert same.exit_code == 0, same.output
    assert json.loads(same.stdout.splitlines()[-1])["identical"]
    other = runner.invoke(app, ["night", "replay", NIGHT, "--provider", "local", "--home", str(place.root)])
    assert other.exit_code == 0 and "differs: the night decides evolve" in other.output
