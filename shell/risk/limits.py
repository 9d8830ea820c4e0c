"""The limits as a strategy may read them, and what risk adds to a price before it believes it."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Final

from shell.config_book import PaperConfig, RiskConfig
from shell.contract import RiskLimits

# A market order decided now fills at the next price, not at this one: half a percent is more than the usual distance
# from one 5m close to the next open. What would cost more than there is cash is the gateway's to refuse.
FILL_ALLOWANCE: Final = Decimal("0.005")


def limits_view(config: RiskConfig) -> RiskLimits:
    """The read-only limits that `initialize` hands to a strategy."""
    return RiskLimits(
        max_trade_pct=float(config.max_trade_pct),
        default_trade_pct=float(config.default_trade_pct),
        max_positions=config.max_positions,
        max_daily_loss_pct=float(config.max_daily_loss_pct),
        max_drawdown_pct=float(config.max_drawdown_pct),
        max_position_pct=float(config.max_position_pct),
    )


def limits_hash(config: RiskConfig) -> str:
    """Identifies a set of limits: what a person accepted is compared by it."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


def fill_allowance(paper: PaperConfig) -> Decimal:
    """How far above the ask a paper market order may fill: the usual distance plus what the book itself adds."""
    return FILL_ALLOWANCE + paper.slippage_pct + paper.spread_pct
