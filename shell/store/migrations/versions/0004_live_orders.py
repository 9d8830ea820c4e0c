"""What a real venue adds to orders and fills.

The trigger of a stop that it keeps, our name for the order, the cost as it was booked there, and a fee taken in coins.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("trigger", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("client_id", sa.Text(), nullable=True))
    op.add_column("fills", sa.Column("paid", sa.Text(), nullable=True))
    op.add_column("fills", sa.Column("fee_base", sa.Text(), nullable=True))
