"""A code stands for one command of one person, once, for a minute."""

from __future__ import annotations

from shell.telegram.confirm import VALID_SECONDS, Confirmations


def test_a_code_is_its_persons_and_holds_once() -> None:
    codes = Confirmations(seconds=lambda: 0.0)
    code = codes.ask(1, "kill", "")
    assert code.isdigit() and len(code) == 6
    assert codes.take(code, 2) is None
    asked = codes.take(code, 1)
    assert asked is not None and asked.command == "kill"
    assert codes.take(code, 1) is None
    assert codes.take("", 1) is None


def test_a_code_ends_after_its_time_and_when_another_is_asked_for() -> None:
    now = [0.0]
    codes = Confirmations(seconds=lambda: now[0])
    late, first = codes.ask(1, "close", "BTC/USD"), codes.ask(2, "rollback", "")
    second = codes.ask(2, "kill", "")
    assert codes.take(first, 2) is None
    now[0] = VALID_SECONDS - 0.01
    asked = codes.take(second, 2)
    assert asked is not None and asked.command == "kill"
    now[0] = VALID_SECONDS
    assert codes.take(late, 1) is None


def test_codes_are_not_guessed_from_one_another() -> None:
    codes = Confirmations(seconds=lambda: 0.0)
    assert len({codes.ask(owner, "kill", "") for owner in range(200)}) > 190
