"""Names that everything of one account shares: its main book, and what it keeps as facts."""

from __future__ import annotations

MAIN_BOOK = "main"
LIMITS_FACT = "risk_limits.hash"
ISOLATION_FACT = "host.isolation"
# What a running shell knows of itself, written every monitor period: see `shell.live_status`.
LIVE_FACT = "shell.live"
# Whether the books of this home are those of paper or of a live account, for ever.
KIND_FACT = "account.kind"
