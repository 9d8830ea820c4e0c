"""A file of arrays: tables of any shape come back, and one that is not as told is refused."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest

from shell.backtest.array_file import read_arrays, write_arrays


def test_facts_and_tables_of_any_shape_come_back_mapped() -> None:
    tables = [np.arange(6.0).reshape(2, 3), np.empty((6, 0)), np.full((3, 1), np.nan), np.arange(8.0).reshape(2, 4).T]
    with tempfile.TemporaryFile() as file:
        write_arrays(file, {"a": [1, "ü"]}, [table.shape for table in tables], iter(tables))
        facts, found = read_arrays(file.fileno())
    assert facts == {"a": [1, "ü"]}
    assert len(found) == len(tables)
    for ours, theirs in zip(found, tables, strict=True):
        assert np.array_equal(ours, theirs, equal_nan=True)
        assert not ours.flags.writeable


@pytest.mark.parametrize("shapes", [[(2, 2)], [(1, 4), (2, 2)], []])
def test_tables_that_are_not_as_told_are_refused(shapes: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryFile() as file, pytest.raises(ValueError, match="told|argument"):
        write_arrays(file, {}, shapes, [np.zeros((1, 4))])
