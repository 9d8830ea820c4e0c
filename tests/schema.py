"""Empty databases, made quickly: what the migrations make of one is recorded once a process and said again for the next.

Ten migrations take a tenth of a second, and hundreds of tests begin with an empty database. Only SQLite, only from nothing to the
newest version; `tests/shell/store/test_migrations.py` compares both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from sqlalchemy import Connection

from shell.store import migrations

Upgrade = Callable[..., None]


def recorded(upgrade: Upgrade) -> Upgrade:
    """`upgrade` that runs the migrations once and then what they came to."""
    script: list[str] = []

    @wraps(upgrade)
    def quickly(connection: Connection, version: str = migrations.HEAD) -> None:
        if connection.dialect.name != "sqlite" or version != migrations.HEAD or objects_of(connection):
            upgrade(connection, version)
        elif script:
            for statement in script:
                connection.exec_driver_sql(statement)
        else:
            upgrade(connection, version)
            script.extend(_script(connection))

    return quickly


def objects_of(connection: Connection) -> list[tuple[str, str, str]]:
    """Kind, name and statement of every table, index and trigger, in the order of their making, but for what SQLite makes itself."""
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").all()
    virtual = tuple(f"{name}_" for _, name, sql in rows if sql.upper().startswith("CREATE VIRTUAL TABLE"))
    return [(kind, name, sql) for kind, name, sql in rows if not name.startswith(("sqlite_", *virtual))]


def _script(connection: Connection) -> list[str]:
    objects = objects_of(connection)
    filled = [
        name for kind, name, _ in objects
        if kind == "table" and name != "alembic_version" and connection.exec_driver_sql(f'SELECT 1 FROM "{name}" LIMIT 1').first()
    ]
    assert not filled, f"a migration writes rows into {', '.join(filled)}: the recorded schema has to say them again, too"
    return [*(sql for _, _, sql in objects), f"INSERT INTO alembic_version VALUES ('{migrations.HEAD}')"]
