"""What every command shares: a view for people, `--json` for programs, and errors as one sentence.

With `--json` the last line of stdout is exactly one JSON object and everything else goes to stderr. Exit codes: 0 done,
1 refused or failed (with a sentence), 2 wrong usage.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from shell.errors import BrainError, StrategyRejected, UsageError

P = ParamSpec("P")
R = TypeVar("R")

DONE, FAILED, WRONG_USAGE = 0, 1, 2

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of stdout; the rest on stderr.")]

people = Console(highlight=False)
aside = Console(stderr=True, highlight=False)


def console_for(as_json: bool) -> Console:
    """Where text for people goes: stderr when stdout belongs to a program."""
    return aside if as_json else people


def answer(facts: Mapping[str, Any]) -> None:
    """Print the JSON object of a command."""
    sys.stdout.write(json.dumps(facts, default=_plain, allow_nan=False) + "\n")
    sys.stdout.flush()


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Turn errors into a sentence and an exit code. Anything that is not one of ours is a bug and shows as one."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BrainError as error:
            fail(error, as_json=bool(kwargs.get("as_json")))
            raise typer.Exit(WRONG_USAGE if isinstance(error, UsageError) else FAILED) from None
        except KeyboardInterrupt:
            aside.print("[yellow]interrupted[/]")
            if kwargs.get("as_json"):
                answer({"error": "interrupted", "kind": "Interrupted", "findings": []})
            raise typer.Exit(FAILED) from None

    return run


def fail(error: BrainError, *, as_json: bool) -> None:
    """Show an error: its sentence, and every finding of a refused strategy."""
    aside.print(f"[bold red]refused:[/] {escape(str(error))}", soft_wrap=True)
    findings = error.findings if isinstance(error, StrategyRejected) else ()
    for finding in findings:
        aside.print(f"  {escape(str(finding))}", soft_wrap=True)
    if as_json:
        answer({"error": str(error), "kind": type(error).__name__, "findings": [str(each) for each in findings]})


def table(title: str, columns: list[str], rows: list[list[str]], *, right: tuple[int, ...] = ()) -> Table:
    """A plain table; `right` names the columns that hold numbers."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        made.add_column(name, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*[escape(cell) for cell in row])
    return made


def progress(console: Console) -> Progress:
    """A progress bar for long work; it draws nothing but a final line where there is no terminal."""
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console,
    )


def percent(fraction: float | Decimal) -> str:
    """A fraction as people read it."""
    return f"{float(fraction) * 100:+.2f} %"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
