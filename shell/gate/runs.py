"""What the gate reads of backtests: made once by whoever runs the gate, and again by the shell before it promotes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from shell.backtest.biases.finding import Finding
from shell.backtest.biases.lag import CHECK as LAG
from shell.backtest.buy_and_hold import buy_and_hold_curve
from shell.backtest.metrics import daily_returns, moments_of
from shell.backtest.result import BacktestResult, BacktestSettings, EquityCurve
from shell.clock import to_ms
from shell.config import PairCosts, PaperConfig
from shell.errors import BrainError, StrategyFault, StrategyRejected
from shell.gate.inputs import BiasFinding, Neighbour, Rival, RunFigures, VaultLook
from shell.market.history import History

COST_MAX = Decimal("0.1")


def figures_of(result: BacktestResult) -> RunFigures:
    """The figures of one run."""
    metrics, moments = result.metrics, moments_of(result.daily_returns)
    return RunFigures(
        total_return_pct=metrics.total_return_pct, max_drawdown_pct=metrics.max_drawdown_pct, trades=metrics.trades,
        days=moments.n_obs, daily_sharpe=moments.sharpe, skew=moments.skew, kurtosis=moments.kurtosis,
    )


def bias_of(finding: Finding) -> BiasFinding:
    """What is kept of a probe's answer."""
    kept: Any = finding.evidence.get("kept_pct") if finding.check == LAG else None
    return BiasFinding(
        check=finding.check, verdict=finding.verdict.value, sentence=finding.sentence,
        kept=None if kept is None else float(kept),
    )


def neighbour_of(values: Mapping[str, float], outcome: RunFigures | BrainError) -> Neighbour:
    """A setting one step away, from its run or what its strategy broke with. Raises what is no fault of the strategy's."""
    if isinstance(outcome, StrategyRejected | StrategyFault):
        return Neighbour(values=values, daily_sharpe=None, fault=str(outcome))
    if isinstance(outcome, BrainError):
        raise outcome
    return Neighbour(values=values, daily_sharpe=outcome.daily_sharpe)


def vault_look_of(figures: RunFigures) -> VaultLook:
    """The look at the vault, from its run."""
    return VaultLook(
        total_return_pct=figures.total_return_pct, max_drawdown_pct=figures.max_drawdown_pct, trades=figures.trades,
        days=figures.days,
    )


def idle_rival(name: str, days: int) -> Rival:
    """An incumbent that breaks on the segment: it counts as holding nothing."""
    return Rival(name=name, total_return_pct=0.0, daily_sharpe=0.0, daily_returns=(0.0,) * days)


def buy_and_hold(history: History, start: datetime, end: datetime, settings: BacktestSettings) -> Rival:
    """Equal parts of every symbol bought at the first open of the window and held. The first day's return is measured from the
    cash before the purchase, as a strategy's is, so the days come to the whole return, fee included."""
    cash = float(settings.cash)
    held = buy_and_hold_curve(history, start, end, cash, float(settings.paper.taker_fee_pct))
    curve = EquityCurve(
        times_ms=np.concatenate(([to_ms(start)], held.times_ms)), values=np.concatenate(([cash], held.values))
    )
    returns = daily_returns(curve)
    return Rival(
        name="buying and holding", total_return_pct=float(curve.values[-1]) / cash - 1,
        daily_sharpe=moments_of(returns).sharpe, daily_returns=tuple(float(value) for value in returns),
    )


def stressed(settings: BacktestSettings, factor: float) -> BacktestSettings:
    """The same account with every cost multiplied, capped at what a cost may be at all."""
    times = Decimal(str(factor))
    paper = settings.paper
    costs = {name: min(getattr(paper, name) * times, COST_MAX) for name in _COSTS}
    pairs = tuple(_stressed_pair(pair, times) for pair in paper.pairs)
    return BacktestSettings(
        cash=settings.cash, paper=PaperConfig(**{**paper.model_dump(), **costs, "pairs": pairs}),
        risk=settings.risk, zone=settings.zone, host=settings.host,
    )


_COSTS = ("slippage_pct", "spread_pct", "maker_fee_pct", "taker_fee_pct")


def _stressed_pair(pair: PairCosts, times: Decimal) -> PairCosts:
    costs = {name: getattr(pair, name) for name in _COSTS}
    return pair.model_copy(
        update={name: min(cost * times, COST_MAX) for name, cost in costs.items() if cost is not None}
    )
