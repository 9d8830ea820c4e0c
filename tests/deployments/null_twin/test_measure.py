"""The figures of a null test from its months, and what decides whether a finished month may be taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.null_twin.measure import Options, Outcome, figures, measure, nights_to_promotion
from deployments.null_twin.month import PLANTED, MonthResult, Terms
from shell.errors import DataError, UsageError
from shell.market.null_market import NullKind

SYMBOLS = ("BTC/USD",)


def month(number: int, promoted_on: int | None = None, market: str = "martingale") -> MonthResult:
    return MonthResult(
        month=number, market=market, nights=promoted_on or 30, searches=10, looks=50, scored=9, promoted_on=promoted_on,
        refusals={} if promoted_on else {"deflated_sharpe": 9}, seconds={"search": 2.0, "sandbox": 1.0}, cpu_seconds=4.0,
    )


def outcome(months: tuple[MonthResult, ...], markets: tuple[str, ...] = tuple(NullKind)) -> Outcome:
    return Outcome(
        options=Options(months=20), terms=Terms(seed=7, symbols=SYMBOLS, markets=markets), source="made", real=False,
        months=months, taken_over=0, seconds=1.0, workers=2, partial=False,
    )


def test_the_rate_counts_months_and_its_interval_is_exact() -> None:
    facts = figures(outcome((*(month(number) for number in range(19)), month(19, promoted_on=4))))
    assert (facts["months"], facts["promotions"], facts["candidates_scored"]) == (20, 1, 180)
    assert facts["false_promotion_rate"] == 0.05
    # Clopper-Pearson for 1 of 20.
    assert facts["interval"] == pytest.approx([0.001265, 0.248733], abs=1e-6)
    assert facts["refusals"] == {"deflated_sharpe": 171}
    assert facts["seconds_by_step"] == {"search": 40.0, "sandbox": 20.0}
    assert facts["cpu_seconds_a_month"] == 4.0


def test_before_the_first_month_there_is_no_rate() -> None:
    facts = figures(outcome(()))
    assert (facts["false_promotion_rate"], facts["interval"], facts["seconds_a_month"]) == (None, None, None)


def test_power_is_told_in_nights_and_never_as_a_false_promotion() -> None:
    months = (month(0, 4, PLANTED), month(1, 1, PLANTED), month(2, None, PLANTED), month(3, 10, PLANTED))
    facts = figures(outcome(months, (PLANTED,)))
    assert (facts["promotion_rate"], facts["false_promotion_rate"]) == (0.75, None)
    assert facts["night_median"] == 10.0
    assert nights_to_promotion((months[0], months[2])) is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(months=0), "--months 0"), (Options(nights=86), "--nights 86"), (Options(seed=-1), "--seed -1"),
        (Options(markets=(PLANTED,), data=Path(".")), "leave --data out"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(options: Options, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        measure(options, lambda *_: None)


def test_a_folder_without_candles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no candles"):
        measure(Options(data=tmp_path), lambda *_: None)
