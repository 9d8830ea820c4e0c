"""Tests that there is no time for in `make test`: `make faults` runs them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

THOROUGH = (
    pytest.mark.faults,
    pytest.mark.skipif("BRAIN_FAULT_POINTS" not in os.environ, reason="make faults runs it"),
)


Test = TypeVar("Test", bound=Callable[..., object])


def thorough(test: Test) -> Test:
    """All of these marks at once, for a whole test."""
    for mark in THOROUGH:
        test = mark(test)
    return test
