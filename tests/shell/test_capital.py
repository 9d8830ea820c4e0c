"""Capital is what an operator allocates: booked once, within what there is, and never a gain or a loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from shell.capital import allocated, heed_notes
from shell.capital_notes import FILE, leave_note, take_notes
from shell.config import AccountConfig, Settings
from shell.errors import DatabaseFailed
from shell.home import Home
from shell.money import QuoteAmount
from shell.orders import Side
from tests.shell.exchange.bench import Bench
from tests.shell.exchange.simulator.kit import wait


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.reconcile()
    yield made
    made.store.close()


def heed(bench: Bench) -> list[str]:
    wait(bench.desk, 1)
    home = replace(Home.private(bench.path.parent, project=bench.path.parent), database=bench.path)
    return heed_notes(
        home, bench.store, bench.engine, quote="USD", live=True, now=bench.now,
        notify=lambda kind, severity, text, now: bench.notes.append((severity, text)),
    )


def note(bench: Bench, amount: str) -> None:
    home = replace(Home.private(bench.path.parent, project=bench.path.parent), database=bench.path)
    leave_note(home, Decimal(amount), bench.now)


def test_cash_of_the_account_is_allocated_and_taken_back_without_gain_or_loss(bench: Bench) -> None:
    for amount, capital, outside in (("4000", 14_000, 6_000), ("-1000.5", Decimal("12999.5"), Decimal("7000.5"))):
        note(bench, amount)
        (sentence,) = heed(bench)
        assert "USD" in sentence
        assert bench.engine.ledger.capital == QuoteAmount(capital)
        assert bench.store.account.outside()["USD"] == outside
        assert bench.engine.equity() == bench.engine.ledger.capital
        assert bench.engine.halts == {}
        bench.agrees()
        assert bench.reconcile().matches
        bench.agrees()


def test_a_note_counts_once_whatever_dies_around_it(bench: Bench) -> None:
    note(bench, "1000")
    left = (bench.path.parent / FILE).read_text(encoding="utf-8")
    assert len(heed(bench)) == 1
    # The process died after the commit and before the note was taken away.
    (bench.path.parent / FILE).write_text(left, encoding="utf-8")
    bench.restart()
    assert heed(bench) == []
    assert bench.engine.ledger.capital == QuoteAmount(11_000)


def test_a_note_that_cannot_be_stored_is_not_in_the_books_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.reconcile()
    note(bench, "2500")

    def full(*_given: object) -> None:
        raise DatabaseFailed("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store.facts, "set", full)
        with pytest.raises(DatabaseFailed):
            heed(bench)
    assert bench.engine.ledger.cash == QuoteAmount(10_000) == QuoteAmount(bench.ours("USD"))
    heed(bench)
    assert bench.engine.ledger.cash == QuoteAmount(12_500) == QuoteAmount(bench.ours("USD"))


def test_a_note_left_while_others_are_heeded_is_not_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    note(bench, "1000")
    telling = bench.store.facts.set

    def meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        note(bench, "-400")
        telling(*given)

    monkeypatch.setattr(bench.store.facts, "set", meanwhile)
    assert len(heed(bench)) == 1
    assert len(heed(bench)) == 1
    assert heed(bench) == []
    assert bench.engine.ledger.capital == QuoteAmount(10_600)


def test_notes_that_are_no_text_are_passed_over(bench: Bench) -> None:
    (bench.path.parent / FILE).write_bytes(b"\xff\xfe\n")
    note(bench, "10")
    assert len(heed(bench)) == 1


@pytest.mark.parametrize(("amount", "why"), [("10000.01", "not the system's yet"), ("-10000.01", "neither invested nor reserved")])
def test_more_than_there_is_is_refused_for_good(bench: Bench, amount: str, why: str) -> None:
    note(bench, amount)
    (sentence,) = heed(bench)
    assert sentence.startswith("refused:")
    assert why in sentence
    assert heed(bench) == []
    assert bench.engine.ledger.capital == QuoteAmount(10_000)
    bench.agrees()


def test_what_is_invested_is_not_sold_for_a_withdrawal(bench: Bench) -> None:
    bench.trade(Side.BUY, "0.3")
    note(bench, "-5000")
    (sentence,) = heed(bench)
    assert "neither invested nor reserved" in sentence
    assert bench.ours("BTC") == Decimal("0.3")


def test_a_broken_line_among_the_notes_is_passed_over(bench: Bench) -> None:
    note(bench, "10")
    with (bench.path.parent / FILE).open("a", encoding="utf-8") as file:
        file.write('{"id": "x", "amount": "NaN", "at": "2026-01-01T00:00:00+00:00"}\nnot json\n')
    note(bench, "20")
    assert len(heed(bench)) == 2
    assert bench.engine.ledger.capital == QuoteAmount(10_030)


def test_paper_starts_with_the_starting_cash_and_live_with_what_is_allocated() -> None:
    account = AccountConfig(starting_cash=Decimal(9), allocated_cash=Decimal(5))
    assert allocated(Settings(account=account)) == QuoteAmount(9)
    assert allocated(Settings(mode="live", account=account)) == QuoteAmount(5)
    assert allocated(Settings(mode="live", account=AccountConfig(starting_cash=Decimal(9)))) == QuoteAmount(9)


def test_the_command_leaves_a_note_and_refuses_what_is_no_amount(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(app, ["capital", "withdraw", "250.5", "--home", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["amount"] == "-250.5"
    assert [each.amount for each in take_notes(Home.private(tmp_path))] == [Decimal("-250.5")]
    for wrong in ("0", "-5", "NaN", "much"):
        assert runner.invoke(app, ["capital", "add", "--home", str(tmp_path), "--", wrong]).exit_code == 2
