"""Halts: persistent reasons why no opening order may leave (I6). Arithmetic or a person raises, a person lifts them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum

from shell.config_book import RiskConfig
from shell.money import CONTEXT, ZERO, QuoteAmount, percent
from shell.portfolio.ledger import EquityMarks, Ledger
from shell.portfolio.valuation import daily_loss, drawdown


class HaltKind(str, Enum):
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    CONSECUTIVE_LOSSES = "CONSECUTIVE_LOSSES"
    KILL_SWITCH = "KILL_SWITCH"
    LIMITS_CHANGED = "LIMITS_CHANGED"
    BOOKS_DIFFER = "BOOKS_DIFFER"
    STRATEGY_FAULTS = "STRATEGY_FAULTS"
    OPERATOR_PAUSE = "OPERATOR_PAUSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """One active halt of one book. `sentence` tells a person what was measured against which limit."""

    kind: HaltKind
    book: str
    sentence: str
    raised_at: datetime


def evaluate(
    config: RiskConfig,
    ledger: Ledger,
    marks: EquityMarks,
    equity: QuoteAmount,
    now: datetime,
    book: str,
    active: Collection[HaltKind],
) -> list[Halt]:
    """The halts that arithmetic raises now and that are not active already. Called at every mark and at start-up.

    A limit that is reached counts as passed: a loss of exactly max_daily_loss_pct halts.
    """
    if not (
        _below(equity, marks.day_start, config.max_daily_loss_pct)
        or _below(equity, marks.peak, config.max_drawdown_pct)
        or ledger.consecutive_losses >= config.max_consecutive_losses
    ):
        return []
    found = (
        _daily_loss(config, marks, equity),
        _drawdown(config, marks, equity),
        _consecutive_losses(config, ledger),
    )
    return [
        Halt(kind=kind, book=book, sentence=sentence, raised_at=now)
        for kind, sentence in (each for each in found if each is not None)
        if kind not in active
    ]


def after_lift(
    kind: HaltKind, ledger: Ledger, marks: EquityMarks, equity: QuoteAmount
) -> tuple[Ledger, EquityMarks]:
    """The state once a person has lifted a halt: its reference starts afresh, or it would be raised again at once.

    DRAWDOWN measures from the present equity on, DAILY_LOSS likewise for the rest of the day, CONSECUTIVE_LOSSES counts
    from zero. Other halts have no reference point.
    """
    match kind:
        case HaltKind.DRAWDOWN:
            return ledger, replace(marks, peak=equity)
        case HaltKind.DAILY_LOSS:
            return ledger, replace(marks, day_start=equity)
        case HaltKind.CONSECUTIVE_LOSSES:
            return replace(ledger, consecutive_losses=0), marks
        case _:
            return ledger, marks


def _below(equity: QuoteAmount, reference: QuoteAmount, limit: Decimal) -> bool:
    """True when equity lost `limit` or more of a positive reference, exactly, by one product and one comparison."""
    return reference.value > ZERO and equity.value <= CONTEXT.multiply(reference.value, 1 - limit)


def _daily_loss(config: RiskConfig, marks: EquityMarks, equity: QuoteAmount) -> tuple[HaltKind, str] | None:
    if not _below(equity, marks.day_start, config.max_daily_loss_pct):
        return None
    return HaltKind.DAILY_LOSS, (
        f"equity of {equity.value:,.2f} is {percent(daily_loss(marks, equity))} below the day's start of "
        f"{marks.day_start.value:,.2f}; max_daily_loss_pct allows less than {percent(config.max_daily_loss_pct)}"
    )


def _drawdown(config: RiskConfig, marks: EquityMarks, equity: QuoteAmount) -> tuple[HaltKind, str] | None:
    if not _below(equity, marks.peak, config.max_drawdown_pct):
        return None
    return HaltKind.DRAWDOWN, (
        f"equity of {equity.value:,.2f} is {percent(drawdown(marks, equity))} below its peak of "
        f"{marks.peak.value:,.2f}; max_drawdown_pct allows less than {percent(config.max_drawdown_pct)}"
    )


def _consecutive_losses(config: RiskConfig, ledger: Ledger) -> tuple[HaltKind, str] | None:
    if ledger.consecutive_losses < config.max_consecutive_losses:
        return None
    return HaltKind.CONSECUTIVE_LOSSES, (
        f"{ledger.consecutive_losses} trades in a row lost money; max_consecutive_losses allows fewer than "
        f"{config.max_consecutive_losses}"
    )
