"""`brain shell`: the trading loop on live quotes, for as long as it is left running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.homes import HomeOption
from deployments.cli.output import JsonFlag, answer, command, console_for

if TYPE_CHECKING:
    from shell.home import Home


@command
def shell(
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Against a local Kraken in this process: no network, invented prices.")
    ] = False,
    speed: Annotated[float, typer.Option(help="With --simulated: exchange seconds a real second, 1 to 600.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="With --simulated: seed of the invented market.")] = 7,
    data: Annotated[Path | None, typer.Option(help="With --simulated: a folder of candles to replay as the market.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="With --simulated: orders go to the local Kraken, as in live mode, key and all.")
    ] = False,
    minutes: Annotated[float, typer.Option(min=0, help="End by itself after so many minutes; 0 runs until SIGTERM.")] = 0.0,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Trade this home until SIGTERM or Ctrl-C: paper money on Kraken's public prices, without a key.

    Scans every slot, looks at every position every 30 seconds and at every price. Ends in order: state is kept, resting entries
    are cancelled, positions and their stops stay.
    """
    from deployments.running import run_shell
    from shell.errors import UsageError

    if not simulated and (speed != 1.0 or data is not None or live):
        raise UsageError("--speed, --data and --live need --simulated; real money is mode = \"live\" in config/settings.toml")
    facts = run_shell(
        _place(home, simulated=simulated, live=live), simulated=simulated, speed=speed, seed=seed, data=data,
        minutes=minutes, console=console_for(as_json), live=live,
    )
    if as_json:
        answer(facts)
    else:
        _show(facts)


def _place(folder: Path | None, *, simulated: bool, live: bool) -> Home:
    """The home to run; an invented market has its own, so that its prices never come among real ones."""
    from deployments.cli.homes import home_of
    from shell.home import Home

    if folder is None and simulated:
        return Home.private(Home.project().root / "data" / ("simulated-live" if live else "simulated"))
    return home_of(folder, new=simulated)


def _show(facts: dict[str, Any]) -> None:
    slots, console = facts["slots"], console_for(False)
    console.print(
        f"{slots['done']} slots scanned, {slots['missed']} missed, {facts['errors']['count']} errors; "
        f"{len(facts['positions'])} positions, {facts['total_value']:,.2f} in all"
    )
