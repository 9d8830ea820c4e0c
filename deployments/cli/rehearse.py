"""`brain rehearse`: days and nights on a replayed or invented market, from one command."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deployments.cli.output import JsonFlag, answer, command, console_for, percent, progress, table


class Market(str, Enum):
    """The invented markets."""

    synthetic = "synthetic"
    planted_edge = "planted-edge"


class VenueChoice(str, Enum):
    """Where the main book trades; trials are always on paper."""

    simulator = "simulator"
    paper = "paper"


class Provider(str, Enum):
    """Who proposes candidates."""

    local = "local"
    anthropic = "anthropic"
    vertex = "vertex"


@command
def rehearse(
    days: Annotated[int, typer.Option(help="How many days and nights.")] = 14,
    data: Annotated[Path | None, typer.Option(help="A folder with BTC-USD_5m.parquet files; without: a made market.")] = None,
    market: Annotated[Market, typer.Option(help="Without --data: no edge, or a planted one.")] = Market.synthetic,
    symbols: Annotated[str, typer.Option(help="Comma-separated, BTC-USD,ETH-USD.")] = "",
    start: Annotated[str, typer.Option(help="First day, UTC; default: the last days of the data.")] = "",
    seed: Annotated[int, typer.Option(help="Same seed, same event log.")] = 7,
    out: Annotated[Path, typer.Option(help="The rehearsal's home: database, workspace, report.")] = Path("reports/rehearsal"),
    provider: Annotated[
        Provider, typer.Option(help="Who proposes candidates. All but local spend real money, within the caps of the settings.")
    ] = Provider.local,
    venue: Annotated[
        VenueChoice,
        typer.Option(help="Where the main book trades: the local Kraken, through the live gateway, or fills on paper."),
    ] = VenueChoice.simulator,
    incidents: Annotated[
        bool, typer.Option("--incidents", help="Let things go wrong on purpose, and judge what people are told of it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole system over DAYS days on a virtual clock: shell, strategy, books, and each night as Prefect flows.

    Ctrl-C stops it with consistent books and a partial report.
    """
    from deployments import rehearsal

    console = console_for(as_json)
    options = rehearsal.Options(
        days=days, data=data, market=market.value, symbols=tuple(each for each in symbols.split(",") if each.strip()),
        start=start, seed=seed, out=out, provider=provider.value, venue=venue.value, incidents=incidents,
    )
    if data is None:
        edge = "with an edge planted in it" if market is Market.planted_edge else "without any edge"
        console.print(f"[bold]The market is invented[/] (seed {seed}), {edge}: nothing here says what real money would do.")
    with progress(console) as bar:
        task = bar.add_task("preparing", total=None)
        nights_told = 0

        def tell(step: rehearsal.Progress) -> None:
            nonlocal nights_told
            bar.update(
                task, completed=step.steps_done, total=step.steps,
                description=f"{step.now:%Y-%m-%d %H:%M} {step.doing} · {step.value:,.2f} · {step.version}"
                f" · {step.candidates} candidates · {step.promotions} promoted",
            )
            if step.doing.startswith("night") and not console.is_terminal:
                nights_told += 1
                console.print(f"{step.doing}: value {step.value:,.2f}, {step.version} active, {step.candidates} candidates")

        facts = rehearsal.rehearse(options, tell)
    if as_json:
        answer(facts)
    else:
        _show(console, facts)
    if facts["partial"]:
        raise typer.Exit(1)


def _compared(check: dict[str, Any] | None) -> list[list[str]]:
    if check is None:
        return [["venue", "paper: fills were worked out from prices"]]
    equal = f"books equal the exchange's to the last unit ({check['fills_booked']} fills)"
    return [["local Kraken", equal if check["equal"] else "DIFFERENT: " + "; ".join(check["differences"][:3])]]


def _judged(told: dict[str, Any]) -> list[list[str]]:
    wrong = [*told["missing"], *(f"no action: {text}" for text in told["without_action"])]
    count = f"{len(told['messages'])}, {told['alarms']} of them alarms; at most {told['quiet_day_most']} on a quiet day"
    return [
        ["incidents", ", ".join(each["name"] for each in told["incidents"])],
        ["messages", count],
        ["missing or without an action", "; ".join(wrong) or "none"],
        ["day by day", told["transcript"]],
    ]


def _show(console: Console, facts: dict[str, Any]) -> None:
    gain = facts["final_value"] / facts["starting_value"] - 1 if facts["starting_value"] else 0.0
    source = facts["data"]["source"] + ("" if facts["data"]["real"] else " (invented prices)")
    rows = [
        ["market", source], ["days and nights", f"{facts['days']} and {facts['nights']}"],
        ["scans, signals", f"{facts['scans']:,}, {facts['signals']:,}"],
        ["orders, fills", f"{facts['orders']:,}, {facts['fills']:,}"],
        ["value", f"{facts['starting_value']:,.2f} -> {facts['final_value']:,.2f} ({percent(gain)})"],
        ["max drawdown", percent(-facts["max_drawdown_pct"])],
        ["candidates, promoted", f"{len(facts['candidates'])}, {facts['promotions']}"],
        ["halts lifted by the operator", str(facts["halts_lifted"])],
        ["books", "consistent" if not facts["books_check"] else "; ".join(facts["books_check"])],
        *_compared(facts["exchange_check"]),
        *(_judged(facts["told"]) if facts["told"] is not None else []),
        ["event log", facts["event_log_hash"][:16]], ["time", f"{facts['seconds']:.0f} s"],
    ]
    console.print(table("Rehearsal" + (" (interrupted)" if facts["partial"] else ""), ["", ""], rows))
    if facts["candidates"]:
        lines = [
            [each["id"], each["verdict"], each["stage"], each["change_class"] or "", "; ".join(each["reasons"])[:400]]
            for each in facts["candidates"]
        ]
        console.print(table("Candidates", ["id", "verdict", "stage", "class", "reasons"], lines))
    console.print(f"\nReport: [bold]{facts['report']}[/]", soft_wrap=True)
