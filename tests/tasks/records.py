"""Nights as values, for tests of what is written about them."""

from __future__ import annotations

from typing import Any

from tasks.night import CandidateOutcome, Decision, DecisionKind, NightRecord, Settlement
from tests.tasks.memory_shell import NOW, conforming

CHECKS = (
    {"name": "minimum_trades", "passed": False, "value": 4, "threshold": 10, "sentence": "4 of 10"},
    {"name": "drawdown", "passed": True, "value": 0.0625, "threshold": 0.25, "sentence": "6.25 % | fine"},
)


def outcome(**changes: Any) -> CandidateOutcome:
    values: dict[str, Any] = {
        "candidate_id": "c0003", "verdict": "refused", "stage": "gate", "reasons": ("minimum_trades: 4 of 10",),
        "hypothesis": "it may work", "change_class": "tweak", "provider": "local", "looks": 3, "checks": CHECKS,
    }
    return CandidateOutcome(**{**values, **changes})


def settlement(**changes: Any) -> Settlement:
    values: dict[str, Any] = {
        "trial_id": "t0001", "candidate_id": "c0001", "conformance": conforming("t0001"), "promotion": None,
    }
    return Settlement(**{**values, **changes})


def night_record(**changes: Any) -> NightRecord:
    values: dict[str, Any] = {
        "night": "2024-03-11", "at": NOW,
        "decision": Decision(kind=DecisionKind.EVOLVE, reasons=("1 candidate may be sought",)),
        "settlements": (), "outcomes": (outcome(),),
        "performance": {"total_return_pct": 0.0123, "max_drawdown_pct": 0.02, "trades": 3, "fees": 12.5},
        "active_version": "v001", "aggregated": {"h1": 24},
    }
    return NightRecord(**{**values, **changes})
