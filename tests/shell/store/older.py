"""A database of an earlier schema with what a newer one holds: what a migration is tried on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from shell.store import migrations
from shell.store.database import Database


def turn_back(path: Path, version: str) -> Path:
    """Put a database of schema `version`, with every row that fits it, in the place of the one at `path`.

    Returns where the newer one lies now.
    """
    newer = path.with_name(f"newer-{path.name}")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.rename(newer)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    older = Database(path)
    with older.transaction() as connection:
        migrations.upgrade(connection, version)
    older.close()
    with sqlite3.connect(path) as raw:
        raw.execute("ATTACH ? AS newer", (str(newer),))
        for (table,) in raw.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            if table not in ("alembic_version", "sqlite_sequence"):
                columns = ", ".join(row[1] for row in raw.execute(f"PRAGMA main.table_info({table})"))
                raw.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
    return newer
