"""What the event log's facts read like, and that every kind of alarm says what to do."""

from __future__ import annotations

from datetime import timedelta

from shell.execution.record import StepRecord
from shell.money import QuoteAmount
from shell.notices.facts import TOLD_KINDS, notices_of
from shell.notices.kinds import KINDS, Severity, kind_of
from shell.notices.notice import Notice
from shell.orders import Side
from shell.portfolio.ledger import Ledger, apply_fill
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from shell.trials.candidate import Stage, StageResult
from tests.shell.store.examples import START, approved_order, fill_of, minutes, submitted_order


def told(store: Store) -> list[tuple[str, str]]:
    return [(notice.kind, notice.text) for notice in notices_of(store.events.after(0, TOLD_KINDS), "USD")]


def test_parts_of_one_order_are_one_message_and_a_sale_is_told_with_its_result(tmp_path) -> None:
    with Store.open(tmp_path / "brain.db") as store:
        journal = store.journal("main")
        bought = approved_order(1)
        parts = [fill_of(bought, qty="0.2", part="a"), fill_of(bought, qty="0.3", price="20010", part="b")]
        sold = approved_order(2, side=Side.SELL)
        out = fill_of(sold, price="19000")
        ledger = Ledger(cash=QuoteAmount(50_000))
        for fill in parts:
            ledger, _ = apply_fill(ledger, fill)
        journal.record(
            StepRecord(book="main", at=minutes(6), submitted=[submitted_order(bought)], fills=parts, ledger=ledger)
        )
        ledger, trade = apply_fill(ledger, out)
        assert trade is not None
        journal.record(
            StepRecord(book="main", at=minutes(9), submitted=[submitted_order(sold)], fills=[out], trades=[trade], ledger=ledger)
        )
        assert told(store) == [
            ("fill", "Bought 0.5 BTC at 20,006.04: 10,003.02 USD, fee 80.00"),
            ("fill", "Closed BTC/USD as decided: −623.02 USD (−6.23\u00a0%) after fees"),
        ]


def test_a_stop_a_halt_and_a_refused_promotion_are_told_as_what_they_are(tmp_path) -> None:
    with Store.open(tmp_path / "brain.db") as store:
        store.events.append("trade", START, {
            "symbol": "ETH/USD", "cost": "100", "proceeds": "95", "fees": "1", "exit_purpose": "stop",
        })
        store.halts.raise_(Halt(kind=HaltKind.DRAWDOWN, book="main", sentence="15 % below", raised_at=START))
        store.halts.raise_(Halt(kind=HaltKind.OPERATOR_PAUSE, book="main", sentence="asked for by Ann", raised_at=START))
        refused = StageResult(stage=Stage.PROMOTE, passed=False, reasons=("overtaken",), inputs={})
        store.events.append("stage", START + timedelta(minutes=1), {
            "candidate": "c0001", "stage": refused.stage.value, "passed": False, "reasons": refused.reasons,
        })
        found = notices_of(store.events.after(0, TOLD_KINDS), "USD")
        assert [(notice.kind, notice.severity) for notice in found] == [
            ("stop", Severity.INFO), ("halt", Severity.CRITICAL), ("halt", Severity.INFO), ("promotion", Severity.INFO),
        ]
        assert found[0].text == "Closed ETH/USD by its stop: −6.00 USD (−6.00\u00a0%) after fees"
        assert found[1].told_action == "/risk shows what was measured; /resume DRAWDOWN lifts it once you agree"
        assert found[2].told_action == "/resume allows them again"


def test_no_kind_is_without_an_action_a_name_for_many_and_words_for_the_manual() -> None:
    for name, kind in KINDS.items():
        assert kind.name == name
        assert all(text.strip() for text in (kind.tells, kind.action, kind.many))
    assert Notice(kind="unheard", text="x").told_action == kind_of("unheard").action != ""
