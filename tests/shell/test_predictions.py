"""What a prediction is graded by: every metric of the ground truth is a number, wherever the truth is read."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from shell.money import QuoteAmount
from shell.predictions import measured
from shell.store.canonical import canonical
from shell.truth.truth import BookFacts, truth_of
from tasks.ai.replies import METRICS


@pytest.mark.parametrize("over_the_control_api", [False, True])
def test_money_in_the_ground_truth_is_a_number_to_grade_by(over_the_control_api: bool) -> None:
    """It was none: what models predicted of fees came out as moot, and they were never shown what was paid."""
    told = truth_of(BookFacts(marks=(), starting=QuoteAmount(100), trades=())).as_dict()
    assert "fees" in METRICS and isinstance(told["fees"], Decimal)
    if over_the_control_api:
        told = json.loads(canonical(told))
    assert measured(told, "fees") == 0.0


@pytest.mark.parametrize("value", [None, True, "soon", "nan", float("inf"), Decimal("NaN")])
def test_what_is_no_finite_number_measures_nothing(value: object) -> None:
    assert measured({"fees": value}, "fees") is None
