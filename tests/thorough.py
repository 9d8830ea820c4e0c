"""Tests that there is no time for in `make test`: `make faults` runs them."""

from __future__ import annotations

import os

import pytest

THOROUGH = (
    pytest.mark.faults,
    pytest.mark.skipif("BRAIN_FAULT_POINTS" not in os.environ, reason="make faults runs it"),
)
