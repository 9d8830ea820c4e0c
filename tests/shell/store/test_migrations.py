"""The migrations and the models say the same, on SQLite and in PostgreSQL's words."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from shell.errors import NotNow
from shell.store import migrations
from shell.store.metadata import METADATA, TABLE_MODULES
from shell.store.store import Store
from tests.schema import objects_of


def differences(store: Store) -> list[object]:
    with store.reading() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA)


def test_migrating_an_empty_database_gives_exactly_the_models_tables(store):
    assert differences(store) == []
    with store.reading() as connection:
        names = set(inspect(connection).get_table_names())
    assert names == set(METADATA.tables) | {"alembic_version"}


@pytest.mark.sqlite
def test_the_quick_way_of_the_tests_makes_what_the_migrations_make(tmp_path):
    made = []
    for name, upgrade in (("quick", migrations.upgrade), ("quick again", migrations.upgrade), ("real", migrations.upgrade.__wrapped__)):
        engine = create_engine(f"sqlite:///{tmp_path / name}.db")
        with engine.begin() as connection:
            upgrade(connection)
            made.append((objects_of(connection), migrations.current_version(connection)))
        engine.dispose()
    assert len(made[0][0]) > 30
    assert made[0] == made[1] == made[2]


def test_a_missing_column_would_be_noticed(store):
    with store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox DROP COLUMN severity")
    assert differences(store) != []


def test_primary_and_foreign_keys_are_those_of_the_models(store):
    """Autogenerate does not compare primary keys."""
    with store.reading() as connection:
        inspector = inspect(connection)
        for name, table in METADATA.tables.items():
            assert inspector.get_pk_constraint(name)["constrained_columns"] == [c.name for c in table.primary_key], name
            assert len(inspector.get_foreign_keys(name)) == len(table.foreign_key_constraints), name


def test_every_module_of_tables_is_in_the_metadata_and_head_is_the_newest_migration():
    folder = Path(migrations.__file__).parent
    modules = {path.stem for path in folder.parent.glob("tables_*.py")}
    assert modules == {module.__name__.rsplit(".", 1)[1] for module in TABLE_MODULES}
    config = Config()
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD
    assert migrations.HEAD in migrations.known_versions()


def test_postgresql_can_hold_every_table():
    dialect = postgresql.dialect()
    for table in METADATA.sorted_tables:
        ddl = str(CreateTable(table).compile(dialect=dialect))
        ddl += "".join(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)
        assert "SQLITE" not in ddl.upper()


@pytest.mark.sqlite
def test_a_database_is_made_from_any_working_directory_without_an_ini_file(tmp_path):
    code = "import sys; from shell.store.store import Store; print(Store.open(sys.argv[1]).schema_version)"
    root = Path(migrations.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "deep" / "er" / "brain.db")], cwd=tmp_path, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": str(root)}, check=False,
    )
    assert done.stdout.strip() == migrations.HEAD, done.stderr


@pytest.mark.sqlite
def test_a_database_of_a_newer_program_is_refused_and_left_alone(database):
    Store.open(database).close()
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for read_only in (False, True):
        with pytest.raises(NotNow, match=f"schema version 9999, this program knows {migrations.HEAD}"):
            Store.open(database, read_only=read_only)


@pytest.mark.sqlite
def test_a_migration_that_fails_leaves_nothing_behind(database, monkeypatch):
    from alembic import op

    real, made = op.create_table, []

    def fail_in_the_middle(name, *columns, **options):
        if len(made) == 5:
            raise OSError("disk full")
        made.append(name)
        return real(name, *columns, **options)

    monkeypatch.setattr(migrations, "upgrade", migrations.upgrade.__wrapped__)
    monkeypatch.setattr(op, "create_table", fail_in_the_middle)
    with pytest.raises(OSError, match="disk full"):
        Store.open(database)
    with create_engine(f"sqlite:///{database}").connect() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    with Store.open(database) as store:
        assert differences(store) == []
