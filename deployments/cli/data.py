"""`brain data`: bring candles in, and say what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for, progress, table

if TYPE_CHECKING:
    from rich.console import Console

    from deployments.segments import Standing

app = typer.Typer(no_args_is_help=True, help="Candles: import them, fetch them, check them.")


@app.command("import")
@command
def import_(
    source: Annotated[Path, typer.Argument(help="A parquet or CSV file, a folder of them, or Kraken's OHLCVT zip.")],
    symbols: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Import candles. Each file is taken whole or not at all; bad rows are quarantined and reported, never repaired."""
    from shell.home import HomeLock
    from shell.market.archive import Archive
    from shell.market.importer import import_path
    from shell.store.candles import CandleStore
    from shell.store.place import open_store

    place = home_of(home, new=True).create()
    console = console_for(as_json)
    wanted = [each for each in symbols.split(",") if each.strip()] or None
    with HomeLock(place), open_store(place) as store, progress(console) as bar:
        task = bar.add_task("import", total=None)
        report = import_path(
            source, CandleStore(store), Archive(place.archive), wanted,
            lambda done, total, what: bar.update(task, completed=done, total=total, description=what),
        )
    if as_json:
        answer(report.as_dict())
        return
    rows = [
        [each.file, each.symbol, each.tier.value, f"{each.added:,}", str(each.quarantined), str(each.gaps)]
        for each in report.files
    ]
    console.print(table("Imported", ["file", "symbol", "tier", "new bars", "quarantined", "gaps"], rows, right=(3, 4, 5)))


@app.command("backfill")
@command
def backfill(
    symbols: Annotated[str, typer.Option(help="Comma-separated; default: the symbols of the settings.")] = "",
    days: Annotated[int, typer.Option(min=1, help="How far back, in days from now.")] = 30,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch history from Kraken: no key is needed. Interrupt it at any time; it goes on where it stopped.

    Bars of 5 minutes older than 2.5 days are built from single trades, about 1,000 a second: a busy pair takes minutes
    for each day. For years of history, import Kraken's downloadable OHLCVT files instead.
    """
    from deployments.cli.fetching import fetch

    console = console_for(as_json)
    place = home_of(home, new=True).create()
    with progress(console) as bar:
        task = bar.add_task("backfill", total=None)
        report = fetch(
            place, [each for each in symbols.split(",") if each.strip()], days,
            lambda done, total, what: bar.update(task, completed=done, total=total, description=what),
        )
    if as_json:
        answer(report)
        return
    rows = [
        [
            each["symbol"], (each["first"] or "")[:16], (each["last"] or "")[:16],
            *(f"{each['added'][tier]:,}" for tier in ("5m", "1h", "1d")), f"{each['trades']:,}", f"{each['requests']:,}",
        ]
        for each in report["symbols"]
    ]
    names = ["symbol", "first (UTC)", "last (UTC)", "new 5m", "new 1h", "new 1d", "trades", "requests"]
    console.print(table("Fetched", names, rows, right=(3, 4, 5, 6, 7)))
    for each in report["symbols"]:
        for note in each["notes"]:
            console.print(f"  {each['symbol']}: {note}")


@app.command("check")
@command
def check(
    folder: Annotated[Path | None, typer.Argument(help="A data folder; without: what this home has stored.")] = None,
    symbols: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Report holes, duplicates, out-of-order rows, zero and absurd wicks, the segments and search budget this history
    allows, and whether the ledger of trials is whole. Nothing is changed."""
    from deployments.opening import settings_for
    from deployments.segments import standing_of_folder, standing_of_home
    from shell.market.folder import check_folder
    from shell.market.stored_check import check_stored
    from shell.store.candles import CandleStore

    console = console_for(as_json)
    wanted = [each for each in symbols.split(",") if each.strip()] or None
    if folder is not None:
        report = check_folder(folder, wanted)
        standing = standing_of_folder(report, settings_for(home_of(home)).orchestrator)
    else:
        from deployments.cli.homes import read_store

        place = home_of(home)
        with read_store(place) as store:
            report = check_stored(CandleStore(store), wanted)
            standing = standing_of_home(place, store)
    if as_json:
        answer({**report.as_dict(), **standing.as_dict()})
        return
    rows = [
        [
            each.symbol, each.tier.value, f"{each.rows:,}", f"{each.first:%Y-%m-%d %H:%M}" if each.first else "",
            f"{each.last:%Y-%m-%d %H:%M}" if each.last else "", f"{each.missing_bars:,}", str(len(each.gaps)),
            str(each.duplicates), str(each.out_of_order), str(len(each.quarantined)),
        ]
        for each in report.series
    ]
    names = ["symbol", "tier", "rows", "first (UTC)", "last (UTC)", "missing", "holes", "duplicate", "unordered", "quarantined"]
    console.print(table("Candles", names, rows, right=(2, 5, 6, 7, 8, 9)))
    for each in report.series:
        for gap in sorted(each.gaps, key=lambda gap: -gap.bars)[:5]:
            console.print(f"  {each.symbol} {each.tier.value}: no bars {gap.first:%Y-%m-%d %H:%M} to {gap.last:%Y-%m-%d %H:%M}"
                          f" UTC ({gap.bars})")
        for row in each.quarantined[:5]:
            at = f"{row.opened:%Y-%m-%d %H:%M} UTC" if row.opened else "a row without a time"
            console.print(f"  {each.symbol} {each.tier.value}: quarantined {at}: {row.reason}")
    _show_standing(console, standing)


def _show_standing(console: Console, standing: Standing) -> None:
    """Segments, budget and ledger."""
    if standing.refusal:
        console.print(f"Segments: {standing.refusal}", markup=False, soft_wrap=True)
    else:
        uses = {"search": "any number of looks, logged", "selection": "each candidate scored there is a trial",
                "vault": "one look a candidate, at the very end"}
        rows = [
            [name.value, f"{each.start:%Y-%m-%d}", f"{each.end:%Y-%m-%d}", f"{each.days:.0f}", uses[name.value]]
            for name, each in standing.segments.items()
        ]
        console.print(table("Segments", ["segment", "from (UTC)", "to", "days", "use"], rows, right=(3,)))
    if standing.budget is not None:
        console.print(f"Search budget: {standing.budget.sentence}.", markup=False, soft_wrap=True)
    ledger = standing.ledger
    if ledger is not None:
        state = "whole" if ledger.whole else "NOT whole"
        console.print(
            f"Trial ledger: {state}, {ledger.trials} trials in {ledger.facts} facts, head {ledger.head}", soft_wrap=True
        )
        for problem in ledger.problems:
            console.print(f"  {problem}", markup=False, soft_wrap=True)
