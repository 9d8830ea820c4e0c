"""`brain simulate-kraken`: a local Kraken to try clients on, with invented money."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.output import JsonFlag, aside, command
from shell.errors import UsageError

if TYPE_CHECKING:
    from shell.exchange.simulator.faults import Plan
    from shell.exchange.simulator.server import Running
    from shell.exchange.simulator.tape import Tape
    from shell.exchange.simulator.venue import Rules

# How much history stands before the opening of an invented market, and how much follows.
PAST_DAYS, FUTURE_DAYS = 60, 60
PRINTS_A_BAR = 150


@command
def simulate_kraken(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 takes a free one.")] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder of candles to replay; without it the market is invented.")] = None,
    key: Annotated[str, typer.Option(help="API key to accept; drawn from the seed if not given.")] = "",
    secret: Annotated[str, typer.Option(help="Its secret, base64; drawn from the seed if not given.")] = "",
    speed: Annotated[float, typer.Option(help="Exchange seconds a real second.")] = 1.0,
    lockstep: Annotated[bool, typer.Option("--lockstep", help="Time moves only by POST /control/advance.")] = False,
    symbols: Annotated[str, typer.Option(help="Pairs such as BTC-USD,ETH-USD; default: all of DATA, or these two.")] = "",
    start: Annotated[str, typer.Option(help="Moment of DATA to begin at; in lockstep the clock of an invented market.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of ids, keys, depth and the invented market.")] = 7,
    balance: Annotated[list[str] | None, typer.Option(help="Funds such as USD=10000 or BTC=0.5; may be repeated.")] = None,
    tier: Annotated[str, typer.Option(help="Rate limits: starter, intermediate, pro or off.")] = "intermediate",
    prints: Annotated[int, typer.Option(help="Trades that make up each five minutes (4 to 3000).")] = PRINTS_A_BAR,
    faults: Annotated[Path | None, typer.Option(help="JSON file of a fault plan; see docs/simulator.md.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve a local Kraken (REST and WebSocket v2) until SIGTERM. The first line of stdout is one JSON object with its
    addresses and keys; all money in it is invented."""
    import asyncio

    pace = 0.0 if lockstep else speed
    tape = _tape(data, symbols, start, seed=seed, prints=prints, lockstep=lockstep)
    rules = _rules(seed, tier, balance or ["USD=10000"])
    plan = _plan(faults)
    try:
        asyncio.run(_serve(tape, rules, port=port, key=key, secret=secret, speed=pace, plan=plan, quiet=as_json))
    except OSError as error:
        raise UsageError(f"port {port} cannot be served: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


async def _serve(
    tape: Tape, rules: Rules, *, port: int, key: str, secret: str, speed: float, plan: Plan | None, quiet: bool
) -> None:
    import asyncio
    import signal

    from shell.exchange.simulator.server import running

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running(tape, rules, port=port, key=key, secret=secret, speed=speed, plan=plan) as served:
        sys.stdout.write(json.dumps(served.addresses()) + "\n")
        sys.stdout.flush()
        if not quiet:
            _show(served, tape, speed)
        await stopped.wait()


def _show(served: Running, tape: Tape, speed: float) -> None:
    pace = "only when told (lockstep)" if speed == 0 else f"{speed:g} times as fast as here"
    aside.print(f"[bold]A local Kraken is open[/] at {served.rest}; the money in it is invented.")
    aside.print(f"  market: {tape.source}: {', '.join(tape.series)}", markup=False)
    aside.print(f"  time: {served.desk.exchange.now:%Y-%m-%d %H:%M:%S} UTC, passing {pace}", markup=False)
    aside.print("  end it with Ctrl-C or SIGTERM")


def _tape(data: Path | None, symbols: str, start: str, *, seed: int, prints: int, lockstep: bool) -> Tape:
    from shell.clock import SystemClock, parse_moment
    from shell.exchange.simulator.tape import opening_of, synthetic_tape, tape_of
    from shell.market.folder import load_history
    from shell.market.pair import parse_symbol

    named = [parse_symbol(each) for each in symbols.split(",") if each.strip()]
    now = SystemClock().now()
    try:
        begin = parse_moment(start) if start else None
    except ValueError as error:
        raise UsageError(f"--start: {error}") from None
    if data is None:
        opens_at = begin if begin is not None and lockstep else now
        return synthetic_tape(
            named or ["BTC/USD", "ETH/USD"], opens_at, seed=seed, prints=prints, past_days=PAST_DAYS, days=FUTURE_DAYS
        )
    history = load_history(data, named or None)
    begin = begin if begin is not None else opening_of(history, timedelta(days=PAST_DAYS))
    return tape_of(history, begin, seed=seed, prints=prints, opens_at=None if lockstep else now)


def _rules(seed: int, tier: str, balances: list[str]) -> Rules:
    from shell.exchange.simulator.names import asset_named
    from shell.exchange.simulator.precision import number
    from shell.exchange.simulator.rate_counters import TIERS
    from shell.exchange.simulator.venue import Rules

    if tier not in TIERS:
        raise UsageError(f"{tier!r} is no tier: {', '.join(TIERS)} are")
    funds: list[tuple[str, Decimal]] = []
    for each in balances:
        name, _, text = each.partition("=")
        amount = number(text)
        if not name or amount is None or amount < 0:
            raise UsageError(f"--balance {each!r} cannot be read: write USD=10000")
        asset = asset_named(name.strip().upper())
        funds.append((asset.code, amount.quantize(Decimal(1).scaleb(-asset.decimals))))
    return Rules(seed=seed, tier=tier, balances=tuple(funds))


def _plan(faults: Path | None) -> Plan | None:
    from shell.exchange.simulator.faults import read_plan

    if faults is None:
        return None
    try:
        return read_plan(json.loads(faults.read_text(encoding="utf-8"), parse_float=Decimal))
    except (OSError, ValueError) as error:
        raise UsageError(f"the fault plan {faults} cannot be read: {error}") from None
