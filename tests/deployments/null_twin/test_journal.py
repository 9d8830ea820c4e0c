"""The journal gives back what it was given, under the same key only, and a torn line costs one month."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.null_twin.journal import Journal
from deployments.null_twin.month import MonthResult
from shell.errors import BadInput


def result(month: int, promoted_on: int | None = None) -> MonthResult:
    return MonthResult(
        month=month, market="martingale", nights=30, searches=10, looks=50, scored=10, promoted_on=promoted_on, refusals={}
    )


def test_months_come_back_by_key(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "months.jsonl"
    Journal(path, "one").append(result(4))
    Journal(path, "one").append(result(2, promoted_on=7))
    Journal(path, "other").append(result(9))
    assert Journal(path, "one").finished() == {4: result(4), 2: result(2, promoted_on=7)}
    assert Journal(path, "third").finished() == {}


def test_a_torn_line_costs_its_month_and_not_the_next(tmp_path: Path) -> None:
    path = tmp_path / "months.jsonl"
    journal = Journal(path, "one")
    journal.append(result(1))
    journal.append(result(2))
    path.write_bytes(path.read_bytes()[:-20])
    journal.append(result(3))
    assert set(journal.finished()) == {1, 3}


def test_no_file_is_no_month_and_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert Journal(tmp_path / "none.jsonl", "one").finished() == {}
    other = tmp_path / "other.json"
    other.write_text('{"name": "something else"}\n')
    with pytest.raises(BadInput, match="no journal"):
        Journal(other, "one").finished()
