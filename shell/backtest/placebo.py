"""Placebos: what a return series would look like without skill, for comparisons that too few real trials were made for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shell.errors import BadInput


def placebos(returns: NDArray[np.float64], count: int, *, block: float, seed: int) -> NDArray[np.float64]:
    """`count` columns of as many periods as `returns`, each a stationary bootstrap (Politis and Romano 1994) of the returns
    without their mean, in blocks of `block` periods on average: the same fluctuations, no gain but luck.

    The same seed gives the same columns. Raises BadInput for fewer than two returns, a negative count, and blocks below one.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or count < 0 or not block >= 1:
        raise BadInput(f"{values.size} returns, {count} placebos, blocks of {block!r}: give two returns, blocks from 1 on")
    centred, length = values - values.mean(), len(values)
    chance = np.random.default_rng(seed)
    rows = np.empty((length, count), dtype=np.intp)
    rows[0] = chance.integers(length, size=count)
    for at in range(1, length):
        anew = chance.random(count) < 1 / block
        rows[at] = np.where(anew, chance.integers(length, size=count), (rows[at - 1] + 1) % length)
    drawn: NDArray[np.float64] = centred[rows]
    return drawn
