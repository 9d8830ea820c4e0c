"""A copy of a whole database at one moment, taken beside a running shell, and a new database filled from such a copy.

The copy is a SQLite file whatever the original is, so that what was saved from one kind of database can be restored into the
other, and nothing but this program is needed to read it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Integer, func, insert, select, text

from shell.errors import DataError, NotNow
from shell.store import migrations
from shell.store.database import Database
from shell.store.metadata import METADATA
from shell.store.store import Store

ROWS_AT_ONCE = 1_000


def copy_database(place: str | Path, target: Path) -> None:
    """Write what the database at `place` holds now to the new file `target`, its owner's alone.

    A SQLite file is copied page by page, whatever its schema, without keeping its writer waiting; from PostgreSQL the rows
    come, in one snapshot. Raises NotNow when there is none, or on PostgreSQL when its schema is not this program's.
    """
    if isinstance(place, Path):
        if not place.is_file():
            raise NotNow(f"there is no database at {place} yet")
        _touch_private(target)
        _copy_file(place, target)
        return
    _touch_private(target)
    with (
        Store.open(place, read_only=True) as source, Store.open(target) as made,
        source.reading() as reading, made.transaction() as writing,
    ):
        copy_rows(reading, writing)
    _fold_log(target)


def fill_database(copy: Path, place: str | Path) -> None:
    """Make the database at `place`, which must not exist or hold no row, the one that was copied to `copy`.

    A copy of an earlier schema is brought up to date on the way; `copy` is changed by that, so it should be one of its own.
    Raises NotNow where there are rows already, or when the copy is of a newer program.
    """
    with Store.open(copy) as source, Store.open(place) as made, source.reading() as reading, made.transaction() as writing:
        held = [name for name, count in count_rows(writing).items() if count]
        if held:
            told = f"{made.place} is not empty ({', '.join(held[:3])})"
            raise NotNow(f"{told}: a backup is restored into an empty database only")
        copy_rows(reading, writing)


def copy_rows(source: Connection, target: Connection) -> None:
    """Every row of every table, into an empty database of the same schema."""
    for table in METADATA.sorted_tables:
        rows = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table).order_by(*table.primary_key))
        for part in rows.mappings().partitions(ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in part])
        keys = list(table.primary_key)
        if target.dialect.name == "postgresql" and len(keys) == 1 and isinstance(keys[0].type, Integer):
            _set_sequence(target, table.name, keys[0].name)


def count_rows(connection: Connection) -> dict[str, int]:
    """How many rows each table holds."""
    return {
        table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
        for table in METADATA.sorted_tables
    }


def schema_of(file: Path) -> str:
    """The schema version of a SQLite file, "" for none. Raises DataError for a file that is no database."""
    database = Database(file, read_only=True)
    try:
        with database.reading() as connection:
            return migrations.current_version(connection)
    finally:
        database.close()


def _set_sequence(target: Connection, table: str, key: str) -> None:
    """PostgreSQL numbers rows by a counter of its own, which knows nothing of rows that came with their numbers."""
    name = target.execute(text("SELECT pg_get_serial_sequence(:table, :key)"), {"table": table, "key": key}).scalar()
    if name is not None:
        following = f'SELECT COALESCE(MAX("{key}"), 0) + 1 FROM "{table}"'
        target.execute(text(f"SELECT setval(:name, ({following}), false)"), {"name": name})


def _copy_file(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
            # The copy is one file, readable where nobody may write.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        raise DataError(f"{source} cannot be copied: {error}") from None


def _fold_log(file: Path) -> None:
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")


def _touch_private(file: Path) -> None:
    file.touch(mode=0o600, exist_ok=False)
