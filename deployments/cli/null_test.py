"""`brain null-test`: how often does luck get through the gate? The real cycle on markets in which nothing can be earned."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deployments.cli.many_runs import ClusterOption, WorkersOption, bar_with_end
from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for, table

if TYPE_CHECKING:
    from deployments.null_twin.month import MonthResult

LEFT_OUT = (
    "A promotion here is a candidate that passed the whole gate, the vault included. The paper trial that would follow is "
    "left out: it proves that live does what the backtest said, not skill."
)
NIGHTLY_STEPS = ("search", "review", "sandbox", "backtest", "gate")


class Edge(str, Enum):
    """What there is to be found."""

    none = "none"
    planted = "planted"


class Null(str, Enum):
    """How the edge is taken out of a market."""

    mixed = "mixed"
    block_bootstrap = "block-bootstrap"
    phase_randomised = "phase-randomised"
    martingale = "martingale"


@command
def null_test(
    months: Annotated[int, typer.Option(help="Independent markets, a month of nights on each.")] = 20,
    seed: Annotated[int, typer.Option(help="Same seed, same months, whatever the number of workers.")] = 7,
    data: Annotated[Path | None, typer.Option(help="Real prices to re-make, a folder; without: an invented market.")] = None,
    symbols: Annotated[str, typer.Option(help="Comma-separated; default: two, BTC and ETH where there are any.")] = "",
    market: Annotated[Null, typer.Option(help="How the edge is taken out; mixed takes all kinds in turn.")] = Null.mixed,
    edge: Annotated[Edge, typer.Option(help="planted: power instead, on invented markets with a real edge.")] = Edge.none,
    nights: Annotated[int, typer.Option(help="Nights of a month.")] = 30,
    workers: WorkersOption = None,
    cluster: ClusterOption = "",
    out: Annotated[Path, typer.Option(help="Journal of finished months.")] = Path("reports/null-test.jsonl"),
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Take over finished months of the same settings, data, seed and code.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Run search, sandbox, backtest and gate over MONTHS months of markets without an edge, and count what is promoted.

    Ctrl-C keeps the finished months; the same command goes on from there.
    """
    from deployments.null_twin.measure import Options, figures, measure
    from deployments.null_twin.month import PLANTED

    console = console_for(as_json)
    markets = (PLANTED,) if edge is Edge.planted else () if market is Null.mixed else (market.value,)
    options = Options(
        months=months, seed=seed, data=data, symbols=tuple(each for each in symbols.split(",") if each.strip()),
        markets=markets, nights=nights, workers=workers, cluster=cluster, out=out,
        resume=resume,
    )
    lived: dict[int, float] = {}
    promoted: set[int] = set()
    with bar_with_end(console) as bar:
        task = bar.add_task("starting", total=months)

        def tell(month: int, night: int, result: MonthResult | None) -> None:
            lived[month] = 1.0 if result is not None else night / nights
            if result is not None and result.promoted_on is not None:
                promoted.add(month)
            over = sum(share == 1.0 for share in lived.values())
            bar.update(
                task, completed=sum(lived.values()), description=f"{over} of {months} months, {len(promoted)} promoted"
            )

        outcome = measure(options, tell)
    facts = figures(outcome)
    if as_json:
        answer(facts)
    else:
        _show(console, facts)
    if facts["partial"]:
        raise typer.Exit(FAILED)


def _show(console: Console, facts: Mapping[str, Any]) -> None:
    planted = facts["edge"] != "none"
    if not facts["months"]:
        console.print("[yellow]interrupted before the first month was over[/]")
        return
    low, high = facts["interval"]
    rate = f"{facts['promotion_rate']:.1%} of months ({facts['confidence']:.0%} interval {low:.1%} to {high:.1%})"
    rows = [
        ["market", facts["data"]["source"] + ("" if facts["data"]["real"] else " (invented prices)")],
        ["months", f"{facts['months']} of {facts['months_asked']}, {facts['nights']} nights each"
         + (f", {facts['taken_over']} taken over from {facts['journal']}" if facts["taken_over"] else "")],
        ["looks, candidates scored", f"{facts['looks']:,}, {facts['candidates_scored']:,}"],
        ["promotions", str(facts["promotions"])],
        ["found the planted edge" if planted else "false promotions", rate],
    ]
    if planted:
        middle = facts["night_median"]
        rows.append(["nights to promotion", "fewer than half of the months had one" if middle is None
                     else f"{middle:.0f} in half of the months; by month: {_nights(facts)}"])
    rows.append(["time", f"{facts['seconds']:.0f} s, {facts['workers']} at once, {facts['seconds_a_month']:.0f} s a month "
                 f"({facts['cpu_seconds_a_month']:.0f} s of CPU): "
                 + ", ".join(f"{what} {seconds / facts['months']:.0f} s" for what, seconds in facts["seconds_by_step"].items()
                             if what in NIGHTLY_STEPS)])
    title = "Power: markets with a planted edge" if planted else "Null test: markets without an edge"
    console.print(table(title + (" (interrupted)" if facts["partial"] else ""), ["", ""], rows))
    lines = [[name, *(str(row[key]) for key in ("months", "candidates_scored", "promotions"))]
             for name, row in facts["markets"].items()]
    console.print(table("By market", ["", "months", "scored", "promoted"], lines, right=(1, 2, 3)))
    refused = [[name, str(count)] for name, count in facts["refusals"].items()]
    console.print(table("Where candidates ended", ["first failure", "candidates"], refused, right=(1,)))
    console.print(LEFT_OUT, soft_wrap=True)


def _nights(facts: Mapping[str, Any]) -> str:
    return ", ".join(str(night) for night in facts["promoted_on_night"])
