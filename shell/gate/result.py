"""What a check of the gate answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from shell.config import GateConfig
from shell.gate.inputs import GateInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check. `value` and `threshold` are None where a check compares no numbers. A `skipped` one has not passed either:
    what it decides on was too dear to make for a candidate that an earlier, cheaper check refuses."""

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    sentence: str
    skipped: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


Check = Callable[[GateInputs, GateConfig], CheckResult]


def skipped(name: str, threshold: float | None, sentence: str) -> CheckResult:
    """A check whose input was not made: no pass."""
    return CheckResult(name=name, passed=False, value=None, threshold=threshold, sentence=sentence, skipped=True)


def refused(name: str, threshold: float | None, sentence: str) -> CheckResult:
    """A check that has no answer: no pass either."""
    return CheckResult(name=name, passed=False, value=None, threshold=threshold, sentence=sentence)
