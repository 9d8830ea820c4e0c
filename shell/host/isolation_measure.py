"""What the walls come to on this machine and for this user, found out by starting a process behind them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from shell.config import HostConfig
from shell.contract import RiskLimits
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy

_EMPTY = StrategySource(code="class Strategy:\n    def initialize(self, risk_limits, symbols):\n        pass\n")
_LIMITS = RiskLimits(max_trade_pct=0.1, default_trade_pct=0.1, max_positions=1, max_daily_loss_pct=0.1, max_drawdown_pct=0.1)


def measured_isolation(config: HostConfig) -> dict[str, Any]:
    """What such a process says of its walls; half a second the first time, remembered from then on.

    Raises StrategyFault where no process can be started.
    """
    return dict(_measured(config))


@lru_cache(maxsize=1)
def _measured(config: HostConfig) -> dict[str, Any]:
    with HostedStrategy(_EMPTY, config, check_policy=False) as host:
        host.start(symbols=["BTC/USD"], limits=_LIMITS, windows={}, state=None)
        return dict(host.isolation)
