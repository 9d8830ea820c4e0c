"""`brain night`: what the nights decided."""

from __future__ import annotations

import typer

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table

app = typer.Typer(no_args_is_help=True, help="The nights and their decisions.")


@app.command("list")
@command
def list_(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Every night: what was decided, and why."""
    with read_store(home_of(home)) as store:
        nights = store.nights.list()
    if as_json:
        answer({"nights": [{"night": each.night, "at": each.at, "decision": dict(each.decision)} for each in nights]})
        return
    rows = [
        [each.night, str(each.decision.get("decision", "")), "; ".join(each.decision.get("reasons", ()))[:140]]
        for each in nights
    ]
    console_for(as_json).print(table("Nights", ["night", "decision", "why"], rows))
