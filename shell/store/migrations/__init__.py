"""Schema migrations, applied by `Store.open` in one transaction. No alembic.ini is needed."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

# The newest migration in versions/; a constant, so that opening an up-to-date database does not import alembic.
HEAD = "0010"


def current_version(connection: Connection) -> str:
    """The schema's version, "" when there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def known_versions() -> frozenset[str]:
    """Every version that this code can migrate from, or is."""
    return frozenset(file.name[:4] for file in Path(__file__).parent.glob("versions/0*.py"))


def upgrade(connection: Connection, version: str = HEAD) -> None:
    """Bring the schema to `version` inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
