"""The test for superior ability: against `arch`, a slow computation, and how often it errs on noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shell.backtest.spa import Superiority, superiority
from shell.errors import BadInput

SEED = 5
Floats = NDArray[np.float64]


def noise(periods: int, trials: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((periods, trials)) / 100


def compared(trials: Floats, benchmark: Floats, chosen: int = 0, draws: int = 500, seed: int = SEED) -> Superiority:
    return superiority(trials, benchmark, chosen=chosen, block=5.0, resamples=draws, seed=seed)


@pytest.mark.parametrize("drift", [0.0, 0.001, 0.003])
def test_one_trial_has_the_p_value_of_arch(drift: float) -> None:
    """With one trial studentising changes little; losses are returns with the other sign."""
    from arch.bootstrap import SPA

    trials, benchmark = noise(120, 1, 1) + drift, noise(120, 1, 2)[:, 0]
    theirs = SPA(-benchmark, -trials, block_size=5, reps=1000, seed=SEED)
    theirs.compute()
    ours = compared(trials, benchmark, draws=1000)
    if ours.statistic > 0:
        assert ours.p_value == pytest.approx(float(theirs.pvalues["consistent"]), abs=0.03)
    else:
        assert ours.p_value == 1.0


def test_trials_of_equal_deviation_have_the_p_value_of_arch() -> None:
    """Columns that are one another's days in another order differ in little but luck: both tests nearly agree."""
    from arch.bootstrap import SPA

    trials = noise(250, 8, 3)
    trials = (trials - trials.mean(axis=0)) / trials.std(axis=0) / 100
    trials[:, 0] += 0.0015
    theirs = SPA(np.zeros(250), -trials, block_size=1, reps=4000, seed=SEED)
    theirs.compute()
    ours = superiority(trials, np.zeros(250), chosen=0, block=1.0, resamples=4000, seed=SEED)
    assert ours.p_value == pytest.approx(float(theirs.pvalues["consistent"]), abs=0.03)


def slow(trials: Floats, benchmark: Floats, draws: int, seed: int) -> float:
    """The test in small steps, with its own bootstrap (blocks begin anywhere and wrap around), for the best trial."""
    rng = np.random.default_rng(seed)
    gains = trials - benchmark[:, None]
    periods = len(gains)
    means, statistics = np.empty((draws, gains.shape[1])), np.empty((draws, gains.shape[1]))
    drawn = []
    for number in range(draws):
        rows: list[int] = []
        while len(rows) < periods:
            begin, length = rng.integers(periods), rng.geometric(1 / 5)
            rows += [int(begin + at) % periods for at in range(length)]
        drawn.append(rows[:periods])
        means[number] = gains[rows[:periods]].mean(axis=0)
    omega = np.sqrt(periods) * means.std(axis=0)
    kept = [
        0.0 if math.sqrt(periods) * mean / deviation < -math.sqrt(2 * math.log(math.log(periods))) else mean
        for mean, deviation in zip(gains.mean(axis=0), omega, strict=True)
    ]
    for number, rows in enumerate(drawn):
        statistics[number] = (means[number] - kept) / gains[rows].std(axis=0)
    best = (gains.mean(axis=0) / gains.std(axis=0)).max()
    return float((np.maximum(0.0, statistics.max(axis=1)) >= best).mean())


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_several_has_the_p_value_of_a_slow_computation(seed: int) -> None:
    trials, benchmark = noise(90, 6, seed) * np.array([1, 3, 0.5, 1, 2, 1]), noise(90, 1, 90 + seed)[:, 0]
    trials[:, 2] += 0.002
    ours = [compared(trials, benchmark, chosen, draws=3000) for chosen in range(6)]
    best = max(ours, key=lambda each: each.statistic)
    assert best.p_value == pytest.approx(slow(trials, benchmark, 3000, seed), abs=0.04)


def test_noise_passes_about_as_often_as_the_level_says_and_the_best_of_many_no_more_often() -> None:
    alone, of_ten = [], []
    for seed in range(200):
        trials, benchmark = noise(84, 10, 1000 + seed), np.zeros(84)
        alone.append(compared(trials[:, :1], benchmark, draws=200).p_value)
        best = int(np.argmax(trials.mean(axis=0) / trials.std(axis=0)))
        of_ten.append(compared(trials, benchmark, best, draws=200).p_value)
    assert 0.02 <= np.mean(np.array(alone) <= 0.05) <= 0.10
    assert 0.02 <= np.mean(np.array(of_ten) <= 0.05) <= 0.10


def test_a_real_difference_is_found_and_the_same_again_from_the_same_seed() -> None:
    trials, benchmark = noise(120, 5, 8), noise(120, 1, 9)[:, 0]
    trials[:, 3] += 0.006
    found = compared(trials, benchmark, 3)
    assert 0 < found.p_value < 0.01
    assert found == compared(trials, benchmark, 3)
    assert found.mean_difference == pytest.approx(float((trials[:, 3] - benchmark).mean()))
    assert found.trials == 5


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 5))
def test_it_is_a_p_value_more_trials_never_lower_it_and_their_order_does_not_matter(
    seed: int, count: int, chosen: int
) -> None:
    trials, benchmark = noise(60, count, seed), noise(60, 1, seed + 1)[:, 0]
    chosen %= count
    found = compared(trials, benchmark, chosen, draws=100)
    assert 0 < found.p_value <= 1
    more = np.concatenate((trials, noise(60, 2, seed + 2)), axis=1)
    assert compared(more, benchmark, chosen, draws=100).p_value >= found.p_value
    turned = compared(trials[:, ::-1], benchmark, count - 1 - chosen, draws=100)
    assert turned.p_value == found.p_value


def test_a_trial_that_equals_the_benchmark_is_no_rival_and_a_scale_changes_nothing() -> None:
    trials, benchmark = noise(60, 2, 1), noise(60, 1, 2)[:, 0]
    with_twin = np.column_stack((trials, benchmark))
    assert compared(with_twin, benchmark).p_value == compared(trials, benchmark).p_value
    assert compared(with_twin, benchmark).trials == 2
    assert compared(trials * 1000, benchmark * 1000).p_value == compared(trials, benchmark).p_value


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: compared(noise(19, 2, 1), np.zeros(19)), "19 periods are too few"),
        (lambda: compared(noise(40, 2, 1), np.zeros(39)), "shape"),
        (lambda: compared(noise(40, 2, 1), np.zeros(40), 2), "chosen is 2"),
        (lambda: compared(noise(40, 1, 1) * np.nan, np.zeros(40)), "finite"),
        (lambda: compared(noise(40, 1, 1), np.full(40, np.inf)), "finite"),
        (lambda: compared(np.zeros((40, 2)), np.zeros(40)), "by a constant"),
        (lambda: compared(noise(40, 1, 1) * 0 + 0.01, np.zeros(40)), "by a constant"),
        (lambda: compared(noise(40, 1, 1), np.zeros(40), draws=99), "resamples = 99"),
        (lambda: superiority(noise(40, 1, 1), np.zeros(40), chosen=0, block=0.5, resamples=100, seed=1), "block = 0.5"),
        (lambda: superiority(noise(40, 1, 1), np.zeros(40), chosen=0, block=21, resamples=100, seed=1), "block = 21"),
    ],
)
def test_what_has_no_answer_is_refused(call: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        call()  # type: ignore[operator]
