"""Settings of the models: who does which role, what a call may take and cost, and what each model charges.

Prices are US dollars per million tokens, list prices read on `as_of` from the vendor's price page. A model without a price is
never called.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LOCAL = "local"
# Whether and when trials go to Vertex experiments; "on" is by hand.
OFF, NIGHTLY = "off", "nightly"
ProviderName = Literal["local", "anthropic", "vertex"]
_NO_TIME = timedelta(0)
_HOUR = timedelta(hours=1)
_USD_MAX = Decimal(100_000)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelPrice(_Section):
    """What one model charges. All five prices are needed: providers do not keep fixed ratios between them."""

    model: str = Field(default="", max_length=100, description="the model's name, as in a request")
    as_of: str = Field(default="", pattern=r"^(\d{4}-\d{2}-\d{2})?$", description="the day it was read, as 2026-11-22")
    input_usd: Decimal | None = Field(default=None, gt=0, le=_USD_MAX, description="a million tokens of input")
    output_usd: Decimal | None = Field(default=None, gt=0, le=_USD_MAX, description="a million tokens of output and thinking")
    cache_write_5m_usd: Decimal | None = Field(default=None, gt=0, le=_USD_MAX, description="a million kept for 5 minutes")
    cache_write_1h_usd: Decimal | None = Field(default=None, gt=0, le=_USD_MAX, description="a million kept for an hour")
    cache_read_usd: Decimal | None = Field(default=None, gt=0, le=_USD_MAX, description="a million kept tokens read again")

    @property
    def complete(self) -> bool:
        return bool(self.model and self.as_of) and None not in (
            self.input_usd, self.output_usd, self.cache_write_5m_usd, self.cache_write_1h_usd, self.cache_read_usd
        )


def _price(model: str, *usd: str) -> ModelPrice:
    given, out, write_5m, write_1h, read = (Decimal(text) for text in usd)
    return ModelPrice(
        model=model, as_of="2026-11-22", input_usd=given, output_usd=out, cache_write_5m_usd=write_5m,
        cache_write_1h_usd=write_1h, cache_read_usd=read,
    )


LIST_PRICES = (
    _price("claude-opus-5-5", "4", "20", "5", "8", "0.2"),
    _price("claude-sonnet-5-5", "2", "10", "2.5", "4", "0.2"),
)


class VertexConfig(_Section):
    project_id: str = Field(default="", description="the Google Cloud project")
    region: str = Field(default="us-east5", pattern=r"^[a-z0-9-]+$", description="the Google Cloud region")
    structured_outputs: Literal["on", "off"] = Field(
        default="off", description="whether the project's policy lets a reply be bound to a schema"
    )
    export: Literal["off", "on", "nightly"] = Field(
        default="off",
        description="whether the trial ledger is copied to Vertex experiments and its model registry: on, by hand; nightly, "
        "after each night as well",
    )
    experiment: str = Field(
        default="trading-brain", pattern=r"^[a-z][a-z0-9-]{0,62}$", description="the experiment the trials are copied to"
    )
    api_endpoint: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="address of Vertex's API for that, empty for the region's own"
    )


class AnthropicConfig(_Section):
    """Where Anthropic is. The key is a secret, ANTHROPIC_API_KEY."""

    base_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="address of the Messages API, empty for Anthropic's own"
    )


class AiConfig(_Section):
    """`analyse_model` decides what a night is for, `generate_model` writes code, `review_model` reads it. "local" for a model
    keeps that role with the rules that need none."""

    provider: ProviderName = Field(default="local", description="who proposes candidates")
    analyse_model: str = Field(default="claude-opus-5-5", min_length=1, max_length=100, description="model that decides")
    generate_model: str = Field(default="claude-sonnet-5-5", min_length=1, max_length=100, description="model that writes code")
    review_model: str = Field(default="claude-opus-5-5", min_length=1, max_length=100, description="model that reviews code")
    analyse_tokens_max: int = Field(
        default=8_000, ge=1_024, le=64_000, description="output of one analysis, in tokens, thinking included"
    )
    generate_tokens_max: int = Field(
        default=24_000, ge=1_024, le=64_000, description="output of one piece of code, in tokens, thinking included"
    )
    review_tokens_max: int = Field(
        default=8_000, ge=1_024, le=64_000, description="output of one review, in tokens, thinking included"
    )
    call_deadline: timedelta = Field(
        default=timedelta(minutes=8), gt=_NO_TIME, le=_HOUR, description="time one call may take, every retry included"
    )
    retries_max: int = Field(default=4, ge=0, le=20, description="times a refused or overloaded call is tried again")
    call_usd_max: Decimal = Field(default=Decimal(1), gt=0, le=_USD_MAX, description="cost of one call at most, in US dollars")
    night_usd_max: Decimal = Field(default=Decimal("2.25"), gt=0, le=_USD_MAX, description="cost of one night at most, dollars")
    month_usd_max: Decimal = Field(
        default=Decimal(45), gt=0, le=_USD_MAX, description="cost of one calendar month at most, in US dollars"
    )
    thrifty_pct: Decimal = Field(
        default=Decimal("0.7"), gt=0, le=1, description="part of the month's money from which the cheaper way is taken"
    )
    prices: tuple[ModelPrice, ...] = Field(default=LIST_PRICES, description="what each model charges")
    vertex: VertexConfig = VertexConfig()
    anthropic: AnthropicConfig = AnthropicConfig()
