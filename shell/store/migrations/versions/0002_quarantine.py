"""Code that never runs again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("strategy_quarantine",
    sa.Column("hash", sa.Text(), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("sentence", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("hash")
    )
