"""Strategies that tests hand around."""

from __future__ import annotations

from shell.host.port import StrategySource
from shell.trials.candidate import Proposal
from tasks.ai import grammar

RULE = {
    "term_1": "trend", "term_2": "none", "term_3": "none", "exit": "opposite", "order": "market",
    "fast": 8, "slow": 40, "stop_ranges": 6.0, "size_pct": 0.1,
}
MAX_TRADE_PCT = 0.1


def rule(**changes: object) -> StrategySource:
    """A rule of the grammar, by default a slow trend; looks once an hour, so its backtests are quick."""
    return grammar.emit({**RULE, **changes}, MAX_TRADE_PCT)  # type: ignore[dict-item]


def proposal(source: StrategySource, provider: str = "person") -> Proposal:
    return Proposal(source=source, parent_version="v001", hypothesis="it may work", provider=provider, seed=0)
