"""Calls of models with their money, and what models predicted. Neither is ever removed, and a settled call never changes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("ai_calls",
    sa.Column("call_id", sa.Text(), nullable=False),
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("night", sa.Text(), nullable=False),
    sa.Column("slot", sa.Text(), nullable=False),
    sa.Column("attempt", sa.Integer(), nullable=False),
    sa.Column("role", sa.Text(), nullable=False),
    sa.Column("provider", sa.Text(), nullable=False),
    sa.Column("model", sa.Text(), nullable=False),
    sa.Column("request", sa.Text(), nullable=False),
    sa.Column("request_hash", sa.Text(), nullable=False),
    sa.Column("input_tokens", sa.BigInteger(), nullable=False),
    sa.Column("output_tokens_max", sa.BigInteger(), nullable=False),
    sa.Column("seed", sa.BigInteger(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("reserved_usd", sa.Text(), nullable=False),
    sa.Column("cost_usd", sa.Text(), nullable=True),
    sa.Column("usage", sa.Text(), nullable=True),
    sa.Column("reply", sa.Text(), nullable=True),
    sa.Column("error", sa.Text(), nullable=False),
    sa.Column("month", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("paid_at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("call_id"),
    sa.UniqueConstraint("night", "slot", "attempt", name="uq_ai_calls_attempt"),
    sa.UniqueConstraint("number", name="uq_ai_calls_number")
    )
    op.create_index("ix_ai_calls_month", "ai_calls", ["month"])
    op.create_index("ix_ai_calls_hash", "ai_calls", ["request_hash"])
    op.create_table("ai_predictions",
    sa.Column("night", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("hypothesis", sa.Text(), nullable=False),
    sa.Column("metric", sa.Text(), nullable=False),
    sa.Column("refuted_if", sa.Text(), nullable=False),
    sa.Column("bound", sa.Float(), nullable=False),
    sa.Column("baseline", sa.Float(), nullable=True),
    sa.Column("made_at", sa.Text(), nullable=False),
    sa.Column("due_at", sa.Text(), nullable=False),
    sa.Column("grade", sa.Text(), nullable=False),
    sa.Column("value", sa.Float(), nullable=True),
    sa.Column("graded_at", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("night")
    )
