"""The gate's verdict: every check computed, the first failure named, and the same answer again from stored inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shell.config import GateConfig
from shell.gate.checks import ALL_CHECKS, BEFORE_VAULT, CHEAP, CheckResult
from shell.gate.inputs import GateInputs, from_stored
from shell.gate.probing import biases


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """`first_failure` is the name of the first check, in order, that failed on what it was shown; None when all passed."""

    passed: bool
    first_failure: str | None
    checks: tuple[CheckResult, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Sentences for people: every failed check in order, then those that were not made; or that all passed."""
        failed = [check for check in self.checks if not check.passed]
        failed.sort(key=lambda check: check.skipped)
        return tuple(f"{check.name}: {check.sentence}" for check in failed) or (
            f"all {len(self.checks)} checks of the gate passed",
        )


def worth_probing(inputs: GateInputs, config: GateConfig) -> bool:
    """True when every check that costs no further run passes: only then is the candidate probed for biases."""
    return all(check(inputs, config).passed for check in CHEAP)


def worth_its_neighbours(inputs: GateInputs, config: GateConfig) -> bool:
    """True when the probes were clean as well: only then are the settings one step away run."""
    return worth_probing(inputs, config) and biases(inputs, config).passed


def worth_a_vault_look(inputs: GateInputs, config: GateConfig) -> bool:
    """True when every check before the vault passes: the vault is opened for nothing less."""
    return all(check(inputs, config).passed for check in BEFORE_VAULT)


def judge(inputs: GateInputs, config: GateConfig) -> GateVerdict:
    """Compute every check; one failure refuses, and one that was not made does, too."""
    checks = tuple(check(inputs, config) for check in ALL_CHECKS)
    failed = sorted((check for check in checks if not check.passed), key=lambda check: check.skipped)
    return GateVerdict(passed=not failed, first_failure=failed[0].name if failed else None, checks=checks)


def recheck(stored: Mapping[str, Any]) -> GateVerdict:
    """The verdict again, from the inputs and thresholds stored with a gate stage: what a promotion does before it acts.

    Raises BadInput when the stored values cannot be read back.
    """
    inputs, config = from_stored(stored)
    return judge(inputs, config)
