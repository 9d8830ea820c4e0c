"""The tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from figures import PEER, WAITING_MAX, Figures
from rich.console import Console
from rich.table import Table
from workload import BARS_A_DAY

NOTES = """\
Median of the runs (slowest - fastest). Times start after imports and loading; ours include the start of the strategy's
process. CPU and memory are those of all processes; memory counts shared pages once in each. Ratios compare runs of the
same round. With several symbols ours is one portfolio that shares its cash; the library runs them in turn, each with its
own cash (final values added up): only the bars a second compare there, not trades and values."""
# Ours; the other one is named with its version.
NAMES = {
    "certified": "certified", "fast": "fast", "certified-compiled": "certified",
    "fast-compiled": "fast",
}


def show(console: Console, report: Mapping[str, Any], rows: Sequence[Figures]) -> None:
    """Print the whole report."""
    machine = report["machine"]
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']} {machine['machine']}, Python {machine['python']}; "
        f"load {machine['load_before']} before, {machine['load_after']} after; {report['seconds']:.0f} s in all",
        soft_wrap=True,
    )
    if report["waiting"] > WAITING_MAX:
        console.print(
            f"[bold yellow]The machine was busy:[/] the library, one thread, waited for a core up to "
            f"{report['waiting']:.0%} of its time. Engines of two processes suffer more, so no ratio here is worth quoting.",
            soft_wrap=True,
        )
    console.print(_engines(report, rows))
    console.print(NOTES, style="dim", soft_wrap=True)
    if report["live_step"]:
        console.print()
        console.print(_live(report["live_step"]))
        console.print(_walls(report["live_step"]), style="dim", soft_wrap=True)
    console.print()
    console.print(_agreement(report), soft_wrap=True)
    console.print()
    console.print(_targets(report["targets"]))


def _engines(report: Mapping[str, Any], rows: Sequence[Figures]) -> Table:
    fast, slow = report["averages"]
    table = Table(
        title=f"EMA {fast}/{slow} cross with RSI and volume, asked on every one of {report['days']} days of 5-minute bars "
        f"(synthetic, seed {report['seed']}), {_count(report['repeat'], 'round')}",
        title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False,
    )
    table.add_column("symbols", justify="right", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    table.add_column("core", no_wrap=True)
    for name in ("bars/s", "range", "wall s", "CPU s", "peak MiB", "trades", "a day", "final value", "x backtesting"):
        table.add_column(name, justify="right", no_wrap=True)
    before = None
    for row in rows:
        if before is not None and row.symbols != before:
            table.add_section()
        table.add_row(str(row.symbols) if row.symbols != before else "", *_cells(row))
        before = row.symbols
    return table


def _cells(row: Figures) -> tuple[str, ...]:
    speed, ratio = row.bars_per_second, row.ratio
    name = NAMES.get(row.engine) or f"{PEER} {row.facts.get('version', '')}".strip()
    return (
        name, row.core, f"{speed.median:,.0f}", f"{speed.low:,.0f} - {speed.high:,.0f}", f"{row.wall.median:.2f}",
        f"{row.cpu.median:.2f}", "-" if row.peak_mib is None else f"{row.peak_mib:.0f}", f"{row.trades:,}",
        f"{row.trades / (row.bars / BARS_A_DAY):.2f}",
        f"{row.final_value:,.0f}",
        "1" if ratio is None else f"{ratio.median:.2f} ({ratio.low:.2f} - {ratio.high:.2f})",
    )


def _live(live: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"Live step: slot to signals, {_count(live['symbols'], 'symbol')} with full windows, engine and strategy host",
        title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False,
    )
    table.add_column("strategy", no_wrap=True)
    for name in ("steps", "median ms", "95 % ms", "worst ms", "full hour: median ms", "worst ms", "start ms", "first step ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, each in live["strategies"].items():
        hour = each["on_the_hour"]
        table.add_row(
            name, str(each["steps"]), f"{each['median_ms']:.2f}", f"{each['p95_ms']:.2f}", f"{each['max_ms']:.2f}",
            f"{hour['median_ms']:.2f}", f"{hour['max_ms']:.2f}", f"{each['start_ms']:.0f}", f"{each['first_ms']:.0f}",
        )
    return table


def _walls(live: Mapping[str, Any]) -> str:
    isolation = next(iter(live["strategies"].values()))["isolation"]
    told = (f"{name} {value}" for name, value in isolation.items() if isinstance(value, bool | int))
    return f"Walls of the strategy's process: {', '.join(told)}"


def _agreement(report: Mapping[str, Any]) -> str:
    if not report["agreement"]:
        return "fast and certified: there is no fast path here to compare"
    parts = []
    for symbols, agrees in report["agreement"].items():
        fills = report["engines"]["certified"][symbols]["fills_count"]
        parts.append(
            f"{_count(symbols, 'symbol')}: [green]agree[/] on all {fills:,} fills and every equity mark" if agrees
            else f"{_count(symbols, 'symbol')}: [bold red]DIFFER[/]: {report['differences'][symbols]}"
        )
    cores = ", plain and compiled" if any(name.endswith("-compiled") for name in report["engines"]) else ""
    return f"fast and certified{cores}, " + "; ".join(parts)


def _count(number: int | str, noun: str) -> str:
    return f"{number} {noun}{'' if int(number) == 1 else 's'}"


def _targets(targets: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        "target", "wanted", "measured", "", box=None, header_style="dim", pad_edge=False, title="Targets",
        title_justify="left", title_style="bold",
    )
    for target in targets:
        verdict = {True: "[green]reached[/]", False: "[bold red]missed[/]", None: "[dim]not measured[/]"}[target["reached"]]
        table.add_row(target["what"], target["wanted"], target["got"] or "-", verdict)
    return table
