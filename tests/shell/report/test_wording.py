"""Sentences follow the numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shell.report import wording
from shell.report.data import CheckRow, NightRow, Value
from tests.shell.report.sample import empty_report_data, sample_report_data


def _check(name: str, passed: bool, value: Value, threshold: Value) -> CheckRow:
    return CheckRow(name=name, passed=passed, value=value, threshold=threshold, sentence="")


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (_check("minimum_trades", False, 4, 10), "6 missing"),
        (_check("minimum_trades", True, 31, 10), "21 to spare"),
        (_check("minimum_days", True, 20, 20), "exactly met"),
        (_check("positive_return", False, -0.0123, 0.0), "1.23 points missing"),
        (_check("positive_return", False, 0.0, 0.0), "not beyond it"),
        (_check("drawdown", False, 0.2911, 0.25), "4.11 points too much"),
        (_check("drawdown", True, 0.05, 0.25), "20.00 points to spare"),
        (_check("deflated_sharpe", False, 0.41, 0.95), "0.540 missing"),
        # One of two conditions sufficed, or another one failed: the distance would explain nothing.
        (_check("beats_buy_and_hold", True, 0.01, 0.05), ""),
        (_check("vault", False, 0.02, 0.0), ""),
        (_check("determinism", True, None, None), ""),
        (_check("anything", False, "x", 1.0), ""),
    ],
)
def test_distance_says_how_far_a_check_was_from_its_threshold(check: CheckRow, expected: str) -> None:
    assert wording.distance(check) == expected


def test_the_nearest_miss_is_the_candidate_with_fewest_failed_checks() -> None:
    sentence = wording.nearest_miss(sample_report_data())
    assert sentence.startswith("Nearest of those that failed the gate: c0001, with 3 of 10 checks failed")
    assert "deflated Sharpe ratio" in sentence
    assert wording.nearest_miss(empty_report_data()) == ""


def test_a_check_that_was_not_made_is_neither_passed_nor_failed_and_not_the_one_that_refused() -> None:
    data = sample_report_data()
    row = next(row for row in data.candidates if wording.first_failure(row))
    unmade = CheckRow(name="biases", passed=False, value=None, threshold=None, sentence="not probed", skipped=True)
    failed = _check("pbo", False, 0.45, 0.2)
    judged = replace(row, checks=(unmade, failed))
    assert [check.result for check in judged.checks] == ["not made", "failed"]
    assert wording.first_failure(judged) == failed
    assert wording.distance(failed) == "0.250 too much"
    sentence = wording.nearest_miss(replace(data, candidates=(judged,)))
    assert "with 1 of 2 checks failed; the first was overfitting of the field" in sentence


def test_the_verdict_counts_candidates_by_what_became_of_them() -> None:
    told = " ".join(wording.verdict(sample_report_data()))
    assert "4 candidates were examined: 3 refused, 1 promoted." in told
    assert "Opening orders were halted once, and allowed again since." in told
    assert "The strategy failed once." in told
    standing = replace(sample_report_data().halts[0], lifted_at=None)
    told = " ".join(wording.verdict(replace(sample_report_data(), halts=(standing,))))
    assert "1 halt still standing" in told


def test_an_unmoved_account_is_not_called_a_rise() -> None:
    told = " ".join(wording.verdict(empty_report_data()))
    assert "ended where it began, at 10,000.00 USD" in told
    assert "No trade was completed." in told


def test_a_promotion_is_shown_with_the_night_in_which_it_happened() -> None:
    data = sample_report_data()
    by_night = {night.night: [row.version for row in wording.night_changes(data, night)] for night in data.nights}
    assert by_night["2025-03-07"] == ["v002"]
    assert sum(map(len, by_night.values())) == 1
    assert wording.night_changes(data, NightRow(night="not a date", decision="x")) == ()
