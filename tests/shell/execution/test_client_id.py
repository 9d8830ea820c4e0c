"""Names that the venue is given for orders: the same for one intent, another for another home, and told from anybody else's."""

from __future__ import annotations

from uuid import UUID

import pytest

from shell.execution.client_id import NO_MARK, client_order_id, mark_of


def test_one_intent_has_one_name_and_a_home_of_its_own_in_it() -> None:
    name = client_order_id("main\nmain:20260302T1200:0:o", "00a1")
    assert name == client_order_id("main\nmain:20260302T1200:0:o", "00a1")
    assert UUID(name).version == 8
    assert mark_of(name) == mark_of(name.upper()) == "00a1"
    others = {client_order_id(f"main\n{number}", mark) for number in range(500) for mark in ("00a1", "00b2")}
    assert len(others) == 1000
    assert mark_of(client_order_id("x")) == NO_MARK


@pytest.mark.parametrize("name", [None, "", "my order 7", "090c801b-38d7-4846-8844-e26d6c91083c", "7b4a00a1-0000-4000-8000-000000000000"])
def test_anybody_elses_name_has_no_mark(name: str | None) -> None:
    assert mark_of(name) is None


@pytest.mark.parametrize("mark", ["", "xyz1", "00A1", "00a11"])
def test_a_mark_is_four_hexadecimal_digits(mark: str) -> None:
    with pytest.raises(ValueError, match="four hexadecimal digits"):
        client_order_id("main", mark)
