"""A candidate's evidence made again, by the shell: from its own candles, in the locked host, with its own settings.

Every other check of a promotion computes again what follows from what was reported. Whoever invents daily returns, and
everything else so that it follows from them, passes those. Here the runs themselves are made once more, and each figure that
the gate decided on is compared with what was reported; the first that is another one refuses by its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shell.backtest.biases.probe import run_biases
from shell.backtest.driver import run_backtest
from shell.backtest.neighbourhood import one_step_neighbours
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.run import Progress
from shell.errors import BrainError, StrategyFault, StrategyRejected
from shell.gate.inputs import BiasFinding, GateInputs, Rival, RunFigures
from shell.gate.runs import bias_of, buy_and_hold, figures_of, idle_rival, neighbour_of, stressed, vault_look_of
from shell.host.faults import attempt_of
from shell.host.port import StrategySource
from shell.market.history import History, data_hash
from shell.promotion.dossier import Broken, require
from shell.trials.scoring import CLOSE

INCUMBENT = "incumbent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is run again and what was told of it. `selection` and `vault` are start and end; `candles` is the hash that the
    score names; the histories come beside it, in this order."""

    source: StrategySource
    incumbent: StrategySource
    settings: BacktestSettings
    cost_stress: float
    selection: tuple[datetime, datetime]
    vault: tuple[datetime, datetime]
    candles: str
    told: GateInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`same` names what came out as reported, in order. `differs` names what did not, "" when all did, and `sentence` says
    how. `broke`: the strategy did not get through the run at all. `attempts`: what code tried that honest code never does,
    by whose it is: the step `incumbent` for the incumbent's, any other for the candidate's own."""

    same: tuple[str, ...]
    differs: str = ""
    sentence: str = ""
    broke: bool = False
    attempts: tuple[tuple[str, str], ...] = ()


def run_again(case: Case, histories: Sequence[History], progress: Progress) -> Found:
    """Make every run again, the cheapest first, up to the first that shows something else.

    Raises what is no fault of the strategy's, such as a process that could not be started: nothing is decided then.
    """
    bench = _Bench(case, *histories)
    same: list[str] = []
    for number, (name, step) in enumerate(STEPS):
        progress(number, len(STEPS))
        differs, sentence, broke = "", "", False
        try:
            step(bench)
        except Broken as broken:
            differs, sentence = name, str(broken)
        except (StrategyRejected, StrategyFault) as fault:
            bench.caught(name, fault)
            differs, sentence, broke = name, f"the strategy broke where it was run again: {fault}", True
        if differs or bench.attempts:
            return Found(
                same=tuple(same), differs=differs or name, sentence=sentence or bench.attempts[0][1], broke=broke,
                attempts=tuple(bench.attempts),
            )
        same.append(name)
    return Found(same=tuple(same))


class _Bench:
    """The runs of one case."""

    def __init__(self, case: Case, selection: History, vault: History) -> None:
        self.case = case
        self.selection_history = selection
        self.vault_history = vault
        self.attempts: list[tuple[str, str]] = []

    def on_selection(self, source: StrategySource, settings: BacktestSettings | None = None) -> BacktestResult:
        start, end = self.case.selection
        return run_backtest(source, self.selection_history, start=start, end=end, settings=settings or self.case.settings)

    def caught(self, step: str, fault: BrainError) -> None:
        if attempt_of(fault):
            self.attempts.append((step, attempt_of(fault)))


def _candles(bench: _Bench) -> None:
    found = data_hash(bench.selection_history)
    require(
        found == bench.case.candles,
        f"the selection segment's candles are {found} now, and it was scored on {bench.case.candles}: candles came in since",
    )


def _selection(bench: _Bench) -> None:
    told, result = bench.case.told, bench.on_selection(bench.case.source)
    _same_returns("it", told.daily_returns, [float(value) for value in result.daily_returns])
    found = figures_of(result)
    _same("trades", told.run.trades, found.trades)
    _same("deepest fall", told.run.max_drawdown_pct, found.max_drawdown_pct)
    _same("return", told.run.total_return_pct, found.total_return_pct)


def _costs(bench: _Bench) -> None:
    result = bench.on_selection(bench.case.source, stressed(bench.case.settings, bench.case.cost_stress))
    _same(f"return at {bench.case.cost_stress:g} times the costs", bench.case.told.stressed_return_pct,
          result.metrics.total_return_pct)


def _incumbent(bench: _Bench) -> None:
    told = bench.case.told.incumbent
    try:
        result = bench.on_selection(bench.case.incumbent)
    except (StrategyRejected, StrategyFault) as fault:
        bench.caught(INCUMBENT, fault)
        _same_rival(told, idle_rival(told.name, len(bench.case.told.daily_returns)))
        return
    figures = figures_of(result)
    _same_rival(told, Rival(
        name=told.name, total_return_pct=figures.total_return_pct, daily_sharpe=figures.daily_sharpe,
        daily_returns=tuple(float(value) for value in result.daily_returns),
    ))


def _holding(bench: _Bench) -> None:
    start, end = bench.case.selection
    _same_rival(bench.case.told.buy_and_hold, buy_and_hold(bench.selection_history, start, end, bench.case.settings))


def _vault(bench: _Bench) -> None:
    told, (start, end) = bench.case.told.vault, bench.case.vault
    result = run_backtest(bench.case.source, bench.vault_history, start=start, end=end, settings=bench.case.settings)
    found = vault_look_of(figures_of(result))
    require(told is not None and not told.refusal, "no look at the vault was reported")
    assert told is not None, "it was just required"
    _same("trades in the vault", told.trades, found.trades)
    _same("days of the vault", told.days, found.days)
    _same("return in the vault", told.total_return_pct, found.total_return_pct)
    _same("deepest fall in the vault", told.max_drawdown_pct, found.max_drawdown_pct)


def _neighbours(bench: _Bench) -> None:
    told, steps = bench.case.told.neighbours or (), one_step_neighbours(bench.case.source)
    _same("number of settings one step away", len(told), len(steps))
    for said, step in zip(told, steps, strict=True):
        try:
            outcome: RunFigures | BrainError = figures_of(bench.on_selection(step.source))
        except (StrategyRejected, StrategyFault) as fault:
            bench.caught("neighbours", fault)
            outcome = fault
        found = neighbour_of(step.values, outcome)
        values = ", ".join(f"{name} {value:g}" for name, value in step.values.items())
        _same(f"daily Sharpe ratio with {values}", said.daily_sharpe, found.daily_sharpe)


def _biases(bench: _Bench) -> None:
    start, end = bench.case.selection
    report = run_biases(
        bench.case.source, bench.selection_history, settings=bench.case.settings, start=start, end=end
    )
    told = {finding.check: finding for finding in bench.case.told.biases or ()}
    for finding in report.findings:
        found, said = bias_of(finding), told.get(finding.check)
        require(
            said is not None and said.verdict == found.verdict,
            f"the probe {found.check.replace('_', ' ')} is {found.verdict} ({found.sentence}), and was reported as "
            f"{'nothing' if said is None else said.verdict}",
        )
        _same(f"gain that is left by the probe {found.check.replace('_', ' ')}", _kept(said), found.kept)


def _kept(finding: BiasFinding | None) -> float | None:
    return None if finding is None else finding.kept


def _same_rival(told: Rival, found: Rival) -> None:
    _same_returns(found.name, told.daily_returns, found.daily_returns)
    _same(f"return of {found.name}", told.total_return_pct, found.total_return_pct)


def _same_returns(whose: str, told: Sequence[float], found: Sequence[float]) -> None:
    require(len(told) == len(found), f"{whose} has {len(found)} daily returns, and {len(told)} were reported")
    for day, (said, made) in enumerate(zip(told, found, strict=True), 1):
        require(_close(said, made), f"{whose} made {made:.6%} on day {day} of {len(found)}, and {said:.6%} was reported")


def _same(what: str, told: float | None, found: float | None) -> None:
    require(_close(told, found), f"the {what} is {_shown(found)}, and {_shown(told)} was reported")


def _close(told: float | None, found: float | None) -> bool:
    """Equal but for the last digits, which may differ on another machine; what is no number equals nothing but itself."""
    if told is None or found is None:
        return told is found
    return math.isclose(told, found, rel_tol=CLOSE, abs_tol=CLOSE)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


# The cheapest first. Neighbours and probes are several runs each.
STEPS: tuple[tuple[str, Callable[[_Bench], None]], ...] = (
    ("candles", _candles), ("selection", _selection), ("holding", _holding), (INCUMBENT, _incumbent), ("vault", _vault),
    ("costs", _costs), ("neighbours", _neighbours), ("biases", _biases),
)
