"""What a person does by hand is checked like a strategy's wish, recorded under a name, and happens once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployments.opening import OpenHome
from shell.config import Settings
from shell.contract import Action, Signal
from shell.desk import Desk
from shell.errors import NotNow, Rejected
from shell.host.port import StrategySource
from shell.risk.halts import HaltKind
from shell.trials.candidate import Proposal, Stage, StageResult
from tests.shell.telegram.kit import buy, step

WHO = "Ann"


def candidate(opened: OpenHome, hypothesis: str) -> str:
    source = StrategySource(code=f"class Strategy:\n    # {hypothesis}\n    pass\n")
    proposal = Proposal(source=source, parent_version="v001", hypothesis=hypothesis, provider="person", seed=0)
    return opened.store.candidates.register(proposal, opened.shell.now).candidate_id


def told(opened: OpenHome, kind: str) -> list[str]:
    return [each.text for each in opened.store.outbox.list() if each.kind == kind]


def test_a_pause_stops_openings_and_leaves_exits_and_outlives_a_restart(opened: OpenHome) -> None:
    shell, hand = opened.shell, Desk(opened.shell).by_hand
    buy(opened)
    hand.pause(WHO, shell.now)
    with pytest.raises(NotNow, match="paused already"):
        hand.pause(WHO, shell.now)
    refused = shell.engine.by_hand(Signal("ETH/USD", Action.BUY, 0.05), "test:paused", shell.now)
    assert [(answer.approved, answer.code) for answer in refused.answers] == [(False, "HALTED")]
    assert [halt.kind for halt in opened.store.books.load("main").halts] == [HaltKind.OPERATOR_PAUSE]
    assert "sell" in hand.close("BTC/USD", WHO, shell.now)
    step(opened)
    assert not shell.engine.ledger.positions
    assert hand.resume(HaltKind.OPERATOR_PAUSE, WHO, shell.now) == ()
    with pytest.raises(NotNow, match="no active halt"):
        hand.resume(HaltKind.OPERATOR_PAUSE, WHO, shell.now)
    assert opened.store.books.check("main") == []


def test_closing_what_is_not_held_is_refused_and_nothing_is_recorded(opened: OpenHome) -> None:
    before = len(opened.store.scans.answers("main"))
    with pytest.raises(NotNow, match="no SOL/USD is held"):
        Desk(opened.shell).by_hand.close("SOL/USD", WHO, opened.shell.now)
    assert len(opened.store.scans.answers("main")) == before


def test_a_candidate_that_waits_is_asked_about_once_and_heeds_the_last_word(opened: OpenHome) -> None:
    desk, now = Desk(opened.shell), opened.shell.now
    name = candidate(opened, "it trends")
    opened.store.candidates.record_stage(
        name, StageResult(stage=Stage.PAPER, passed=True, reasons=("9 of 9 fills agree",), inputs={}), now
    )
    assert [desk.approval(name, now + timedelta(hours=hours)) for hours in (0, 1)] == ["waiting", "waiting"]
    (asked,) = [each for each in opened.store.outbox.list() if each.kind == "approval"]
    assert (asked.text, asked.action, asked.severity) == (
        f"{name} waits for you: it trends (9 of 9 fills agree)", f"/approve {name} or /reject {name}", "warning",
    )
    assert desk.by_hand.decide(name, True, WHO, now).startswith("it is promoted within")
    assert desk.approval(name, now) == "approved"
    assert desk.by_hand.decide(name, False, "Bob", now).startswith("it is refused within")
    assert desk.approval(name, now) == "rejected"
    events = [(each.payload["approved"], each.payload["by"]) for each in opened.store.events.rows(kind="approval")]
    assert events == [(True, WHO), (False, "Bob")]
    assert opened.store.approvals.list()[0].by == "Bob"


def test_a_promotion_without_a_persons_word_is_refused_whoever_asks_for_it(opened: OpenHome) -> None:
    desk, now = Desk(opened.shell), opened.shell.now
    name = candidate(opened, "it asks the shell itself")
    with pytest.raises(NotNow, match=f"{name} waits for a person.*refused 7d after"):
        desk.promote(name, now)
    assert opened.shell.active_strategy().version == "v001"
    desk.by_hand.decide(name, False, "Bob", now)
    with pytest.raises(Rejected, match="rejected by Bob"):
        desk.promote(name, now)
    desk.by_hand.decide(name, True, WHO, now)
    # The next door: the evidence, which this one has none of.
    with pytest.raises(Rejected, match="has not passed the gate"):
        desk.promote(name, now)


def test_in_live_mode_a_word_on_prefects_page_does_not_count(opened: OpenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, now = Desk(opened.shell), opened.shell.now
    name = candidate(opened, "decided on a page without a password")
    monkeypatch.setattr(opened.shell, "config", opened.shell.config.model_copy(update={"mode": "live"}))
    with pytest.raises(Rejected, match=f"does not count.*`brain approve {name}`"):
        desk.decide(name, True, "somebody on this machine", now)
    assert opened.store.approvals.get(name) is None
    monkeypatch.undo()
    assert desk.decide(name, True, WHO, now).startswith("recorded: it is promoted once it has passed its paper trial")


def test_a_question_that_nobody_answers_is_a_no(opened: OpenHome) -> None:
    desk, now = Desk(opened.shell), opened.shell.now
    name = candidate(opened, "nobody answers")
    opened.store.candidates.record_stage(
        name, StageResult(stage=Stage.PAPER, passed=True, reasons=("9 of 9 fills agree",), inputs={}), now
    )
    week = timedelta(days=7)
    assert [desk.approval(name, at) for at in (now, now + week - timedelta(seconds=1))] == ["waiting", "waiting"]
    assert desk.approval(name, now + week) == "rejected"
    with pytest.raises(Rejected, match="rejected by nobody in time"):
        desk.promote(name, now)


@pytest.mark.parametrize(
    ("mode", "approval", "asks"),
    [("live", "", True), ("paper", "", False), ("live", "auto", False), ("live", "none", False), ("paper", "ask", True)],
)
def test_live_mode_asks_unless_the_settings_say_otherwise(mode: str, approval: str, asks: bool) -> None:
    assert Settings(mode=mode, orchestrator={"approval": approval}).asks_approval is asks


def test_nobody_decides_about_what_has_ended_or_was_never_there(opened: OpenHome) -> None:
    hand, now = Desk(opened.shell).by_hand, opened.shell.now
    name = candidate(opened, "it ended")
    opened.store.candidates.record_stage(name, StageResult(stage=Stage.GATE, passed=False, reasons=("no",), inputs={}), now)
    with pytest.raises(NotNow, match="has ended already"):
        hand.decide(name, True, WHO, now)
    with pytest.raises(Rejected, match="no candidate c9999"):
        hand.decide("c9999", True, WHO, now)


def test_a_request_is_taken_once_and_not_when_it_is_old(opened: OpenHome) -> None:
    desk, now = Desk(opened.shell), opened.shell.now
    desk.take_request("orchestrate", now)
    assert desk.take_request("orchestrate", now) == ""
    desk.by_hand.request_run("orchestrate", WHO, now)
    assert [desk.take_request("orchestrate", now) for _ in range(2)] == [WHO, ""]
    desk.by_hand.request_run("orchestrate", WHO, now)
    assert desk.take_request("orchestrate", now + timedelta(hours=2)) == ""
    with pytest.raises(Rejected, match="cannot be asked for"):
        desk.by_hand.request_run("scan", WHO, now)


def test_a_kill_is_told_once_however_often_it_is_asked_for(opened: OpenHome) -> None:
    hand, now = Desk(opened.shell).by_hand, opened.shell.now
    for _ in range(3):
        hand.kill("enough of this", now)
    assert [text for text in told(opened, "halt") if "enough of this" in text] == [
        "Openings are halted: KILL_SWITCH: enough of this"
    ]


def test_a_kill_note_that_is_no_text_kills_all_the_same(opened: OpenHome) -> None:
    opened.home.kill_file.write_bytes(b"\xff fire")
    opened.shell.heed_kill_request(opened.shell.now)
    assert HaltKind.KILL_SWITCH in opened.shell.engine.halts
    assert not opened.home.kill_file.exists()
