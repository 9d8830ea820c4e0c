"""The trial ledger keeps itself: the database refuses every change, and what is changed all the same is found and named."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from shell.errors import Fatal
from shell.store import trial_chain
from shell.store.ledger_check import GUARDED, GUARDS, POSTGRESQL_GUARDS, check_ledger
from shell.store.looks import SelectionLook
from shell.store.store import Store
from shell.trials.candidate import ChangeClass, Stage, StageResult, TrialScore
from shell.trials.segments import Segment, SegmentName
from tests.shell.store.examples import START, unguard
from tests.shell.store.older import turn_back
from tests.shell.store.test_candidates import PROPOSAL

AT = START
DAY = timedelta(days=1)
SCORE = TrialScore(
    candidate_id="c0001", segment="selection", scored_at=AT, data_hash="d", source_hash="s", sharpe=0.25,
    daily_returns=(0.015625, -0.25, 0.5), trades=12, total_return_pct=0.125,
)
PARTS = {
    name: Segment(name=name, start=AT + number * DAY, end=AT + (number + 1) * DAY)
    for number, name in enumerate(SegmentName)
}
PASSED = StageResult(stage=Stage.BACKTEST, passed=True, reasons=("fine",), inputs={"figures": {"trades": 12}})


@pytest.fixture
def ledger(store: Store) -> Store:
    """One candidate with everything the ledger keeps, and facts of another kind around it."""
    store.events.append("note", AT, {"number": 1})
    store.candidates.register(PROPOSAL, AT)
    store.looks.lay_out(PARTS, AT)
    store.looks.open_selection(SelectionLook(quarter="2023Q1", candidate_id="c0001", at=AT))
    store.candidates.record_score(SCORE)
    store.candidates.record_stage("c0001", PASSED, AT)
    store.looks.open_vault("c0001", PARTS[SegmentName.VAULT], AT)
    store.candidates.record_searches(None, 3, AT)
    return store


def tampered(store: Store, sql: str) -> tuple[str, ...]:
    with store.transaction() as connection:
        unguard(connection)
        connection.exec_driver_sql(sql)
    return tuple(each for each in check_ledger(store).problems if "append-only" not in each)


def test_a_ledger_that_nobody_touched_is_whole(ledger: Store) -> None:
    found = check_ledger(ledger)
    assert (found.problems, found.whole, found.trials, found.events, found.facts) == ((), True, 1, 8, 7)
    assert found.head == ledger.trial_chain.head() != trial_chain.EMPTY_LEDGER
    assert found.event_log_hash == ledger.events.head()


def test_an_empty_ledger_is_whole(store: Store) -> None:
    assert check_ledger(store).whole


@pytest.mark.parametrize(
    "sql",
    [
        *[f"DELETE FROM {table}" for table in GUARDED],
        "UPDATE events SET payload = '{}' WHERE seq = 1",
        "UPDATE trial_scores SET sharpe = 0.1",
        "UPDATE trial_scores SET daily_returns = '[]'",
        "UPDATE candidate_stages SET passed = FALSE",
        "UPDATE candidates SET code = 'pass'",
        "UPDATE vault_looks SET at = '2020-01-01T00:00:00.000000Z'",
        "UPDATE selection_looks SET free = 'yes'",
        "UPDATE segment_splits SET vault_start = vault_end",
        "UPDATE searches SET looks = 0",
        "UPDATE trial_links SET hash = ''",
        "INSERT OR REPLACE INTO events SELECT seq, at, book, kind, '{}', hash FROM events WHERE seq = 2",
        "INSERT OR REPLACE INTO trial_scores SELECT seq, candidate_id, segment, scored_at, data_hash, source_hash, 9.0, "
        "daily_returns, trades, total_return_pct FROM trial_scores",
        "INSERT INTO events SELECT seq + 10, at, book, kind, payload, hash FROM events WHERE seq = 2",
        "INSERT INTO vault_looks SELECT * FROM vault_looks WHERE true ON CONFLICT DO UPDATE SET at = ''",
        "REPLACE INTO vault_looks SELECT * FROM vault_looks",
    ],
)
@pytest.mark.sqlite
def test_the_database_itself_refuses_to_change_or_remove_a_row(ledger: Store, sql: str, database: Path) -> None:
    with pytest.raises(Fatal, match="append-only"), ledger.transaction() as connection:
        connection.exec_driver_sql(sql)
    beside = sqlite3.connect(database)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        beside.execute(sql)
    beside.close()
    assert check_ledger(ledger).whole


def test_a_reviewer_may_still_raise_the_risk_tier(ledger: Store) -> None:
    ledger.candidates.classify("c0001", ChangeClass.OVERHAUL)
    assert ledger.candidates.get("c0001").change_class is ChangeClass.OVERHAUL
    assert check_ledger(ledger).whole


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE trial_scores SET daily_returns = '[0.015625,-0.25,0.75]'", "trial_scores: the row of fact 5 differs"),
        ("UPDATE trial_scores SET sharpe = 0.5", "trial_scores: the row of fact 5 differs"),
        ("UPDATE trial_scores SET data_hash = 'e'", "trial_scores: the row of fact 5 differs"),
        ("DELETE FROM trial_scores", "trial_scores: the row of fact 5, of which the event log tells, is gone"),
        ("UPDATE candidate_stages SET passed = FALSE", "candidate_stages: the row of fact 6 differs"),
        ("UPDATE candidate_stages SET stage = 'nothing'", "candidate_stages: the row of fact 6 differs"),
        ("UPDATE candidate_stages SET inputs = '{}'", "candidate_stages: the row of fact 6 differs"),
        ("UPDATE candidates SET provider = 'person'", "candidates: the row of c0001 differs"),
        ("UPDATE candidates SET code = 'pass'", "candidates: the code of c0001 is not what its hash names"),
        ("UPDATE candidates SET skills = '{}'", "candidates: the code of c0001 is not what its hash names"),
        ("DELETE FROM vault_looks", "vault_looks: the row of c0001, of which the event log tells, is gone"),
        ("UPDATE vault_looks SET at = '2020-01-01T00:00:00.000000Z'", "vault_looks: the row of c0001 differs"),
        ("DELETE FROM selection_looks", "selection_looks: the row of fact 4, of which"),
        ("UPDATE selection_looks SET free = 'same'", "selection_looks: the row of fact 4 differs"),
        ("UPDATE segment_splits SET vault_start = search_start", "segment_splits: the row of 2023Q1 differs"),
        ("UPDATE searches SET looks = 0", "searches: the row of fact 8 differs"),
        ("UPDATE events SET payload = '{\"number\":2}' WHERE seq = 1", "the event log does not hold from fact 1 on"),
        ("DELETE FROM events WHERE seq = 8", "the trial ledger has 7 links for 6 facts"),
        ("DELETE FROM trial_links WHERE number = 7", "the trial ledger has 6 links for 7 facts"),
        ("UPDATE trial_links SET payload_hash = '' WHERE number = 2", "does not hold from link 2 on"),
        (
            "INSERT INTO trial_scores SELECT 99, candidate_id, segment, scored_at, data_hash, source_hash, sharpe, "
            "daily_returns, trades, total_return_pct FROM trial_scores",
            "trial_scores: the row of fact 99 has no fact",
        ),
    ],
)
def test_what_is_changed_behind_its_back_is_found_and_named(ledger: Store, sql: str, told: str) -> None:
    problems = tampered(ledger, sql)
    assert any(told in problem for problem in problems), problems


def test_lost_guards_are_named(ledger: Store) -> None:
    with ledger.transaction() as connection:
        unguard(connection, "trial_scores")
    lost = ", ".join(GUARDS if ledger.is_sqlite else POSTGRESQL_GUARDS)
    assert check_ledger(ledger).problems == (f"the table trial_scores has lost what keeps it append-only ({lost})",)


def test_daily_returns_are_part_of_the_head(store: Store, tmp_path: Path) -> None:
    store.candidates.record_score(SCORE)
    with Store.open(tmp_path / "other.db") as other:
        other.candidates.record_score(replace(SCORE, daily_returns=(0.015625, -0.25, 0.5000001)))
        assert other.trial_chain.head() != store.trial_chain.head()
        assert other.events.head() != store.events.head()


def test_a_score_without_a_number_is_checked_like_any_other(store: Store) -> None:
    store.candidates.record_score(replace(SCORE, sharpe=float("nan"), daily_returns=(float("nan"), 0.1)))
    assert check_ledger(store).whole


@pytest.mark.sqlite
def test_a_home_of_an_earlier_version_is_linked_and_guarded_by_the_migration(ledger: Store, database: Path) -> None:
    """The migration run again over facts that were made without links gives the links they would have had."""
    head = ledger.trial_chain.head()
    ledger.close()
    newer = turn_back(database, "0002")
    with Store.open(database) as again:
        with sqlite3.connect(newer) as kept, again.transaction() as connection:
            for table in ("segment_splits", "selection_looks"):
                for row in kept.execute(f"SELECT * FROM {table}"):
                    connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        assert again.trial_chain.head() == head
        assert check_ledger(again).whole


def test_the_migration_guards_what_the_check_looks_for() -> None:
    migration = import_module("shell.store.migrations.versions.0003_trial_ledger")
    assert set(migration.APPEND_ONLY) == set(GUARDED)
    # Of kinds that came later no older home has facts that would have to be linked.
    assert trial_chain.LEDGER_KINDS ^ set(migration.LEDGER_KINDS) == {"rerun"}
    assert GUARDS == ("no_update", "no_delete", "no_replace")
