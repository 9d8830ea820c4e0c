"""What a strategy is told of its limits, and what risk adds to a price."""

from __future__ import annotations

from decimal import Decimal

from shell.config import PaperConfig, RiskConfig
from shell.contract import RiskLimits
from shell.risk.limits import FILL_ALLOWANCE, fill_allowance, limits_view


def test_a_strategy_sees_its_limits_as_floats():
    config = RiskConfig(
        max_trade_pct="0.11", default_trade_pct="0.06", max_position_pct="0.3", max_positions=3,
        max_daily_loss_pct="0.04", max_drawdown_pct="0.2",
    )
    assert limits_view(config) == RiskLimits(
        max_trade_pct=0.11, default_trade_pct=0.06, max_positions=3, max_daily_loss_pct=0.04, max_drawdown_pct=0.2,
        max_position_pct=0.3,
    )


def test_the_allowance_covers_what_the_paper_book_adds_to_a_price():
    paper = PaperConfig(slippage_pct="0.01", spread_pct="0.002")
    assert fill_allowance(paper) == FILL_ALLOWANCE + Decimal("0.012")
