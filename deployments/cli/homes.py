"""Which home a command works on, shared by the commands that read or change state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shell.errors import DataError
from shell.home import Home

if TYPE_CHECKING:
    from shell.store.store import Store

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="A home folder, such as a rehearsal's; default: this project.")
]


def home_of(folder: Path | None, *, new: bool = False) -> Home:
    """The home a command names. Raises DataError for a folder that is not there, unless it may be `new`."""
    if folder is None:
        return Home.project()
    if not folder.is_dir() and not new:
        raise DataError(f"there is no folder {folder}: `brain data import FOLDER --home {folder}` would make it a home")
    return Home.private(folder)


def read_store(home: Home) -> Store:
    """The home's database for reading beside a running shell. Raises DataError when there is none yet."""
    from shell.store import place

    return place.read_store(home)
