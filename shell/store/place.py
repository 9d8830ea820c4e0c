"""Where a home's trading database is: a SQLite file of the home's, or, for the project itself, what BRAIN_DATABASE_URL names.

A private home (a rehearsal's, a simulated market's, one given with `--home`) never takes that URL: invented trades must not
come among real ones. The URL holds a password, so it is a secret like any other: read here alone, and shown without it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from shell.errors import DataError
from shell.home import Home
from shell.secrets import load_secrets
from shell.store.store import Store

URL_BEGINS = ("postgresql://", "postgres://", "postgresql+psycopg://")
NOTHING_RAN = "nothing has run in this home yet (`brain rehearse` makes one, `brain data import` another)"


def store_place(home: Home, environ: Mapping[str, str] | None = None) -> str | Path:
    """What `Store.open` is given for `home`: a path, or a URL with its password. Raises DataError for a URL of another kind."""
    if not is_project(home):
        return home.database
    url = load_secrets(os.environ if environ is None else environ, home.env_file).brain_database_url
    if url is None:
        return home.database
    text = url.reveal()
    if not text.startswith(URL_BEGINS):
        raise DataError("BRAIN_DATABASE_URL must be written postgresql://user:password@host/name; leave it out for SQLite")
    # SQLAlchemy knows one of the two names that PostgreSQL itself takes.
    return "postgresql://" + text.split("://", 1)[1]


def is_project(home: Home) -> bool:
    """Whether this is the project's own home, as opposed to a private one in any folder."""
    return home == Home.project(home.root)


def open_store(home: Home, *, read_only: bool = False) -> Store:
    """The home's database; see `Store.open` for what is raised."""
    return Store.open(store_place(home), read_only=read_only)


def read_store(home: Home) -> Store:
    """The home's database for reading beside a running shell. Raises DataError when there is none yet, NotNow when it is not
    of this version."""
    place = store_place(home)
    if isinstance(place, Path) and not place.is_file():
        raise DataError(f"there is no database at {place}: {NOTHING_RAN}")
    return Store.open(place, read_only=True)
