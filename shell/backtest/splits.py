"""Training and test observations that do not leak into each other: combinatorial purged and walk-forward splits.

Observations are periods in order, numbered from 0; every split is arrays of such numbers. An observation's outcome may be
known only `purge` periods later: the label of one that opens a position spans from the entry to the exit. Training
observations whose labels overlap a test's are left out (purge), and `embargo` further ones right behind each test, because
returns next to one another depend on one another.

Source: Lopez de Prado 2018, "Advances in Financial Machine Learning", chapters 7 and 12.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from shell.errors import BadInput

SPLITS_MAX = 100_000

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One split. `groups` are the numbers of the groups tested, `tests` their observations, one array a group."""

    train: Indices
    groups: tuple[int, ...]
    tests: tuple[Indices, ...]

    @property
    def test(self) -> Indices:
        """Every tested observation."""
        return np.concatenate(self.tests)


def number_of_splits(n_groups: int, n_test_groups: int) -> int:
    """C(N, k). Raises BadInput unless 2 <= N and 1 <= k < N, and for more than `SPLITS_MAX` splits."""
    if n_groups < 2 or not 1 <= n_test_groups < n_groups:
        raise BadInput(
            f"{n_test_groups} test groups of {n_groups}: there must be at least two groups, and fewer test groups than groups"
        )
    count = math.comb(n_groups, n_test_groups)
    if count > SPLITS_MAX:
        raise BadInput(f"{n_test_groups} test groups of {n_groups} make {count:,} splits: {SPLITS_MAX:,} at most")
    return count


def number_of_paths(n_groups: int, n_test_groups: int) -> int:
    """k/N C(N, k) = C(N-1, k-1): how many whole histories the tested groups can be put together to. Raises as above."""
    number_of_splits(n_groups, n_test_groups)
    return math.comb(n_groups - 1, n_test_groups - 1)


def combinatorial_purged_splits(
    n_obs: int, n_groups: int, n_test_groups: int, *, purge: int = 0, embargo: int = 0
) -> tuple[Split, ...]:
    """Every choice of `n_test_groups` of `n_groups` contiguous groups is the test once, in lexicographic order.

    The first groups are one longer where `n_obs` is no multiple. Raises BadInput for counts out of range, fewer observations
    than groups, and a purge and embargo that leave some split nothing to train on.
    """
    number_of_splits(n_groups, n_test_groups)
    _require_gaps(purge, embargo)
    if n_obs < n_groups:
        raise BadInput(f"{n_obs} observations do not fill {n_groups} groups")
    groups = np.array_split(np.arange(n_obs), n_groups)
    return tuple(
        _split(n_obs, groups, chosen, purge, embargo) for chosen in combinations(range(n_groups), n_test_groups)
    )


def paths(n_groups: int, n_test_groups: int) -> NDArray[np.intp]:
    """Which split tests each group in each path: paths x groups, numbers of splits in the order above.

    Every pair of a split and a group it tests is used exactly once. Raises BadInput as `number_of_splits` does.
    """
    table = np.empty((number_of_paths(n_groups, n_test_groups), n_groups), dtype=np.intp)
    filled = [0] * n_groups
    for number, chosen in enumerate(combinations(range(n_groups), n_test_groups)):
        for group in chosen:
            table[filled[group], group] = number
            filled[group] += 1
    return table


def walk_forward_splits(
    n_obs: int, train_size: int, test_size: int, *, purge: int = 0, embargo: int = 0, anchored: bool = False
) -> tuple[Split, ...]:
    """Tests that follow one another, each after a training window that ends `purge` + `embargo` observations before it.

    `anchored` windows all begin at 0, others are `train_size` long. Observations at the end that fill no whole test are left
    over. Raises BadInput for sizes below one and when not even one split fits.
    """
    _require_gaps(purge, embargo)
    if train_size < 1 or test_size < 1:
        raise BadInput(f"train_size = {train_size}, test_size = {test_size}: write whole numbers of at least 1")
    gap = purge + embargo
    count = (n_obs - train_size - gap) // test_size
    if count < 1:
        raise BadInput(f"{n_obs} observations do not hold {train_size} to train on, {gap} between and {test_size} to test")
    return tuple(_forward(count, train_size, test_size, gap, anchored))


def _forward(count: int, train_size: int, test_size: int, gap: int, anchored: bool) -> Iterator[Split]:
    for number in range(count):
        end = train_size + number * test_size
        begin = 0 if anchored else end - train_size
        test = np.arange(end + gap, end + gap + test_size)
        yield Split(train=np.arange(begin, end), groups=(number,), tests=(test,))


def _split(n_obs: int, groups: list[Indices], chosen: tuple[int, ...], purge: int, embargo: int) -> Split:
    kept = np.ones(n_obs, dtype=bool)
    for group in chosen:
        first, last = groups[group][0], groups[group][-1]
        # A label of `purge` periods reaches from before a test into it, and from the test's end out of it.
        kept[max(0, first - purge) : last + 1 + purge + embargo] = False
    if not kept.any():
        raise BadInput(f"purge = {purge} and embargo = {embargo} leave nothing to train on when groups {chosen} are tested")
    return Split(train=np.flatnonzero(kept), groups=chosen, tests=tuple(groups[group] for group in chosen))


def _require_gaps(purge: int, embargo: int) -> None:
    if purge < 0 or embargo < 0:
        raise BadInput(f"purge = {purge}, embargo = {embargo}: write numbers of observations, 0 or more")
