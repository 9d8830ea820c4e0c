"""Values and errors as JSON, the same for both ends. Pure.

A value goes by its type, so that a Candidate that left as one arrives as one; money and times keep every digit. Only what is
annotated as an open mapping arrives as JSON values: a Decimal in it as text, a time as ISO text.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, TypeAdapter, ValidationError

from shell.backtest.result import BacktestSettings
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.errors import (
    BadInput,
    BrainError,
    DataError,
    Fatal,
    NotNow,
    OutcomeUnknown,
    Rejected,
    StrategyFault,
    StrategyRejected,
    Transient,
    UsageError,
)
from shell.money import QuoteAmount

# From the special to the general: the first that fits an error counts.
STATUS: tuple[tuple[type[BrainError], int], ...] = (
    (NotNow, 409), (BadInput, 422), (Rejected, 400), (StrategyFault, 502), (Transient, 503), (OutcomeUnknown, 504),
    (BrainError, 500),
)
_PLAIN: Mapping[str, type[BrainError]] = {
    kind.__name__: kind
    for kind in (Rejected, BadInput, DataError, UsageError, NotNow, OutcomeUnknown, Transient, Fatal, BrainError)
}


class Refusal(BaseModel):
    """Every answer that is not the one asked for: which error of `shell.errors`, and its sentence."""

    kind: str
    message: str
    findings: list[str] = []
    line: int | None = None


class AccountOfBacktests(BaseModel):
    """`BacktestSettings` as JSON."""

    cash: Decimal
    paper: PaperConfig
    risk: RiskConfig
    zone: ZoneInfo
    host: HostConfig


def json_form(kind: Any) -> Any:
    """The annotation whose JSON stands for `kind`."""
    return AccountOfBacktests if kind is BacktestSettings else kind


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def encode(kind: Any, value: Any) -> bytes:
    """`value`, annotated as `kind`, as JSON."""
    if kind is BacktestSettings:
        value = AccountOfBacktests(
            cash=value.cash.value, paper=value.paper, risk=value.risk, zone=value.zone, host=value.host
        )
    return _adapter(json_form(kind)).dump_json(value)


def decode(kind: Any, text: bytes) -> Any:
    """What `encode` was given. Raises Transient for an answer of another shape: half an answer, or another version."""
    try:
        value = _adapter(json_form(kind)).validate_json(text)
    except ValidationError as error:
        raise Transient(f"the shell's answer has another shape than expected: {error.errors()[0]['msg']}") from None
    if kind is BacktestSettings:
        return BacktestSettings(
            cash=QuoteAmount(value.cash), paper=value.paper, risk=value.risk, zone=value.zone, host=value.host
        )
    return value


def refusal_of(error: BrainError) -> tuple[int, Refusal]:
    """HTTP status and body of an error."""
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    if isinstance(error, StrategyFault):
        # The fault's own kind goes first among the findings; "kind" names the class.
        return status, Refusal(kind="StrategyFault", message=str(error), findings=[error.kind], line=error.line)
    if isinstance(error, StrategyRejected):
        return status, Refusal(kind="StrategyRejected", message=str(error), findings=list(error.findings))
    named = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _PLAIN)
    return status, Refusal(kind=named, message=str(error))


def error_of(refusal: Refusal) -> BrainError:
    """The error a refusal stands for."""
    if refusal.kind == "StrategyFault":
        return StrategyFault((refusal.findings or ["error"])[0], refusal.message, refusal.line)
    if refusal.kind == "StrategyRejected":
        return StrategyRejected(refusal.message, refusal.findings)
    return _PLAIN.get(refusal.kind, BrainError)(refusal.message)
