"""Sandbox: both walls, sample markets, edge cases, state round trip and determinism, in the strategy host."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prefect import task

from shell.host.sandbox import SandboxReport, SandboxVerdict, run_sandbox
from shell.risk.limits import limits_view
from shell.trials.candidate import Stage, StageResult
from tasks.client import ShellClient
from tasks.context import client
from tasks.policy import WRITE


def sandbox_candidate(shell: ShellClient, candidate_id: str, now: datetime, seed: int) -> StageResult:
    """Run the sandbox test and store the stage."""
    settings = shell.settings()
    source = shell.candidate(candidate_id).proposal.source
    report = run_sandbox(source, policy=True, config=settings.host, limits=limits_view(settings.risk), seed=seed)
    result = sandbox_stage(report)
    shell.record_stage(candidate_id, result, now)
    if report.attempt:
        shell.quarantine(source, candidate_id, report.attempt, now)
    return result


def sandbox_stage(report: SandboxReport) -> StageResult:
    """The stage a report comes to, without what depends on how fast the machine was."""
    # Without the policy a test says something about the process wall, and nothing about a promotion.
    passed = report.verdict is SandboxVerdict.PASSED and report.isolation.get("policy") is True
    errors = [dict(error) for error in report.errors]
    reasons = tuple(_sentence(error) for error in errors) or (f"the sandbox's verdict is {report.verdict.value}",)
    if passed:
        reasons = (f"{len(report.signals)} signals on sample markets, the same from two fresh processes",)
    return StageResult(
        stage=Stage.SANDBOX, passed=passed, reasons=reasons,
        inputs={
            "verdict": report.verdict.value, "answers_hash": report.answers_hash, "errors": errors,
            "signals": len(report.signals), "policy": report.isolation.get("policy") is True,
            "isolation_gap": report.isolation_gap,
        },
    )


def _sentence(error: Mapping[str, Any]) -> str:
    line = error.get("line")
    sentence = f"{error['message']}: {error['advice']}"
    return f"line {line}: {sentence}" if line else sentence


@task(name="sandbox", description="Sample markets, edge cases, state and determinism.", **WRITE)
async def sandbox(candidate_id: str, now: datetime, seed: int) -> StageResult:
    return sandbox_candidate(client(), candidate_id, now, seed)
