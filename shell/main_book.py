"""Names that everything of one account shares: its main book, and what it keeps as facts."""

from __future__ import annotations

MAIN_BOOK = "main"
LIMITS_FACT = "risk_limits.hash"
ISOLATION_FACT = "host.isolation"
# What a running shell knows of itself, written every monitor period: see `shell.live_status`.
LIVE_FACT = "shell.live"
# Whose money the books of a home are of, "paper" or "live": the mode it first traded in.
KIND_FACT = "account.kind"
