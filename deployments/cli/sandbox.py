"""`brain sandbox`: both walls on one file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for

if TYPE_CHECKING:
    from rich.console import Console

    from shell.host.sandbox import SandboxReport

# Shorter than the limits of trading: whoever waits here is a person or a program, and the markets are small.
CALL_TIMEOUT, START_TIMEOUT = timedelta(seconds=5), timedelta(seconds=20)


class Policy(str, Enum):
    on = "on"
    off = "off"


@command
def sandbox(
    file: Annotated[Path, typer.Argument(help="A strategy file.")],
    policy: Annotated[Policy, typer.Option(help="off: test the process wall alone; never leads to promotion.")] = Policy.on,
    as_json: JsonFlag = False,
) -> None:
    """Try a strategy on sample and edge-case markets, twice, and say what failed, where, and how to mend it."""
    from shell.config import HostConfig, RiskConfig
    from shell.home import Home
    from shell.host.sandbox import run_sandbox
    from shell.promotion.workspace import Workspace
    from shell.risk.limits import limits_view

    source = Workspace(Home.project().workspace).read(file)
    report = run_sandbox(
        source, policy=policy is Policy.on, config=HostConfig(call_timeout=CALL_TIMEOUT, start_timeout=START_TIMEOUT),
        limits=limits_view(RiskConfig()), seed=0,
    )
    if as_json:
        answer(report.as_dict())
    else:
        _show(console_for(as_json), report, policy)
    if not report.passed:
        raise typer.Exit(FAILED)


def _show(console: Console, report: SandboxReport, policy: Policy) -> None:
    colour = "green" if report.passed else "red"
    console.print(f"[bold {colour}]{report.verdict.value}[/] in {report.seconds:.1f} s, {len(report.signals)} signals")
    for error in report.errors:
        where = f"line {error['line']}: " if error.get("line") else ""
        console.print(f"  {where}{error['code']}: {error['message']}", markup=False, soft_wrap=True)
        console.print(f"    -> {error['advice']}", markup=False, soft_wrap=True)
    if policy is Policy.off:
        console.print("the policy was off: this says nothing about a promotion, which needs both walls")
    if report.isolation_gap:
        console.rule("[bold red]THE WALL IS INCOMPLETE[/]", style="red")
        told = f"{report.isolation_gap}. Code that means harm could get out: paper only."
        console.print(told, style="bold red", markup=False, soft_wrap=True)
        console.rule(style="red")
    console.print(f"isolation: {walls(report.isolation)}", markup=False, soft_wrap=True)


def walls(isolation: Mapping[str, Any]) -> str:
    """What a strategy's process said of its walls, on one line."""
    if not isolation.keys() - {"policy"}:
        return "no process was started"
    parts = []
    for name, value in isolation.items():
        if name == "probes":
            denied = sum(outcome == "denied" for outcome in value.values())
            value = f"{denied} of {len(value)} denied"
        if value != "":
            parts.append(f"{name} {value}")
    return ", ".join(parts)
