"""How much of a Sharpe ratio is luck: PSR, DSR, expected maximum, track record and backtest lengths, PBO.

Conventions of the papers of 2012 and 2014, said once: Sharpe ratios are per period of the returns they come from, never
annualised (the one exception carries `annual` in its name); kurtosis is not excess (a normal distribution has 3); the
variance of the estimate uses T-1. A later convention (Lopez de Prado, Lipton and Zoonekynd 2025) takes the variance at
the null and T; the older one is the stricter of the two where returns are skewed to the left.

Sources:
- Bailey and Lopez de Prado 2012, "The Sharpe Ratio Efficient Frontier": PSR and minimum track record length.
- Bailey, Borwein, Lopez de Prado and Zhu 2014, "Pseudo-Mathematics and Financial Charlatanism": expected maximum and
  minimum backtest length.
- Bailey and Lopez de Prado 2014, "The Deflated Sharpe Ratio": DSR and the effective number of trials.
- Bailey, Borwein, Lopez de Prado and Zhu 2015, "The Probability of Backtest Overfitting": CSCV.

What has no answer is refused with BadInput: never infinity, never NaN, and so never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shell.errors import BadInput

EULER_GAMMA = 0.5772156649015329
CSCV_BLOCKS_MAX = 20
# Of 20 blocks there are 184,756 splits, which need not all be in memory.
SPLITS_AT_ONCE = 4096
_NORMAL = NormalDist()
# A variance below this, relative to the whole series' own, is rounding.
_DEVIATION_MIN = 1e-12
# Sharpe ratios closer than this are equal: they differ by the order of summation.
_TIE = 1e-10

Floats = NDArray[np.float64]


def probabilistic_sharpe_ratio(
    sr: float, sr_benchmark: float, n_obs: float, skew: float, kurtosis: float
) -> float:
    """Probability that the true Sharpe ratio exceeds `sr_benchmark`, given `sr` estimated from `n_obs` returns.

    Phi((sr - b) sqrt(T-1) / sqrt(1 - g3 sr + (g4-1)/4 sr^2)). All per period; `n_obs` may be a fraction, as a minimum
    track record length is. Raises BadInput for fewer than two observations, values that are not finite, or moments
    that leave no variance.
    """
    sr, sr_benchmark, n_obs = _floats(sr=sr, sr_benchmark=sr_benchmark, n_obs=n_obs)
    if n_obs < 2:
        raise BadInput(f"n_obs = {n_obs!r}: a Sharpe ratio needs at least 2 observations")
    score = (sr - sr_benchmark) * math.sqrt((n_obs - 1) / _estimate_variance(sr, skew, kurtosis))
    _floats(score=score)
    return _NORMAL.cdf(score)


def expected_maximum_sharpe(n_trials: float, variance: float) -> float:
    """Sharpe ratio that the best of `n_trials` trials without skill is expected to show, per period.

    sqrt(V) ((1-g) z(1 - 1/N) + g z(1 - 1/(N e))), g the Euler-Mascheroni constant, V the variance of the trials' Sharpe
    ratios. One trial: 0 by definition, since nothing was chosen. `n_trials` may be an effective number, so a fraction;
    below about 1.2 the approximation turns negative and 0 is returned. Raises BadInput for fewer than one trial or a
    variance that is negative or not finite.
    """
    n_trials = _trials(n_trials)
    (variance,) = _floats(variance=variance)
    if variance < 0:
        raise BadInput(f"variance = {variance!r}: the variance of the trials' Sharpe ratios cannot be negative")
    return math.sqrt(variance) * _expected_maximum_normal(n_trials)


def deflated_sharpe_ratio(
    sr: float, n_obs: float, skew: float, kurtosis: float, n_trials: float, variance_of_trial_sr: float
) -> float:
    """PSR against the expected maximum of all trials: the probability that the best trial's skill is not selection.

    All per period; `variance_of_trial_sr` is taken across the trials' per-period Sharpe ratios. With one trial it is
    the PSR against zero. Raises BadInput as its two parts do.
    """
    benchmark = expected_maximum_sharpe(n_trials, variance_of_trial_sr)
    return probabilistic_sharpe_ratio(sr, benchmark, n_obs, skew, kurtosis)


def minimum_track_record_length(
    sr: float, sr_benchmark: float, skew: float, kurtosis: float, confidence: float
) -> float:
    """Observations needed before `sr` exceeds `sr_benchmark` with `confidence`; a fraction, round up to count.

    1 + (1 - g3 sr + (g4-1)/4 sr^2) (z(confidence) / (sr - b))^2. Raises BadInput when the benchmark is not below the
    Sharpe ratio (no record is long enough), and for a confidence outside 0.5..1 (both excluded).
    """
    sr, sr_benchmark, confidence = _floats(sr=sr, sr_benchmark=sr_benchmark, confidence=confidence)
    if not 0.5 < confidence < 1:
        raise BadInput(f"confidence = {confidence!r}: write a fraction above 0.5 and below 1, such as 0.95")
    if sr_benchmark >= sr:
        raise BadInput(
            f"sr_benchmark = {sr_benchmark!r} is not below sr = {sr!r}: no track record is long enough to tell them "
            "apart"
        )
    ratio = _NORMAL.inv_cdf(confidence) / (sr - sr_benchmark)
    length = 1 + _estimate_variance(sr, skew, kurtosis) * ratio * ratio
    if not math.isfinite(length):
        raise BadInput(f"sr_benchmark = {sr_benchmark!r} is too close to sr = {sr!r} for any finite track record")
    return length


def minimum_backtest_length_years(n_trials: float, target_annual_sharpe: float) -> float:
    """Years of data below which the best of `n_trials` skill-less trials is expected to reach the target by luck.

    (E[max] / target)^2 with E[max] of standard normal draws; one trial: 0. Raises BadInput for fewer than one trial or
    a target that is not above zero.
    """
    n_trials = _trials(n_trials)
    (target_annual_sharpe,) = _floats(target_annual_sharpe=target_annual_sharpe)
    if target_annual_sharpe <= 0:
        raise BadInput(f"target_annual_sharpe = {target_annual_sharpe!r}: write an annual Sharpe ratio above 0")
    ratio = _expected_maximum_normal(n_trials) / target_annual_sharpe
    years = ratio * ratio
    if not math.isfinite(years):
        raise BadInput(f"target_annual_sharpe = {target_annual_sharpe!r} is too small for any finite backtest length")
    return years


def effective_number_of_trials(average_correlation: float, n_trials: int) -> float:
    """Independent trials that `n_trials` correlated ones amount to: rho + (1 - rho) M.

    A negative average correlation would count more trials than were made; it is allowed as far as M trials can have it
    (-1/(M-1)) and then counted as M. Raises BadInput outside that range.
    """
    count = _trials(n_trials)
    (average_correlation,) = _floats(average_correlation=average_correlation)
    lowest = -1 / (count - 1) if count > 1 else -1.0
    if not lowest - _TIE <= average_correlation <= 1:
        raise BadInput(
            f"average_correlation = {average_correlation!r}: {n_trials} trials can have one between {lowest:g} and 1"
        )
    return min(average_correlation + (1 - average_correlation) * count, count)


def probability_of_backtest_overfitting(returns: NDArray[np.float64], n_blocks: int) -> float:
    """Share of splits in which the trial that is best in sample ranks below the median out of sample (CSCV).

    `returns` is T x N: one row a period, one column a trial, all trials on one calendar, survivors or not. The rows are
    cut into `n_blocks` contiguous blocks (the first ones a row longer when T is not a multiple); each of the
    C(S, S/2) choices of half of the blocks is in sample once. Performance is the Sharpe ratio; a trial that earned
    exactly nothing throughout a half, having held nothing, has 0 there. The relative rank out of sample is
    w = rank / (N + 1), ties sharing their mean rank; a split counts when its logit ln(w / (1 - w)) is below zero, so
    when w < 1/2. Trials that tie for the best in sample share their split, so the order of columns is without effect.

    Raises BadInput for an odd number of blocks, fewer than two trials, too few rows, values that are not finite, and a
    trial that is constant but for rounding, for which no Sharpe ratio exists.
    """
    matrix = _require_matrix(returns, n_blocks)
    halves = _Halves(matrix, n_blocks)
    counted: list[float] = []
    for chosen in _batched(combinations(range(n_blocks), n_blocks // 2), SPLITS_AT_ONCE):
        inside = np.zeros((len(chosen), n_blocks))
        inside[np.arange(len(chosen))[:, None], np.array(chosen)] = 1.0
        counted += _shares_below_median(halves.sharpe(inside), halves.sharpe(1.0 - inside)).tolist()
    return math.fsum(counted) / len(counted)


def _batched(items: Iterable[tuple[int, ...]], size: int) -> Iterator[list[tuple[int, ...]]]:
    """`items` in order, `size` at a time, the last ones fewer."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


class _Halves:
    """Sharpe ratios over any choice of blocks, from sums a block: thousands of splits cost S/2 rows each, not T/2."""

    def __init__(self, matrix: Floats, n_blocks: int) -> None:
        blocks = np.array_split(matrix, n_blocks)
        # Sums of squares of centred values lose no digits to a mean that is large against the deviation.
        self._shift = matrix.mean(axis=0)
        self._rows = np.array([float(len(block)) for block in blocks])
        self._sums = np.array([(block - self._shift).sum(axis=0) for block in blocks])
        self._squares = np.array([np.square(block - self._shift).sum(axis=0) for block in blocks])
        self._held = np.array([(block != 0).any(axis=0) for block in blocks], dtype=np.float64)
        self._scale = self._squares.sum(axis=0) / len(matrix)

    def sharpe(self, chosen: Floats) -> Floats:
        """Splits x trials: the Sharpe ratio of every trial over the blocks that a row of `chosen` marks with 1.

        Raises BadInput for a trial that is constant but not idle there.
        """
        count = (chosen @ self._rows)[:, None]
        mean = chosen @ self._sums / count
        variance = chosen @ self._squares / count - np.square(mean)
        idle = chosen @ self._held == 0
        constant = np.argwhere((variance <= self._scale * _DEVIATION_MIN) & ~idle)
        if len(constant):
            raise BadInput(
                f"returns: trial {constant[0][1]} is constant over half of the blocks, so it has no Sharpe ratio there: "
                "leave it out, or use fewer blocks"
            )
        deviation = np.sqrt(np.where(idle, 1.0, variance) * count / (count - 1))
        ratios: Floats = np.where(idle, 0.0, (mean + self._shift) / deviation)
        return ratios


def _shares_below_median(inside: Floats, outside: Floats) -> Floats:
    """Per split, of the trials that are best in sample, the share whose relative rank out of sample is below one half."""
    highest = inside.max(axis=1)
    best = inside >= (highest - _TIE * np.maximum(1.0, np.abs(highest)))[:, None]
    shares = np.zeros(len(inside))
    # One pass for each trial that is best somewhere; where several are, each has its part.
    for trial in np.flatnonzero(best.any(axis=0)):
        rows = np.flatnonzero(best[:, trial])
        others = outside[rows]
        distance = others - others[:, trial][:, None]
        tied = np.abs(distance) <= _TIE * np.maximum(1.0, np.abs(others))
        below = (distance < 0) & ~tied
        relative_rank = (below.sum(axis=1) + (tied.sum(axis=1) + 1) / 2) / (outside.shape[1] + 1)
        shares[rows] += (relative_rank < 0.5 - _TIE) / best[rows].sum(axis=1)
    return shares


def _expected_maximum_normal(n_trials: float) -> float:
    """Expected maximum of `n_trials` standard normal draws, in the closed approximation of the 2014 papers."""
    if n_trials == 1:
        return 0.0
    # z(1 - p) written as -z(p), which keeps its digits where 1 - p would round to 1.
    chance = 1 / n_trials
    maximum = (EULER_GAMMA - 1) * _NORMAL.inv_cdf(chance) - EULER_GAMMA * _NORMAL.inv_cdf(chance / math.e)
    return max(0.0, maximum)


def _estimate_variance(sr: float, skew: float, kurtosis: float) -> float:
    """1 - g3 sr + (g4-1)/4 sr^2: the variance of the Sharpe estimate times T-1 (Mertens 2002)."""
    skew, kurtosis = _floats(skew=skew, kurtosis=kurtosis)
    if kurtosis < 1:
        raise BadInput(
            f"kurtosis = {kurtosis!r}: give the non-excess kurtosis, 3 for a normal distribution and never below 1"
        )
    variance = 1 - skew * sr + (kurtosis - 1) / 4 * sr * sr
    if not (math.isfinite(variance) and variance > _DEVIATION_MIN):
        raise BadInput(
            f"sr = {sr!r}, skew = {skew!r}, kurtosis = {kurtosis!r}: the variance of this Sharpe estimate is "
            f"{variance!r}, which tells nothing"
        )
    return variance


def _floats(**values: float) -> tuple[float, ...]:
    """The values as doubles, whatever kind of number they were. Raises BadInput for one that is not finite."""
    for name, value in values.items():
        if not _is_finite(value):
            raise BadInput(f"{name} = {value!r}: write a finite number")
    return tuple(map(float, values.values()))


def _is_finite(value: object) -> bool:
    """False for what is no number at all as well: a text, None, an array of several."""
    try:
        return math.isfinite(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _trials(n_trials: float) -> float:
    if not (_is_finite(n_trials) and n_trials >= 1):
        raise BadInput(f"n_trials = {n_trials!r}: write a finite number of at least 1")
    return float(n_trials)


def _require_matrix(returns: NDArray[np.float64], n_blocks: int) -> NDArray[np.float64]:
    if not isinstance(n_blocks, int | np.integer) or n_blocks % 2 or not 2 <= n_blocks <= CSCV_BLOCKS_MAX:
        raise BadInput(f"n_blocks = {n_blocks!r}: write an even number from 2 to {CSCV_BLOCKS_MAX}")
    try:
        matrix = _numbers(returns)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f"returns are no table of numbers ({error}): give periods x trials, every row as long as the others"
        ) from None
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise BadInput(f"returns has the shape {matrix.shape}: give periods x trials, with at least two trials")
    rows_least = max(n_blocks, 4)
    if len(matrix) < rows_least:
        raise BadInput(f"returns has {len(matrix)} periods: {n_blocks} blocks need at least {rows_least}")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise BadInput(f"returns: period {row} of trial {column} is {matrix[row, column]}: every value must be finite")
    # By a power of two, which changes no digit and no Sharpe ratio: squares of what is huge or tiny have no double.
    largest = np.abs(matrix).max(axis=0)
    scaled: Floats = np.ldexp(matrix, -np.frexp(largest)[1])
    constant = np.flatnonzero(np.ptp(scaled, axis=0) <= _DEVIATION_MIN)
    if len(constant):
        raise BadInput(f"returns: trial {constant[0]} is constant, so it has no Sharpe ratio: leave it out")
    return scaled


def _numbers(returns: Any) -> Floats:
    """`returns` as doubles; what is masked out of a masked array is no number. Raises TypeError for complex ones."""
    if np.iscomplexobj(returns):
        raise TypeError("they are complex")
    if isinstance(returns, np.ma.MaskedArray):
        returns = np.ma.filled(returns.astype(np.float64), math.nan)
    return np.asarray(returns, dtype=np.float64)
