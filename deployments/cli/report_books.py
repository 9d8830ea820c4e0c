"""`brain report trades|fees|lots`: what the books hold, for people, spreadsheets and tax."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table
from shell.errors import BadInput, UsageError

if TYPE_CHECKING:
    from shell.store.store import Store

ROWS_SHOWN = 40
TERMINAL = Path("-")
Row = dict[str, Any]

CsvOption = Annotated[
    Path | None, typer.Option("--csv", help="Write every row into this file, which must not be there yet; - is the terminal.")
]
YearOption = Annotated[
    int | None, typer.Option(help="Only this calendar year, in the account's time zone. Lots still held are left out then.")
]


TRADES = (
    "opened", "closed", "symbol", "quantity", "entry", "exit", "cost", "proceeds", "fees", "result", "exit_purpose", "version",
    "trade_id",
)
FEES = ("at", "symbol", "side", "quantity", "price", "value", "fee", "liquidity", "fill_id", "order_id")
LOTS = (
    "state", "symbol", "quantity", "acquired", "disposed", "days_held", "cost", "proceeds", "gain", "bought_by", "sold_by",
)
# What a terminal of eighty columns has room for; the file and the JSON have every column, and times besides days.
SHOWN = {
    "trades": ("closed", "symbol", "quantity", "entry", "exit", "fees", "result", "exit_purpose"),
    "fees": ("at", "symbol", "side", "quantity", "price", "value", "fee", "liquidity"),
    "lots": ("symbol", "quantity", "acquired", "disposed", "days_held", "cost", "proceeds", "gain"),
}
TITLES = {"at": "day", "exit_purpose": "left by", "days_held": "days"}
NUMBERS = {"quantity", "entry", "exit", "cost", "proceeds", "fees", "result", "price", "value", "fee", "days_held", "gain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    """One kind of report: its columns, the one whose year counts, and where its rows come from."""

    name: str
    columns: tuple[str, ...]
    year_of: str
    rows: Callable[[Store], Iterable[Row]]


def register(app: typer.Typer) -> None:
    """Add the three commands to the group `brain report`."""
    app.command("trades")(trades)
    app.command("fees")(fees)
    app.command("lots")(lots)


@command
def trades(csv: CsvOption = None, year: YearOption = None, home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Every completed trade, entry to flat, with its result after fees."""
    _tell(_Book(name="trades", columns=TRADES, year_of="closed", rows=_trades), csv, year, home, as_json)


@command
def fees(csv: CsvOption = None, year: YearOption = None, home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Every execution with the fee it cost."""
    _tell(_Book(name="fees", columns=FEES, year_of="at", rows=_fees), csv, year, home, as_json)


@command
def lots(csv: CsvOption = None, year: YearOption = None, home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """What every sale used up, first in, first out, with cost basis and gain; and what is still held. Fees are in both.

    Whether first in, first out is the method that applies to you is yours to know.
    """
    _tell(_Book(name="lots", columns=LOTS, year_of="disposed", rows=_lots), csv, year, home, as_json)


def _trades(store: Store) -> Iterable[Row]:
    for each in store.history.trades():
        yield {
            "opened": each.opened_at, "closed": each.closed_at, "symbol": each.symbol, "quantity": each.qty,
            "entry": each.entry_price, "exit": each.exit_price, "cost": each.cost, "proceeds": each.proceeds, "fees": each.fees,
            "result": each.pnl, "exit_purpose": each.exit_purpose, "version": each.version, "trade_id": each.trade_id,
        }


def _fees(store: Store) -> Iterable[Row]:
    for each in store.history.fills():
        yield {
            "at": each.filled_at, "symbol": each.symbol, "side": each.side.value, "quantity": each.qty, "price": each.price,
            "value": each.cost, "fee": each.fee, "liquidity": each.liquidity.value, "fill_id": each.fill_id,
            "order_id": each.order_id,
        }


def _lots(store: Store) -> Iterable[Row]:
    from shell.portfolio.lots import first_in_first_out

    disposals, held = first_in_first_out(store.history.fills())
    for gone in disposals:
        yield {
            "state": "sold", "symbol": gone.symbol, "quantity": gone.qty, "acquired": gone.acquired_at,
            "disposed": gone.disposed_at, "days_held": gone.days_held, "cost": gone.cost, "proceeds": gone.proceeds,
            "gain": gone.gain, "bought_by": gone.bought_by, "sold_by": gone.sold_by,
        }
    for lot in held:
        yield {
            "state": "held", "symbol": lot.symbol, "quantity": lot.qty, "acquired": lot.acquired_at, "disposed": "",
            "days_held": "", "cost": lot.cost, "proceeds": "", "gain": "", "bought_by": lot.fill_id, "sold_by": "",
        }


def _tell(book: _Book, csv: Path | None, year: int | None, home: Path | None, as_json: bool) -> None:
    from zoneinfo import ZoneInfo

    from deployments.opening import settings_for

    place = home_of(home)
    account = settings_for(place).account
    with read_store(place) as store:
        rows = [row for row in book.rows(store) if _within(row[book.year_of], year, ZoneInfo(account.timezone))]
    if csv == TERMINAL and not as_json:
        _put(sys.stdout, book.columns, rows)
        return
    if csv == TERMINAL:
        raise UsageError("--csv - and --json cannot both have the terminal: name a file for one of them")
    if csv is not None:
        _write(csv, book.columns, rows)
    facts: Row = {"kind": book.name, "rows": len(rows), "quote": account.quote, "csv": str(csv) if csv else None}
    if as_json:
        answer({**facts, book.name: [{name: _text(value) for name, value in row.items()} for row in rows]})
        return
    console = console_for(False)
    if csv is not None:
        console.print(f"{len(rows)} rows, amounts in {account.quote}: [bold]{csv}[/]", soft_wrap=True)
        return
    columns = SHOWN[book.name]
    shown = [[_short(name, row[name]) for name in columns] for row in rows[-ROWS_SHOWN:]]
    numbers = tuple(at for at, name in enumerate(columns) if name in NUMBERS)
    titles = [TITLES.get(name, name) for name in columns]
    title = f"{book.name.capitalize()} ({len(rows)}, amounts in {account.quote}, days in UTC)"
    console.print(table(title, titles, shown, right=numbers))
    if len(rows) > ROWS_SHOWN:
        console.print(f"the newest {ROWS_SHOWN} of {len(rows)}: `--csv FILE` writes all", style="dim")


def _within(at: Any, year: int | None, zone: Any) -> bool:
    return year is None or (isinstance(at, datetime) and at.astimezone(zone).year == year)


def _text(value: Any) -> str:
    """Times in ISO form, UTC; amounts exact, in plain notation."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _short(name: str, value: Any) -> str:
    """As people read it on a screen; the file has every digit."""
    from shell.report import figures

    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if name == "disposed":
        return "held"
    if name in ("price", "entry", "exit"):
        return figures.price(value.value)
    if name == "quantity":
        return figures.quantity(value.value)
    return figures.money(value.value) if hasattr(value, "value") else str(value)


def _write(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """A new file that only its owner may read. Raises BadInput where there is one already, or none can be made."""
    import os

    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(f"{file} is there already: name another file, or take that one away") from None
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
        _put(opened, columns, rows)


def _put(opened: TextIO, columns: Sequence[str], rows: Sequence[Row]) -> None:
    import csv

    writer = csv.writer(opened)
    writer.writerow(columns)
    writer.writerows([_text(row[name]) for name in columns] for row in rows)
