"""Calls of models as values: what is asked, what it may cost, what it did cost. Arithmetic only; the store keeps the rows.

Money is reserved before a request leaves: its counted input and the whole output it may have, at list price. What the usage
then says is the cost; a call of which no usage is known costs what was reserved. All amounts are US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal
from enum import Enum
from typing import Any

from shell.config_ai import AiConfig, ModelPrice
from shell.errors import NotNow

TOKENS_PRICED = Decimal(1_000_000)
# A hundredth of a cent: costs are rounded up to it, so that many small calls do not add up to less than they cost.
SMALLEST_USD = Decimal("0.0001")
# How often one question of one night may be sent at all, crashes and outages included.
ATTEMPTS_MAX = 2


class NoPrice(NotNow):
    """A model whose price is not known is not called."""


class MonthSpent(NotNow):
    """One more call could break the month's cap."""


class CallState(str, Enum):
    """RESERVED: about to be sent, or being answered, or cut short by a crash; it counts with its reservation. ANSWERED: with a
    reply and its usage. FREE: refused before any work was done. LOST: it may have been worked on; it counts as RESERVED."""

    RESERVED = "reserved"
    ANSWERED = "answered"
    FREE = "free"
    LOST = "lost"


class Tier(str, Enum):
    """How much a night may still ask of models."""

    FULL = "full"
    THRIFTY = "thrifty"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider billed them; `input_tokens` are those that no cache was involved in."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0

    @property
    def read_tokens(self) -> int:
        """All that was read, kept or not."""
        return self.input_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens + self.cache_read_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """One question about to be sent. `slot` names its place in the night, such as "generate:0:1": a question is answered once a
    night, whatever crashes in between. `request` is all of it as JSON values, `request_hash` its identity."""

    night: str
    slot: str
    role: str
    provider: str
    model: str
    request: Mapping[str, Any]
    request_hash: str
    input_tokens: int
    output_tokens_max: int
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A request, what was reserved for it, and what became of it. `at` is the night's time, `paid_at` the machine's."""

    call_id: str
    attempt: int
    asked: CallRequest
    state: CallState
    reserved_usd: Decimal
    at: datetime
    paid_at: datetime
    cost_usd: Decimal | None = None
    usage: Usage | None = None
    reply: Mapping[str, Any] | None = None
    error: str = ""

    @property
    def counted_usd(self) -> Decimal:
        """What the caps count."""
        return self.reserved_usd if self.cost_usd is None else self.cost_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was spent, or is reserved, in one night and in one calendar month ("2026-11"), and what may be."""

    night: str
    month: str
    night_usd: Decimal
    month_usd: Decimal
    night_usd_max: Decimal
    month_usd_max: Decimal
    tier: Tier
    calls: int = 0

    @property
    def sentence(self) -> str:
        """The night's cost and the month's, for people."""
        return (
            f"models cost ${self.night_usd:.2f} this night and ${self.month_usd:.2f} of ${self.month_usd_max:.2f} "
            f"in {self.month}"
        )


def price_of(ai: AiConfig, model: str) -> ModelPrice:
    """Raises NoPrice for a model whose price is not known."""
    for price in ai.prices:
        if price.model == model and price.complete:
            return price
    raise NoPrice(
        f"the price of model {model} is not known, so it is not called: add it to [ai] prices in config/settings.toml"
    )


def reserve_usd(price: ModelPrice, input_tokens: int, output_tokens_max: int) -> Decimal:
    """What a call can cost at most at list price: all of its input unkept, all of the output it is allowed."""
    assert price.input_usd is not None, "a complete price"
    assert price.output_usd is not None, "a complete price"
    return _rounded(input_tokens * price.input_usd + output_tokens_max * price.output_usd)


def usage_usd(price: ModelPrice, usage: Usage) -> Decimal:
    """What a call did cost at list price."""
    pairs = (
        (usage.input_tokens, price.input_usd), (usage.output_tokens, price.output_usd),
        (usage.cache_write_5m_tokens, price.cache_write_5m_usd), (usage.cache_write_1h_tokens, price.cache_write_1h_usd),
        (usage.cache_read_tokens, price.cache_read_usd),
    )
    return _rounded(sum((tokens * usd for tokens, usd in pairs if usd is not None), Decimal(0)))


def spent(ai: AiConfig, night: str, month: str, night_calls: Sequence[ModelCall], month_usd: Decimal) -> Spending:
    """Add up a night's calls, and say which tier the month's money leaves."""
    if month_usd >= ai.month_usd_max:
        tier = Tier.LOCAL
    elif month_usd >= ai.thrifty_pct * ai.month_usd_max:
        tier = Tier.THRIFTY
    else:
        tier = Tier.FULL
    return Spending(
        night=night, month=month, night_usd=sum((call.counted_usd for call in night_calls), Decimal(0)),
        month_usd=month_usd, night_usd_max=ai.night_usd_max, month_usd_max=ai.month_usd_max, tier=tier,
        calls=sum(call.state is CallState.ANSWERED for call in night_calls),
    )


def require_affordable(ai: AiConfig, spending: Spending, usd: Decimal) -> None:
    """Raises NotNow (MonthSpent for the month's) with the cap that a further `usd` would break."""
    if usd > ai.call_usd_max:
        raise NotNow(f"one call could cost ${usd:.2f}, above call_usd_max (${ai.call_usd_max:.2f})")
    if spending.night_usd + usd > ai.night_usd_max:
        raise NotNow(
            f"the night's money is spent: ${spending.night_usd:.2f} of ${ai.night_usd_max:.2f} is spent or reserved and one "
            f"more call could cost ${usd:.2f}"
        )
    if spending.month_usd + usd > ai.month_usd_max:
        raise MonthSpent(
            f"the month's money is spent: ${spending.month_usd:.2f} of ${ai.month_usd_max:.2f} is spent or reserved in "
            f"{spending.month} and one more call could cost ${usd:.2f}"
        )


def _rounded(millionths: Decimal) -> Decimal:
    return (millionths / TOKENS_PRICED).quantize(SMALLEST_USD, rounding=ROUND_UP)
