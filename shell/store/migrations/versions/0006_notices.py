"""What a message asks of a person, how it was told, and what people decided about candidates."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("action", "key", "channel"):
        op.add_column("outbox", sa.Column(name, sa.Text(), nullable=True))
    op.create_index("ix_outbox_key", "outbox", ["key", "at"])
    op.create_table("approvals",
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("approved", sa.Boolean(), nullable=False),
    sa.Column("decided_by", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(["candidate_id"], ["candidates.candidate_id"]),
    sa.PrimaryKeyConstraint("candidate_id")
    )
