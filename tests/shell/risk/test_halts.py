"""When halts are raised, that they are raised once, and that a lifted one does not come back at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.config import RiskConfig
from shell.money import NO_MONEY, QuoteAmount
from shell.portfolio.ledger import EquityMarks, Ledger
from shell.risk.halts import HaltKind, after_lift, evaluate
from tests.shell.risk.cases import DAY, NOW, marks

CONFIG = RiskConfig(max_daily_loss_pct="0.03", max_drawdown_pct="0.15", max_consecutive_losses=3)


def halts(equity: str, reference: EquityMarks | None = None, *, losses: int = 0, active=()):
    ledger = Ledger(cash=QuoteAmount(equity), consecutive_losses=losses)
    return evaluate(CONFIG, ledger, reference or marks(), QuoteAmount(equity), NOW, "main", active)


def kinds(*arguments, **changes) -> list[HaltKind]:
    return [halt.kind for halt in halts(*arguments, **changes)]


@pytest.mark.parametrize("equity", ["10000", "12000", "9700.00000001"])
def test_nothing_is_halted_short_of_a_limit(equity):
    assert halts(equity, losses=2) == []


def test_a_daily_loss_that_reaches_its_limit_halts_and_says_what_was_measured():
    (halt,) = halts("9700")
    assert (halt.kind, halt.book, halt.raised_at) == (HaltKind.DAILY_LOSS, "main", NOW)
    assert halt.sentence == (
        "equity of 9,700.00 is 3 % below the day's start of 10,000.00; max_daily_loss_pct allows less than 3 %"
    )


def test_a_drawdown_halts_though_the_day_itself_is_calm():
    calm = EquityMarks(day=DAY, day_start=QuoteAmount(8500), peak=QuoteAmount(10_000))
    assert kinds("8500", calm) == [HaltKind.DRAWDOWN]
    assert kinds("8500.01", calm) == []


def test_losses_in_a_row_halt():
    (halt,) = halts("10000", losses=3)
    assert halt.kind is HaltKind.CONSECUTIVE_LOSSES
    assert "3 trades in a row lost money" in halt.sentence


def test_all_that_is_true_at_once_is_raised_at_once_and_nothing_twice():
    everything = [HaltKind.DAILY_LOSS, HaltKind.DRAWDOWN, HaltKind.CONSECUTIVE_LOSSES]
    assert kinds("8000", losses=3) == everything
    assert kinds("8000", losses=3, active={HaltKind.DRAWDOWN}) == [everything[0], everything[2]]
    assert kinds("8000", losses=3, active=everything) == []


def test_an_account_without_money_has_nothing_to_lose():
    nothing = EquityMarks(day=DAY, day_start=NO_MONEY, peak=NO_MONEY)
    assert kinds("0", nothing) == []
    # All of it withdrawn after a gain: the day began "below zero".
    assert kinds("0", replace(nothing, day_start=QuoteAmount(-200))) == []


@pytest.mark.parametrize("kind", [HaltKind.DAILY_LOSS, HaltKind.DRAWDOWN, HaltKind.CONSECUTIVE_LOSSES])
@given(equity=st.decimals("0.01", "9999", places=2), losses=st.integers(0, 9))
def test_a_lifted_halt_does_not_come_back_at_once(kind, equity, losses):
    value = QuoteAmount(equity)
    ledger, reference = after_lift(kind, Ledger(cash=value, consecutive_losses=losses), marks(), value)
    assert kind not in [halt.kind for halt in evaluate(CONFIG, ledger, reference, value, NOW, "main", ())]


def test_a_lifted_drawdown_is_measured_afresh():
    _, reference = after_lift(HaltKind.DRAWDOWN, Ledger(), marks(), QuoteAmount(8000))
    assert HaltKind.DRAWDOWN not in kinds("6800.01", reference)
    assert HaltKind.DRAWDOWN in kinds("6800", reference)


@pytest.mark.parametrize("kind", [HaltKind.KILL_SWITCH, HaltKind.BOOKS_DIFFER, HaltKind.LIMITS_CHANGED])
def test_lifting_a_halt_without_a_reference_changes_nothing(kind):
    ledger = Ledger(consecutive_losses=2)
    assert after_lift(kind, ledger, marks(), QuoteAmount(1)) == (ledger, marks())
