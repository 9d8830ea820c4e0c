"""What a night leaves behind: decisions, trials, messages, snapshots, facts, and scans to be shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from shell.answers import PaperTrial
from shell.errors import NotNow, Rejected
from shell.execution.record import StepRecord
from shell.money import QuoteAmount
from shell.store.store import Store
from tests.shell.store.examples import (
    START,
    answer,
    approved_order,
    fill_of,
    minutes,
    scan,
    submitted_order,
)

DUE = START + timedelta(days=2)


def test_a_nights_decision_is_recorded_once_and_a_revision_keeps_its_trace(store):
    store.nights.record("2023-03-02", {"decision": "no change", "reasons": ["none passed"]}, minutes(1))
    store.nights.record("2023-03-02", {"reasons": ["none passed"], "decision": "no change"}, minutes(2))
    assert len(list(store.events.rows(kind="night"))) == 1
    store.nights.record("2023-03-02", {"decision": "promoted"}, minutes(3))
    store.nights.record("2023-03-01", {"decision": "no change"}, minutes(4))
    assert [(each.night, each.decision["decision"]) for each in store.nights.list()] == [
        ("2023-03-01", "no change"), ("2023-03-02", "promoted"),
    ]
    assert store.nights.get("2023-03-02").at == minutes(3)
    assert store.nights.get("2023-03-09") is None
    assert len(list(store.events.rows(kind="night"))) == 3


def test_a_trial_begins_once_a_candidate_and_goes_through_its_states(store):
    trial = store.paper.start("c0001", started_at=START, due_at=DUE)
    assert trial == PaperTrial(
        trial_id="t0001", candidate_id="c0001", started_at=START, due_at=DUE, state="running"
    )
    assert store.paper.start("c0001", started_at=minutes(9), due_at=DUE) == trial
    assert store.paper.start("c0002", started_at=START, due_at=DUE).trial_id == "t0002"
    later = DUE + timedelta(days=5)
    assert store.paper.update("t0001", state="extended", due_at=later) == replace(trial, state="extended", due_at=later)
    assert store.paper.result("t0001") is None
    store.paper.update("t0001", state="passed", result={"fills": 6}, at=later)
    assert store.paper.result("t0001") == {"fills": 6}
    assert [each.trial_id for each in store.paper.list("running")] == ["t0002"]
    assert [each.state for each in store.paper.list()] == ["passed", "running"]
    store.paper.update("t0002", state="aborted")
    assert store.paper.start("c0002", started_at=START, due_at=DUE).trial_id == "t0003"
    with pytest.raises(Rejected, match="there is no paper trial t0009"):
        store.paper.update("t0009", state="passed")
    with pytest.raises(ValueError, match="finished"):
        store.paper.update("t0001", state="finished")


def test_a_trial_is_judged_on_what_its_own_book_did_before_the_moment(store):
    book = "trial:t0001"
    store.books.ensure_capital(book, QuoteAmount(50_000), START)
    journal = store.journal(book)
    for number in (1, 20):
        order = approved_order(number, book=book)
        journal.record(
            StepRecord(
                book=book, at=minutes(number), scan=scan(minutes(number)), answers=[answer(number, book=book)],
                submitted=[submitted_order(order)], fills=[fill_of(order)], faults=["error: no"],
            )
        )
    store.journal("main").record(StepRecord(book="main", at=minutes(1), scan=scan(minutes(1)), answers=[answer(1)]))
    answers, fills, scans, faults = store.paper.facts_of(book, before=minutes(20))
    assert answers == [answer(1, book=book)]
    assert fills == [fill_of(approved_order(1, book=book))]
    assert (scans, faults) == (1, 1)


def test_messages_wait_until_they_are_delivered(database):
    with Store.open(database) as store:
        for text in ("one", "two", "three"):
            store.outbox.add("system", "info", text, START)
    with Store.open(database) as store:
        waiting = store.outbox.undelivered(2)
        assert [message.text for message in waiting] == ["one", "two"]
        store.outbox.mark_delivered([message.id for message in waiting], minutes(1))
        assert [message.text for message in store.outbox.undelivered()] == ["three"]
        assert [message.text for message in store.outbox.list()] == ["one", "two", "three"]


def test_a_day_has_one_snapshot_a_book(store):
    day = {"day": date(2023, 3, 1), "at": minutes(1), "cash": "1", "day_pnl": "-0.5", "fees": QuoteAmount("0.1")}
    store.snapshots.record(equity="10", positions=[], **day)
    store.snapshots.record(equity="11.25", positions=[{"symbol": "BTC/USD", "qty": 0.5}], **day)
    store.snapshots.record(equity="9", positions=[], book="trial:t0001", **day)
    (found,) = store.snapshots.list()
    assert (found.equity, found.day_pnl, found.fees) == (QuoteAmount("11.25"), QuoteAmount("-0.5"), QuoteAmount("0.1"))
    assert found.positions == [{"symbol": "BTC/USD", "qty": 0.5}]
    assert len(store.snapshots.list("trial:t0001")) == 1


def test_a_fact_holds_until_it_is_set_again(database):
    with Store.open(database) as store:
        assert store.facts.get("limits") is None
        assert store.facts.once("limits", "abc") == "abc"
        assert store.facts.once("limits", "def") == "abc"
        store.facts.set("data", {"real": False})
        store.facts.set("data", {"real": True}, START)
    with Store.open(database) as store:
        assert store.facts.get("limits") == "abc"
        assert store.facts.get("data") == {"real": True}


def test_a_slot_tells_its_own_answers_and_no_others(store):
    journal = store.journal("main")
    for number in (5, 10):
        journal.record(
            StepRecord(
                book="main", at=minutes(number), scan=replace(scan(minutes(number)), signals=1, approved=1),
                answers=[answer(number)],
            )
        )
    outcome = store.scans.outcome("main", minutes(5), already_done=True)
    assert (outcome.slot, outcome.signals, outcome.approved, outcome.already_done) == (minutes(5), 1, 1, True)
    assert [(each["signal_id"], each["code"]) for each in outcome.answers] == [("s5", "APPROVED")]
    with pytest.raises(NotNow, match="the slot 2023-03-01 00:15 UTC of main has not been scanned"):
        store.scans.outcome("main", minutes(15))
    assert store.scans.get("main", minutes(15)) is None
    assert [each.slot for each in store.scans.list("main", since=minutes(6))] == [minutes(10)]


def test_scans_that_nobody_asked_for_are_reported_once(store):
    journal = store.journal("main")
    for number, origin in ((5, "fallback"), (10, "requested"), (15, "fallback")):
        journal.record(StepRecord(book="main", at=minutes(number), scan=scan(minutes(number), origin=origin)))
    assert [each.slot for each in store.scans.unreported("main", ["fallback"])] == [minutes(5), minutes(15)]
    store.scans.mark_reported("main", [minutes(5)], minutes(20))
    assert [each.slot for each in store.scans.unreported("main", ["fallback"])] == [minutes(15)]
