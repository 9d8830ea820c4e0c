"""`brain prefect-password`: what Prefect's pages ask a browser for."""

from __future__ import annotations

import typer

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, aside, command


@command
def prefect_password(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Print the password of Prefect's pages and interface, and nothing else on stdout. No other command shows it.

    Whoever has it can have flows run as you. For Prefect's own command, put it into PREFECT_API_AUTH_STRING.
    """
    from deployments.prefect_password import known_password
    from shell.errors import NotNow

    place = home_of(home)
    found = known_password(place)
    if found is None:
        raise NotNow(f"Prefect has no password on {place.root} yet: `brain up` makes one")
    aside.print(f"from {found.place}", style="dim", markup=False, soft_wrap=True)
    if as_json:
        answer({"password": found.secret.reveal(), "place": found.place})
    else:
        typer.echo(found.secret.reveal())
