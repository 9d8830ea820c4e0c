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
    return result


def sandbox_stage(report: SandboxReport) -> StageResult:
    """The stage a report comes to, without what depends on how fast the machine was."""
    passed = report.verdict is SandboxVerdict.PASSED
    errors = [dict(error) for error in report.errors]
    reasons = tuple(_sentence(error) for error in errors) or (f"the sandbox's verdict is {report.verdict.value}",)
    if passed:
        reasons = (f"{len(report.signals)} signals on sample markets, the same from two fresh processes",)
    return StageResult(
        stage=Stage.SANDBOX, passed=passed, reasons=reasons,
        inputs={
            "verdict": report.verdict.value, "answers_hash": report.answers_hash, "errors": errors,
            "signals": len(report.signals), "isolation": dict(report.isolation),
        },
    )


def _sentence(error: Mapping[str, Any]) -> str:
    line = error.get("line")
    return f"line {line}: {error['message']}" if line else str(error["message"])


@task(name="sandbox", description="Sample markets, edge cases, state and determinism.", **WRITE)
async def sandbox(candidate_id: str, now: datetime, seed: int) -> StageResult:
    return sandbox_candidate(client(), candidate_id, now, seed)
