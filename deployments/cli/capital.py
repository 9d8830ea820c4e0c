"""`brain capital`: allocate cash of the account to the system, or take it away. What merely arrives there stays external."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for

app = typer.Typer(no_args_is_help=True, help="The capital that the system may use: allocate cash to it, or take it away.")
Amount = Annotated[str, typer.Argument(help="In the account currency, above zero.")]


@app.command()
@command
def add(amount: Amount, home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Allocate cash that is in the account. It is neither a gain nor a cover for a loss."""
    _ask(amount, 1, home, as_json)


@app.command()
@command
def withdraw(amount: Amount, home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Take cash away from the system; it stays in the account as external. What is invested is not sold for it."""
    _ask(amount, -1, home, as_json)


def _ask(text: str, sign: int, home: HomeOption, as_json: bool) -> None:
    from shell.capital_notes import leave_note
    from shell.clock import SystemClock
    from shell.errors import UsageError

    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise UsageError(f"{text!r} is no amount: a number above zero, in the account currency")
    place = home_of(home).create()
    note = leave_note(place, sign * amount, SystemClock().now())
    if as_json:
        answer({"amount": note.amount, "note": note.note_id, "heeded": False})
    else:
        verb = "allocated to" if sign > 0 else "taken from"
        told = f"{amount} will be {verb} the system when the shell next looks: at its next step, or at its next start"
        console_for(as_json).print(told)
