"""Splits that do not leak: against skfolio and purgedcv, by hand, and by what must hold of every split."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.backtest.splits import (
    combinatorial_purged_splits,
    number_of_paths,
    number_of_splits,
    paths,
    walk_forward_splits,
)
from shell.errors import BadInput


def test_six_groups_two_tested_make_fifteen_splits_and_five_paths() -> None:
    """The example of Lopez de Prado 2018, section 12.3."""
    assert (number_of_splits(6, 2), number_of_paths(6, 2)) == (15, 5)
    assert len(combinatorial_purged_splits(60, 6, 2)) == 15
    assert paths(6, 2).shape == (5, 6)


def test_purge_and_embargo_by_hand() -> None:
    first, *_, last = combinatorial_purged_splits(12, 4, 1, purge=1, embargo=1)
    # Test 0..2: label 2 reaches to 3 (purge), 4 is embargoed. Test 9..11: label 8 reaches into it.
    assert first.train.tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert last.train.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert (last.groups, last.test.tolist()) == ((3,), [9, 10, 11])


@pytest.mark.parametrize(("groups", "tested", "purge", "embargo"), [(6, 2, 0, 0), (6, 2, 2, 3), (5, 3, 1, 0), (8, 2, 0, 4)])
def test_splits_are_those_of_skfolio(groups: int, tested: int, purge: int, embargo: int) -> None:
    from skfolio.model_selection import CombinatorialPurgedCV

    n_obs = groups * 12
    theirs = CombinatorialPurgedCV(n_folds=groups, n_test_folds=tested, purged_size=purge, embargo_size=embargo)
    ours = combinatorial_purged_splits(n_obs, groups, tested, purge=purge, embargo=embargo)
    assert theirs.n_splits == len(ours)
    assert theirs.n_test_paths == number_of_paths(groups, tested)
    for (train, tests), split in zip(theirs.split(np.zeros((n_obs, 1))), ours, strict=True):
        assert train.tolist() == split.train.tolist()
        assert sorted(np.concatenate(tests)) == split.test.tolist()


@pytest.mark.parametrize(("purge", "anchored"), [(0, False), (3, False), (2, True)])
def test_walk_forward_is_that_of_skfolio(purge: int, anchored: bool) -> None:
    from skfolio.model_selection import WalkForward

    theirs = WalkForward(test_size=10, train_size=30, purged_size=purge, expand_train=anchored)
    ours = walk_forward_splits(100, 30, 10, purge=purge, anchored=anchored)
    found = list(theirs.split(np.zeros((100, 1))))
    assert len(found) == len(ours)
    for (train, test), split in zip(found, ours, strict=True):
        assert (train.tolist(), test.tolist()) == (split.train.tolist(), split.test.tolist())


def test_combinations_are_those_of_purgedcv() -> None:
    from purgedcv import CombinatorialPurgedCV

    times = pd.Series(pd.date_range("2024-01-01", periods=60, freq="D", tz="UTC"))
    theirs = CombinatorialPurgedCV(6, 2, prediction_times=times, evaluation_times=times)
    found = [(list(train), list(test)) for train, test in theirs.split(np.zeros((60, 1)))]
    ours = combinatorial_purged_splits(60, 6, 2)
    assert sorted(found) == sorted((split.train.tolist(), split.test.tolist()) for split in ours)


@settings(max_examples=60)
@given(st.integers(2, 8), st.integers(1, 7), st.integers(0, 40), st.integers(0, 4), st.integers(0, 4))
def test_no_training_label_reaches_into_a_test_and_none_stands_in_its_embargo(
    groups: int, tested: int, extra: int, purge: int, embargo: int
) -> None:
    tested = min(tested, groups - 1)
    n_obs = groups * 12 + extra
    ours = combinatorial_purged_splits(n_obs, groups, tested, purge=purge, embargo=embargo)
    assert len({split.groups for split in ours}) == len(ours) == math.comb(groups, tested)
    for split in ours:
        train = set(split.train.tolist())
        for block in split.tests:
            first, last = int(block[0]), int(block[-1])
            assert block.tolist() == list(range(first, last + 1))
            assert not train & set(range(first - purge, last + purge + embargo + 1))
    table = paths(groups, tested)
    for group in range(groups):
        assert sorted(table[:, group]) == [number for number, split in enumerate(ours) if group in split.groups]


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5), st.integers(0, 5), st.booleans())
def test_walking_forward_trains_only_on_what_was_over(
    train: int, test: int, purge: int, embargo: int, anchored: bool
) -> None:
    ours = walk_forward_splits(120, train, test, purge=purge, embargo=embargo, anchored=anchored)
    tested = np.concatenate([split.test for split in ours])
    assert tested.tolist() == list(range(train + purge + embargo, train + purge + embargo + len(tested)))
    for split in ours:
        assert split.train[-1] + purge + embargo < split.test[0]
        assert split.train[0] == 0 if anchored else len(split.train) == train


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: combinatorial_purged_splits(10, 1, 1), "at least two groups"),
        (lambda: combinatorial_purged_splits(10, 4, 4), "fewer test groups"),
        (lambda: combinatorial_purged_splits(10, 4, 0), "0 test groups"),
        (lambda: combinatorial_purged_splits(3, 4, 2), "do not fill"),
        (lambda: combinatorial_purged_splits(8, 4, 3, purge=2), "nothing to train on"),
        (lambda: combinatorial_purged_splits(40, 4, 2, purge=-1), "purge = -1"),
        (lambda: number_of_splits(40, 20), "at most"),
        (lambda: walk_forward_splits(10, 8, 3), "do not hold"),
        (lambda: walk_forward_splits(10, 8, 1, embargo=2), "do not hold"),
        (lambda: walk_forward_splits(10, 0, 3), "train_size = 0"),
        (lambda: walk_forward_splits(10, 3, 3, embargo=-1), "embargo = -1"),
    ],
)
def test_what_leaves_nothing_is_refused(call: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        call()  # type: ignore[operator]
