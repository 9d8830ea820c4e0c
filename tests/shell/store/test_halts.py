"""Halts outlive a restart and end only in a person's name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shell.errors import NotNow
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from tests.shell.store.examples import minutes

DRAWDOWN = Halt(kind=HaltKind.DRAWDOWN, book="main", sentence="15 % below the peak", raised_at=minutes(1))


def test_a_halt_is_still_active_after_a_restart(database):
    with Store.open(database) as store:
        assert store.halts.raise_(DRAWDOWN)
    with Store.open(database) as store:
        assert store.halts.active("main") == [DRAWDOWN]
        assert store.halts.active("trial:t0001") == []


def test_a_second_halt_of_the_kind_leaves_the_first(store):
    assert store.halts.raise_(DRAWDOWN)
    assert not store.halts.raise_(replace(DRAWDOWN, sentence="16 % below the peak"))
    assert store.halts.active("main") == [DRAWDOWN]


def test_a_lifted_halt_is_history_with_the_name_of_who_lifted_it(store):
    other = replace(DRAWDOWN, kind=HaltKind.KILL_SWITCH)
    store.halts.raise_(DRAWDOWN)
    store.halts.raise_(other)
    assert store.halts.lift(HaltKind.DRAWDOWN, "main", "pat", minutes(9)) == DRAWDOWN
    assert store.halts.active("main") == [other]
    lifted, standing = store.halts.history("main")
    assert (lifted.halt, lifted.lifted_at, lifted.lifted_by) == (DRAWDOWN, minutes(9), "pat")
    assert (standing.halt, standing.lifted_at) == (other, None)
    assert store.halts.raise_(replace(DRAWDOWN, raised_at=minutes(10)))
    assert len(store.halts.history("main")) == 3
    assert [event.kind for event in store.events.rows()] == ["halt", "halt", "halt_lifted", "halt"]


def test_what_is_not_active_cannot_be_lifted(store):
    with pytest.raises(NotNow, match="main has no active halt DRAWDOWN"):
        store.halts.lift(HaltKind.DRAWDOWN, "main", "pat", minutes(1))
