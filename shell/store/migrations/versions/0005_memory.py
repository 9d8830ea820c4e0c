"""Versions of the document, inputs of nights, comparisons of the main book with its replay."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("documents",
    sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("label", sa.Text(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.Column("text", sa.Text(), nullable=False),
    sa.Column("sentence", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("number")
    )
    op.create_table("night_inputs",
    sa.Column("night", sa.Text(), nullable=False),
    sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.Column("inputs", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("night", "attempt")
    )
    op.create_table("parity_marks",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("rows", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book")
    )
    op.create_table("parity",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("until", sa.Text(), nullable=False),
    sa.Column("since", sa.Text(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("scans", sa.Integer(), nullable=False),
    sa.Column("scans_equal", sa.Integer(), nullable=False),
    sa.Column("fills", sa.Integer(), nullable=False),
    sa.Column("fills_equal", sa.Integer(), nullable=False),
    sa.Column("explained", sa.Boolean(), nullable=False),
    sa.Column("differences", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book", "until")
    )
