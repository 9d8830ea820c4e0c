"""The first schema: every table of the store."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("balances",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("cash", sa.Text(), nullable=False),
    sa.Column("capital", sa.Text(), nullable=False),
    sa.Column("fees_paid", sa.Text(), nullable=False),
    sa.Column("realised_pnl", sa.Text(), nullable=False),
    sa.Column("trades_closed", sa.Integer(), nullable=False),
    sa.Column("consecutive_losses", sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint("book")
    )
    op.create_table("candidates",
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("night", sa.Date(), nullable=False),
    sa.Column("proposed_at", sa.Text(), nullable=False),
    sa.Column("source_hash", sa.Text(), nullable=False),
    sa.Column("code", sa.Text(), nullable=False),
    sa.Column("skills", sa.Text(), nullable=False),
    sa.Column("code_origin", sa.Text(), nullable=False),
    sa.Column("parent_version", sa.Text(), nullable=False),
    sa.Column("hypothesis", sa.Text(), nullable=False),
    sa.Column("provider", sa.Text(), nullable=False),
    sa.Column("seed", sa.BigInteger(), nullable=False),
    sa.Column("parameters", sa.Text(), nullable=False),
    sa.Column("prompt_hash", sa.Text(), nullable=False),
    sa.Column("searched", sa.Integer(), nullable=False),
    sa.Column("change_class", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("candidate_id"),
    sa.UniqueConstraint("night", "source_hash", "provider", "parent_version", name="uq_candidates_proposal"),
    sa.UniqueConstraint("number")
    )
    op.create_table("candle_gaps",
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("tier", sa.Text(), nullable=False),
    sa.Column("from_ms", sa.BigInteger(), nullable=False),
    sa.Column("to_ms", sa.BigInteger(), nullable=False),
    sa.Column("bars", sa.BigInteger(), nullable=False),
    sa.Column("found_at", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("symbol", "tier", "from_ms")
    )
    op.create_table("candle_quarantine",
    sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("tier", sa.Text(), nullable=False),
    sa.Column("open_ms", sa.BigInteger(), nullable=True),
    sa.Column("open", sa.Float(), nullable=True),
    sa.Column("high", sa.Float(), nullable=True),
    sa.Column("low", sa.Float(), nullable=True),
    sa.Column("close", sa.Float(), nullable=True),
    sa.Column("volume", sa.Float(), nullable=True),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("id")
    )
    op.create_index("ix_candle_quarantine_bar", "candle_quarantine", ["symbol", "tier", "open_ms"], unique=False)
    op.create_table("candles",
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("tier", sa.Text(), nullable=False),
    sa.Column("open_ms", sa.BigInteger(), nullable=False),
    sa.Column("open", sa.Float(), nullable=False),
    sa.Column("high", sa.Float(), nullable=False),
    sa.Column("low", sa.Float(), nullable=False),
    sa.Column("close", sa.Float(), nullable=False),
    sa.Column("volume", sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint("symbol", "tier", "open_ms")
    )
    op.create_table("capital_events",
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("amount", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("seq")
    )
    op.create_index("ix_capital_events_book", "capital_events", ["book", "seq"], unique=False)
    op.create_table("equity",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("value", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book", "at")
    )
    op.create_table("equity_marks",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("day", sa.Date(), nullable=False),
    sa.Column("day_start", sa.Text(), nullable=False),
    sa.Column("peak", sa.Text(), nullable=False),
    sa.Column("trades_today", sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint("book")
    )
    op.create_table("events",
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("payload", sa.Text(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("seq")
    )
    op.create_index("ix_events_kind", "events", ["kind", "seq"], unique=False)
    op.create_table("facts",
    sa.Column("key", sa.Text(), nullable=False),
    sa.Column("value", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("key")
    )
    op.create_table("faults",
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("sentence", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("seq")
    )
    op.create_index("ix_faults_book", "faults", ["book", "seq"], unique=False)
    op.create_table("halts",
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("sentence", sa.Text(), nullable=False),
    sa.Column("raised_at", sa.Text(), nullable=False),
    sa.Column("lifted_at", sa.Text(), nullable=True),
    sa.Column("lifted_by", sa.Text(), nullable=True),
    sa.Column("lift_seq", sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint("seq")
    )
    op.create_index("ix_halts_book", "halts", ["book", "kind"], unique=False)
    op.create_table("nights",
    sa.Column("night", sa.Text(), nullable=False),
    sa.Column("decision", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("night")
    )
    op.create_table("orders",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("intent_id", sa.Text(), nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("side", sa.Text(), nullable=False),
    sa.Column("purpose", sa.Text(), nullable=False),
    sa.Column("order_type", sa.Text(), nullable=False),
    sa.Column("qty", sa.Text(), nullable=False),
    sa.Column("limit_price", sa.Text(), nullable=True),
    sa.Column("decided_at", sa.Text(), nullable=False),
    sa.Column("signal_id", sa.Text(), nullable=True),
    sa.Column("stop_loss", sa.Text(), nullable=True),
    sa.Column("take_profit", sa.Text(), nullable=True),
    sa.Column("horizon", sa.Text(), nullable=False),
    sa.Column("tag", sa.Text(), nullable=False),
    sa.Column("reserved", sa.Text(), nullable=False),
    sa.Column("order_id", sa.Text(), nullable=True),
    sa.Column("submitted_at", sa.Text(), nullable=True),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("updated_at", sa.Text(), nullable=False),
    sa.Column("filled_qty", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book", "intent_id")
    )
    op.create_index("ix_orders_state", "orders", ["book", "state"], unique=False)
    op.create_table("outbox",
    sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("severity", sa.Text(), nullable=False),
    sa.Column("text", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("delivered_at", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("id")
    )
    op.create_index("ix_outbox_undelivered", "outbox", ["delivered_at", "id"], unique=False)
    op.create_table("paper_trials",
    sa.Column("trial_id", sa.Text(), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("started_at", sa.Text(), nullable=False),
    sa.Column("due_at", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("result", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("trial_id"),
    sa.UniqueConstraint("number")
    )
    op.create_index("ix_paper_trials_candidate", "paper_trials", ["candidate_id"], unique=False)
    op.create_table("positions",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("place", sa.Integer(), nullable=False),
    sa.Column("qty", sa.Text(), nullable=False),
    sa.Column("entered_qty", sa.Text(), nullable=False),
    sa.Column("cost", sa.Text(), nullable=False),
    sa.Column("proceeds", sa.Text(), nullable=False),
    sa.Column("fees", sa.Text(), nullable=False),
    sa.Column("stop_loss", sa.Text(), nullable=True),
    sa.Column("take_profit", sa.Text(), nullable=True),
    sa.Column("horizon", sa.Text(), nullable=False),
    sa.Column("opened_at", sa.Text(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("tag", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book", "symbol")
    )
    op.create_table("promotions",
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("previous", sa.Text(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("number")
    )
    op.create_table("scans",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("slot", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("origin", sa.Text(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("signals", sa.Integer(), nullable=False),
    sa.Column("approved", sa.Integer(), nullable=False),
    sa.Column("fault", sa.Text(), nullable=False),
    sa.Column("milliseconds", sa.Float(), nullable=False),
    sa.Column("reported_at", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("book", "slot")
    )
    op.create_table("searches",
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("candidate_id", sa.Text(), nullable=True),
    sa.Column("looks", sa.Integer(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("seq")
    )
    op.create_table("signal_answers",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("signal_id", sa.Text(), nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("decided_at", sa.Text(), nullable=False),
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("size_pct", sa.Float(), nullable=False),
    sa.Column("order_type", sa.Text(), nullable=False),
    sa.Column("limit_price", sa.Float(), nullable=True),
    sa.Column("stop_loss", sa.Float(), nullable=True),
    sa.Column("take_profit", sa.Float(), nullable=True),
    sa.Column("horizon", sa.Text(), nullable=False),
    sa.Column("confidence", sa.Float(), nullable=False),
    sa.Column("reasoning", sa.Text(), nullable=False),
    sa.Column("tag", sa.Text(), nullable=False),
    sa.Column("approved", sa.Boolean(), nullable=False),
    sa.Column("code", sa.Text(), nullable=False),
    sa.Column("sentence", sa.Text(), nullable=False),
    sa.Column("intent_id", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("book", "signal_id")
    )
    op.create_index("ix_signal_answers_decided", "signal_answers", ["book", "decided_at"], unique=False)
    op.create_table("snapshots",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("day", sa.Date(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.Column("equity", sa.Text(), nullable=False),
    sa.Column("cash", sa.Text(), nullable=False),
    sa.Column("day_pnl", sa.Text(), nullable=False),
    sa.Column("fees", sa.Text(), nullable=False),
    sa.Column("positions", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book", "day")
    )
    op.create_table("strategy_states",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book", "hash")
    )
    op.create_table("strategy_versions",
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
    sa.Column("parent", sa.Text(), nullable=False),
    sa.Column("hypothesis", sa.Text(), nullable=False),
    sa.Column("code", sa.Text(), nullable=False),
    sa.Column("skills", sa.Text(), nullable=False),
    sa.Column("code_origin", sa.Text(), nullable=False),
    sa.Column("promoted_at", sa.Text(), nullable=True),
    sa.Column("state", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("version")
    )
    op.create_table("submissions",
    sa.Column("submission_id", sa.Text(), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("source_hash", sa.Text(), nullable=False),
    sa.Column("proposal", sa.Text(), nullable=False),
    sa.Column("submitted_at", sa.Text(), nullable=False),
    sa.Column("taken_at", sa.Text(), nullable=True),
    sa.Column("candidate_id", sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint("submission_id"),
    sa.UniqueConstraint("number")
    )
    op.create_table("trades",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("trade_id", sa.Text(), nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("qty", sa.Text(), nullable=False),
    sa.Column("cost", sa.Text(), nullable=False),
    sa.Column("proceeds", sa.Text(), nullable=False),
    sa.Column("fees", sa.Text(), nullable=False),
    sa.Column("horizon", sa.Text(), nullable=False),
    sa.Column("opened_at", sa.Text(), nullable=False),
    sa.Column("closed_at", sa.Text(), nullable=False),
    sa.Column("exit_purpose", sa.Text(), nullable=False),
    sa.Column("tag", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("book", "trade_id")
    )
    op.create_index("ix_trades_book_seq", "trades", ["book", "seq"], unique=False)
    op.create_table("trial_scores",
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("segment", sa.Text(), nullable=False),
    sa.Column("scored_at", sa.Text(), nullable=False),
    sa.Column("data_hash", sa.Text(), nullable=False),
    sa.Column("source_hash", sa.Text(), nullable=False),
    sa.Column("sharpe", sa.Float(), nullable=True),
    sa.Column("daily_returns", sa.Text(), nullable=False),
    sa.Column("trades", sa.Integer(), nullable=False),
    sa.Column("total_return_pct", sa.Float(), nullable=True),
    sa.PrimaryKeyConstraint("seq")
    )
    op.create_index("ix_trial_scores_segment", "trial_scores", ["segment", "seq"], unique=False)
    op.create_table("vault_looks",
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint("candidate_id")
    )
    op.create_table("candidate_stages",
    sa.Column("candidate_id", sa.Text(), nullable=False),
    sa.Column("stage", sa.Text(), nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("passed", sa.Boolean(), nullable=False),
    sa.Column("reasons", sa.Text(), nullable=False),
    sa.Column("inputs", sa.Text(), nullable=False),
    sa.Column("at", sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(["candidate_id"], ["candidates.candidate_id"], ),
    sa.PrimaryKeyConstraint("candidate_id", "stage")
    )
    op.create_table("fills",
    sa.Column("book", sa.Text(), nullable=False),
    sa.Column("fill_id", sa.Text(), nullable=False),
    sa.Column("seq", sa.BigInteger(), nullable=False),
    sa.Column("order_id", sa.Text(), nullable=False),
    sa.Column("intent_id", sa.Text(), nullable=False),
    sa.Column("symbol", sa.Text(), nullable=False),
    sa.Column("side", sa.Text(), nullable=False),
    sa.Column("qty", sa.Text(), nullable=False),
    sa.Column("price", sa.Text(), nullable=False),
    sa.Column("fee", sa.Text(), nullable=False),
    sa.Column("liquidity", sa.Text(), nullable=False),
    sa.Column("filled_at", sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(["book", "intent_id"], ["orders.book", "orders.intent_id"], name="fk_fills_order"),
    sa.PrimaryKeyConstraint("book", "fill_id"),
    sa.UniqueConstraint("seq")
    )


def downgrade() -> None:
    op.drop_table("fills")
    op.drop_table("candidate_stages")
    op.drop_table("vault_looks")
    op.drop_index("ix_trial_scores_segment", table_name="trial_scores")
    op.drop_table("trial_scores")
    op.drop_index("ix_trades_book_seq", table_name="trades")
    op.drop_table("trades")
    op.drop_table("submissions")
    op.drop_table("strategy_versions")
    op.drop_table("strategy_states")
    op.drop_table("snapshots")
    op.drop_index("ix_signal_answers_decided", table_name="signal_answers")
    op.drop_table("signal_answers")
    op.drop_table("searches")
    op.drop_table("scans")
    op.drop_table("promotions")
    op.drop_table("positions")
    op.drop_index("ix_paper_trials_candidate", table_name="paper_trials")
    op.drop_table("paper_trials")
    op.drop_index("ix_outbox_undelivered", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_orders_state", table_name="orders")
    op.drop_table("orders")
    op.drop_table("nights")
    op.drop_index("ix_halts_book", table_name="halts")
    op.drop_table("halts")
    op.drop_index("ix_faults_book", table_name="faults")
    op.drop_table("faults")
    op.drop_table("facts")
    op.drop_index("ix_events_kind", table_name="events")
    op.drop_table("events")
    op.drop_table("equity_marks")
    op.drop_table("equity")
    op.drop_index("ix_capital_events_book", table_name="capital_events")
    op.drop_table("capital_events")
    op.drop_table("candles")
    op.drop_index("ix_candle_quarantine_bar", table_name="candle_quarantine")
    op.drop_table("candle_quarantine")
    op.drop_table("candle_gaps")
    op.drop_table("candidates")
    op.drop_table("balances")
