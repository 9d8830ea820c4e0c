"""The evidence clock: the published power of a paper trial, and days after which the deflated Sharpe ratio does decide."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shell.backtest.overfitting import deflated_sharpe_ratio
from shell.errors import BadInput
from shell.trials.evidence import days_needed, evidence_of, evidence_of_scores, paper_power
from tests.shell.trials.test_count import BASE


@pytest.mark.parametrize(("days", "power"), [(7, 0.0857), (30, 0.1420), (365 * 1.5457, 0.80)])
def test_the_power_of_a_paper_trial_against_an_annual_sharpe_of_two(days: float, power: float) -> None:
    """A week sees it in one case of twelve; four cases in five need a year and a half."""
    assert paper_power(2 / math.sqrt(365), round(days), 0.95) == pytest.approx(power, abs=2e-3)


def test_without_skill_the_power_is_the_size_of_the_test() -> None:
    assert paper_power(0.0, 7, 0.95) == pytest.approx(0.05)


@pytest.mark.parametrize(("days", "confidence"), [(0, 0.95), (7, 0.5), (7, 1.0)])
def test_a_power_of_nothing_is_refused(days: int, confidence: float) -> None:
    with pytest.raises(BadInput):
        paper_power(0.1, days, confidence)


@given(
    sharpe=st.floats(0.02, 0.6), skew=st.floats(-1.5, 1.5), kurtosis=st.floats(4, 12), trials=st.integers(1, 300),
    variance=st.floats(0, 0.02), confidence=st.floats(0.8, 0.99),
)
def test_so_many_days_are_what_the_deflated_sharpe_ratio_asks_for(
    sharpe: float, skew: float, kurtosis: float, trials: int, variance: float, confidence: float
) -> None:
    def probability(days: int) -> float:
        return deflated_sharpe_ratio(sharpe, days, skew, kurtosis, trials, max(variance, 1 / (days - 1)))

    try:
        needed = days_needed(
            sharpe, skew=skew, kurtosis=kurtosis, confidence=confidence, trials=trials, variance=variance
        )
    except BadInput:
        assert probability(1_000_000) < confidence
        return
    assume(needed < 10**9)
    assert probability(max(needed, 3)) >= confidence - 1e-6
    if needed > 4:
        assert probability(needed - 2) < confidence + 1e-6


def test_more_trials_never_need_fewer_days() -> None:
    needed = [days_needed(0.15, skew=0, kurtosis=3, confidence=0.95, trials=trials, variance=0.0) for trials in (1, 2, 5, 50)]
    assert needed == sorted(needed)
    assert needed[0] < needed[-1]


def test_the_clock_of_a_good_record(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.01, 60)
    returns = noise - noise.mean() + 0.0012
    clock = evidence_of("c0001", returns.tolist(), confidence=0.95)
    assert clock.needed_days is not None
    assert clock.more_days == max(clock.needed_days - 60, 0)
    assert clock.paper_power is not None and 0.05 < clock.paper_power < 0.5
    crowded = evidence_of("c0001", returns.tolist(), confidence=0.95, trials=20, variance=0.0)
    assert crowded.bar_sharpe > clock.bar_sharpe == 0.0
    assert crowded.needed_days is None or crowded.needed_days > clock.needed_days
    assert clock.as_dict()["sentence"] == clock.sentence


@pytest.mark.parametrize(
    ("returns", "told"),
    [
        ((), "fewer than 3 days"), ((0.1, 0.2), "fewer than 3 days"), ((0.0,) * 40, "show none"),
        ((-0.01, 0.005) * 20, "show none"),
    ],
)
def test_where_no_wait_is_long_enough_it_says_why(returns: tuple[float, ...], told: str) -> None:
    clock = evidence_of("c0001", returns, confidence=0.95)
    assert (clock.needed_days, clock.more_days, clock.paper_power) == (None, None, None) or len(returns) == 2
    assert told in clock.sentence


def test_a_record_of_a_few_days_is_told_as_one() -> None:
    assert "12 days are too few to believe" in evidence_of("c", (0.02, -0.01) * 6, confidence=0.95).sentence
    assert "too few" not in evidence_of("c", (0.02, -0.01) * 15, confidence=0.95).sentence


def test_a_sharpe_below_the_bar_that_the_trials_set_is_never_decided() -> None:
    clock = evidence_of("c0001", (0.02, -0.01, 0.0, -0.005) * 20, confidence=0.95, trials=50, variance=0.05)
    assert clock.more_days is None
    assert "no record is long enough" in clock.sentence


def test_scored_candidates_are_listed_nearest_first_and_all_count() -> None:
    good, fair, bad = (0.02, -0.005) * 20, (0.011, -0.009) * 20, (-0.02, 0.01) * 20
    scores = [
        replace(BASE, candidate_id=name, source_hash=name, daily_returns=returns, sharpe=float(np.mean(returns) / np.std(returns)))
        for name, returns in (("bad", bad), ("fair", fair), ("good", good))
    ]
    assert evidence_of_scores(scores, 0.95)[0].name == "good"
    (only,) = evidence_of_scores(scores, 0.95, names=["good"])
    assert only.trials == 3
