"""`brain doctor`: is everything in order here, and what to do where it is not."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for, table

MARKS = {"ok": "✓ ok", "note": "○ note", "wrong": "✕ wrong"}


@command
def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing of the network.")] = False,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Look at everything this home needs; change nothing, use no key. Exits 1 when something has to be mended."""
    import os

    from deployments.checks import State, every_check
    from shell.clock import SystemClock

    checks = every_check(home_of(home), os.environ, SystemClock().now(), network=not offline)
    mend = [each for each in checks if each.state is State.WRONG]
    if as_json:
        found = [{"name": each.name, "state": each.state.value, "sentence": each.sentence} for each in checks]
        answer({"healthy": not mend, "checks": found})
    else:
        console = console_for(False)
        rows = [[MARKS[each.state.value], each.name, each.sentence] for each in checks]
        console.print(table("Doctor", ["", "what", "how it stands"], rows))
        told = f"{len(mend)} to mend" if mend else "nothing to mend"
        console.print(f"[bold {'red' if mend else 'green'}]{told}[/]")
    if mend:
        raise typer.Exit(FAILED)
