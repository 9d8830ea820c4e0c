"""Segments laid out once a quarter, looks at them, the trial ledger's own chain, and triggers that keep facts as they are.

A later migration that makes one of these tables anew (alembic's batch mode does on SQLite) has to make its triggers anew.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Written out, not imported: a migration stays what it was.
LEDGER_KINDS = (
    "segments", "candidate", "searches", "stage", "selection_look", "score", "vault_look", "paper_started",
    "paper_changed", "promotion", "promotion_aborted", "rollback", "strategy_active", "quarantine",
)
# Table, and what is unique in it: rows are added and never changed, replaced or removed.
APPEND_ONLY = {
    "events": (("seq",),), "trial_links": (("number",),), "trial_scores": (("seq",),),
    "candidate_stages": (("candidate_id", "stage"),), "searches": (("seq",),), "vault_looks": (("candidate_id",),),
    "selection_looks": (("quarter", "candidate_id"),), "segment_splits": (("quarter",),),
    "candidates": (("candidate_id",), ("number",), ("night", "source_hash", "provider", "parent_version")),
}
# The only column of them that may change: a reviewer raises the risk tier of a change.
MAY_CHANGE = {"candidates": ("change_class",)}
# These are numbered without holes.
NUMBERED = ("events", "trial_links")


def upgrade() -> None:
    op.create_table("segment_splits",
    sa.Column("quarter", sa.Text(), nullable=False),
    sa.Column("search_start", sa.Text(), nullable=False),
    sa.Column("selection_start", sa.Text(), nullable=False),
    sa.Column("vault_start", sa.Text(), nullable=False),
    sa.Column("vault_end", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("quarter")
    )
    op.create_table("selection_looks",
    sa.Column("quarter", sa.Text(), nullable=False),
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("free", sa.Text(), nullable=False),
    sa.Column("repairs", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(["candidate_id"], ["candidates.candidate_id"]),
    sa.PrimaryKeyConstraint("quarter", "candidate_id")
    )
    op.create_table("trial_links",
    sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("payload_hash", sa.Text(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("number")
    )
    connection = op.get_bind()
    _link_what_there_is(connection)
    for table, keys in APPEND_ONLY.items():
        columns = [column["name"] for column in sa.inspect(connection).get_columns(table)]
        kept = [name for name in columns if name not in MAY_CHANGE.get(table, ())]
        if connection.dialect.name == "sqlite":
            _guard_sqlite(table, keys, kept)
        else:
            _guard_postgresql(table, kept)


def _link_what_there_is(connection: sa.Connection) -> None:
    """Chain the facts of a home that is older than the chain."""
    kinds = ", ".join(f"'{kind}'" for kind in LEDGER_KINDS)
    rows = connection.execute(
        sa.text(f"SELECT seq, at, kind, payload FROM events WHERE kind IN ({kinds}) ORDER BY seq")
    ).all()
    previous = "0" * 64
    for number, row in enumerate(rows, 1):
        digest = hashlib.sha256(row.payload.encode()).hexdigest()
        text = f"{previous}\n{number}\n{row.seq}\n{row.kind}\n{row.at}\n{digest}"
        previous = hashlib.sha256(text.encode()).hexdigest()
        connection.execute(
            sa.text("INSERT INTO trial_links VALUES (:number, :seq, :kind, :at, :payload_hash, :hash)"),
            {"number": number, "seq": row.seq, "kind": row.kind, "at": row.at, "payload_hash": digest, "hash": previous},
        )


def _guard_sqlite(table: str, keys: tuple[tuple[str, ...], ...], columns: list[str]) -> None:
    def refuse(name: str, when: str, condition: str, sentence: str) -> None:
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {sentence}'); END"
        )

    refuse("no_update", f"UPDATE OF {', '.join(columns)}", "", "a row is never changed")
    refuse("no_delete", "DELETE", "", "a row is never removed")
    # INSERT OR REPLACE removes a row without asking the trigger above.
    if table in NUMBERED:
        # One comparison for both: what is not the next number is either taken or leaves a hole.
        number = keys[0][0]
        condition = f"WHEN NEW.{number} <> (SELECT COALESCE(MAX({number}), 0) + 1 FROM {table})"
        refuse("no_replace", "INSERT", condition, "a row is never replaced, and its numbers have no holes")
        return
    same = " OR ".join("(" + " AND ".join(f"{name} = NEW.{name}" for name in key) + ")" for key in keys)
    refuse("no_replace", "INSERT", f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})", "a row is never replaced")


def _guard_postgresql(table: str, columns: list[str]) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only: a row is never changed or removed', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE OF {', '.join(columns)} ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION refuse_change()"
    )
