"""`brain sandbox`: both walls on one file."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for


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
        source, policy=policy is Policy.on, config=HostConfig(), limits=limits_view(RiskConfig()), seed=0
    )
    console = console_for(as_json)
    if as_json:
        answer(report.as_dict())
    else:
        colour = "green" if report.passed else "red"
        console.print(f"[bold {colour}]{report.verdict.value}[/] in {report.seconds:.1f} s, {len(report.signals)} signals")
        for error in report.errors:
            where = f"line {error['line']}: " if error.get("line") else ""
            console.print(f"  {where}{error['code']}: {error['message']}", markup=False, soft_wrap=True)
        walls = ", ".join(f"{name} {value}" for name, value in report.isolation.items())
        console.print(f"isolation: {walls}", markup=False)
    if not report.passed:
        raise typer.Exit(FAILED)
