"""What an engine is told once: whose book, which limits, which pairs and fees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

from shell.config_book import HostConfig, RiskConfig
from shell.exchange.gateway import FeeSchedule
from shell.execution.client_id import NO_MARK
from shell.market.pair import Pair
from shell.risk.limits import FILL_ALLOWANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What an engine is told once. Positions of `watched` pairs are protected and left, never opened; `mark` is the home's, in
    the names its orders have at a venue; `capital_share` is the part of the equity that entries may use."""

    book: str
    version: str
    risk: RiskConfig
    host: HostConfig
    zone: ZoneInfo
    pairs: Mapping[str, Pair]
    fees: Mapping[str, FeeSchedule]
    fill_allowance_pct: Decimal = FILL_ALLOWANCE
    watched: Mapping[str, Pair] = field(default_factory=dict)
    mark: str = NO_MARK
    capital_share: Decimal = Decimal(1)
