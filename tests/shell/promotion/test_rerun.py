"""Evidence that is true to itself and invented: the shell makes the runs again, and names the first figure that is another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shell.backtest import driver
from shell.backtest.biases import probe
from shell.backtest.biases.finding import BiasReport, BiasVerdict, Finding
from shell.backtest.neighbourhood import one_step_neighbours
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.config import Settings
from shell.errors import StrategyFault, Transient
from shell.gate.inputs import GateInputs, Rival
from shell.gate.runs import bias_of, buy_and_hold, figures_of, neighbour_of, stressed, vault_look_of
from shell.host.inline import InlineHost
from shell.host.port import StrategySource
from shell.market.history import History, data_hash
from shell.money import QuoteAmount
from shell.promotion import rerun
from shell.promotion.rerun import STEPS, Case, Found, run_again
from shell.trials.candidate import source_hash
from tests.shell.promotion import honest
from tests.tasks.sources import rule
from tests.tasks.zigzag import zigzag
from tests.thorough import thorough

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SELECTION = (BEGIN + timedelta(days=2), BEGIN + timedelta(days=6))
VAULT = (BEGIN + timedelta(days=6), BEGIN + timedelta(days=8))
SOURCE, INCUMBENT = rule(fast=4, slow=30), rule(fast=6, slow=40)
# Buys and sells by the clock, and forgets at a restart when it last did: the probe of restarts finds that.
FORGETFUL = StrategySource(code='''
from shell.contract import Action, Signal


class Strategy:
    scan_interval_minutes = 60

    def initialize(self, risk_limits, symbols):
        self.scans = 0

    def analyze(self, markets, portfolio, timestamp):
        self.scans += 1
        if portfolio.positions:
            return [Signal(position.symbol, Action.CLOSE) for position in portfolio.positions]
        return [Signal("BTC/USD", Action.BUY, 0.05)] if self.scans % 5 == 1 else []

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
''')


@pytest.fixture(scope="module", autouse=True)
def runs() -> Iterator[dict[Any, Any]]:
    """Runs in this process, each made once, and probes that find nothing: what is tested compares them, and a process for each
    would take a minute."""
    made: dict[Any, Any] = {}

    def backtest(source: StrategySource, history: History, **given: Any) -> BacktestResult:
        key = (source_hash(source), data_hash(history), str(sorted(given.items(), key=str)))
        if key not in made:
            made[key] = driver.run_backtest(source, history, host=InlineHost(source), **given)
        return made[key]  # type: ignore[no-any-return]

    def biases(_source: StrategySource, _history: History, **given: Any) -> BiasReport:
        findings = tuple(Finding(check=check, verdict=BiasVerdict.CLEAN, sentence="nothing found") for check in probe.CHECKS)
        return BiasReport(findings=findings, signals=9, trades=9, start=given["start"], end=given["end"])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rerun, "run_backtest", backtest)
        patched.setattr(rerun, "run_biases", biases)
        yield made


@pytest.fixture(scope="module")
def history() -> History:
    return zigzag(("BTC/USD", "ETH/USD"), BEGIN, 8)


@pytest.fixture(scope="module")
def case(history: History) -> Case:
    return case_of(SOURCE, history)


def case_of(source: StrategySource, history: History) -> Case:
    """What an honest flow tells of `source`: the same runs, put together as the tasks do."""
    config = Settings()
    settings = BacktestSettings(
        cash=QuoteAmount(10_000), paper=config.paper, risk=config.risk, zone=ZoneInfo("UTC"), host=config.host
    )
    window: dict[str, Any] = {"start": SELECTION[0], "end": SELECTION[1]}
    on_selection = partial(rerun.run_backtest, history=history, settings=settings, **window)
    own, beside = on_selection(source), on_selection(INCUMBENT)
    dear = rerun.run_backtest(source, history, settings=stressed(settings, 2.0), **window)
    hidden = rerun.run_backtest(source, history, settings=settings, start=VAULT[0], end=VAULT[1])
    figures = figures_of(beside)
    told = GateInputs(
        deterministic=True, answers_hash="abc", run=figures_of(own), stressed_return_pct=dear.metrics.total_return_pct,
        trial_sharpes=(figures_of(own).daily_sharpe,), daily_returns=tuple(map(float, own.daily_returns)), other_trials=(),
        incumbent=Rival(
            name="v001", total_return_pct=figures.total_return_pct, daily_sharpe=figures.daily_sharpe,
            daily_returns=tuple(map(float, beside.daily_returns)),
        ),
        buy_and_hold=buy_and_hold(history, *SELECTION, settings), undeclared_numbers=3,
        biases=tuple(map(bias_of, rerun.run_biases(source, history, settings=settings, **window).findings)),
        neighbours=tuple(
            neighbour_of(each.values, figures_of(on_selection(each.source))) for each in one_step_neighbours(source)[:2]
        ),
        vault=vault_look_of(figures_of(hidden)),
    )
    return Case(
        source=source, incumbent=INCUMBENT, settings=settings, cost_stress=2.0, selection=SELECTION, vault=VAULT,
        candles=data_hash(history), told=told,
    )


@pytest.fixture(autouse=True)
def few_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerun, "one_step_neighbours", lambda source: one_step_neighbours(source)[:2])


def again(case: Case, history: History) -> Found:
    return run_again(case, (history, history), lambda _done, _total: None)


def test_what_was_made_by_the_same_runs_comes_out_again(case: Case, history: History) -> None:
    assert case.told.run.trades > 1
    assert again(case, history) == Found(same=tuple(name for name, _ in STEPS))


def another_run(told: GateInputs) -> GateInputs:
    """Daily returns half again as good, and every figure that follows from them."""
    values = tuple(1.5 * value for value in told.daily_returns)
    fallen = told.run.max_drawdown_pct
    return replace(told, daily_returns=values, run=replace(honest.figures(values, told.run.trades), max_drawdown_pct=fallen))


def weaker(rival: Rival) -> Rival:
    """A rival's returns without their best day, and its figures true to them."""
    best = max(rival.daily_returns)
    values = tuple(0.0 if value == best else value for value in rival.daily_returns)
    figures = honest.figures(values)
    return replace(
        rival, daily_returns=values, daily_sharpe=figures.daily_sharpe, total_return_pct=figures.total_return_pct
    )


def vault(told: GateInputs, **changes: Any) -> GateInputs:
    assert told.vault is not None
    return replace(told, vault=replace(told.vault, **changes))


def first_neighbour(told: GateInputs, sharpe: float | None) -> GateInputs:
    assert told.neighbours
    return replace(told, neighbours=(replace(told.neighbours[0], daily_sharpe=sharpe), *told.neighbours[1:]))


def probed(told: GateInputs, **changes: Any) -> GateInputs:
    assert told.biases
    return replace(told, biases=(replace(told.biases[0], **changes), *told.biases[1:]))


Lie = Callable[[GateInputs], GateInputs]
LIES: dict[str, tuple[Lie, str, str]] = {
    "returns": (another_run, "selection", "it made "),
    "a day too few": (lambda told: replace(told, daily_returns=told.daily_returns[1:]), "selection", "it has 4 daily returns, and 3"),
    "trades": (lambda told: replace(told, run=replace(told.run, trades=told.run.trades + 9)), "selection", "the trades is"),
    "a smaller fall": (
        lambda told: replace(told, run=replace(told.run, max_drawdown_pct=0.0)), "selection", "the deepest fall is",
    ),
    "buying and holding": (
        lambda told: replace(told, buy_and_hold=weaker(told.buy_and_hold)), "holding", "buying and holding made",
    ),
    "the incumbent": (lambda told: replace(told, incumbent=weaker(told.incumbent)), "incumbent", "v001 made"),
    "the vault": (lambda told: vault(told, total_return_pct=0.2), "vault", "the return in the vault is"),
    "the vault's trades": (lambda told: vault(told, trades=99), "vault", "the trades in the vault is"),
    "no look at all": (lambda told: vault(told, refusal="it was shut"), "vault", "no look at the vault was reported"),
    "costs": (lambda told: replace(told, stressed_return_pct=0.5), "costs", "the return at 2 times the costs is"),
    "a neighbour": (lambda told: first_neighbour(told, 3.0), "neighbours", "the daily Sharpe ratio with"),
    "a neighbour that broke": (lambda told: first_neighbour(told, None), "neighbours", "and none was reported"),
    "no neighbours": (lambda told: replace(told, neighbours=()), "neighbours", "the number of settings one step away is 2"),
    "no probes": (lambda told: replace(told, biases=()), "biases", "was reported as nothing"),
    "a probe": (lambda told: probed(told, verdict="biased"), "biases", "was reported as biased"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_flow_that_invents_consistently_is_refused_by_name(case: Case, history: History, lie: str) -> None:
    forge, named, said = LIES[lie]
    found = again(replace(case, told=forge(case.told)), history)
    assert (found.differs, found.broke) == (named, False)
    assert said in found.sentence, found.sentence
    assert found.same == tuple(name for name, _ in STEPS)[: len(found.same)]


@thorough
def test_probes_that_were_never_made_are_found_out(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow that says "clean" of everything, of code that forgets its state."""
    monkeypatch.setattr(rerun, "run_biases", partial(probe.run_biases, make_host=lambda each, _shown: InlineHost(each)))
    made = case_of(FORGETFUL, history)
    assert made.told.biases is not None and "biased" in {finding.verdict for finding in made.told.biases}
    clean = tuple(replace(finding, verdict="clean") for finding in made.told.biases)
    found = again(replace(made, told=replace(made.told, biases=clean)), history)
    assert found.differs == "biases"
    assert "and was reported as clean" in found.sentence


def test_other_candles_are_said_to_be_others_before_anything_runs(case: Case, history: History) -> None:
    found = again(replace(case, candles="0" * 16), history)
    assert (found.same, found.differs) == ((), "candles")
    assert "candles came in since" in found.sentence


def test_the_last_digits_may_differ_and_no_more(case: Case, history: History) -> None:
    first, *rest = case.told.daily_returns
    assert again(replace(case, told=replace(case.told, daily_returns=(first + 1e-13, *rest))), history).differs == ""
    assert again(replace(case, told=replace(case.told, daily_returns=(first + 1e-6, *rest))), history).differs == "selection"


def test_a_figure_that_is_no_number_is_not_the_same_as_anything(case: Case, history: History) -> None:
    nothing = (float("nan"),) * len(case.told.daily_returns)
    assert again(replace(case, told=replace(case.told, daily_returns=nothing)), history).differs == "selection"


def test_a_strategy_that_breaks_is_told_apart_from_one_that_differs(
    case: Case, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerun, "run_backtest", raising(StrategyFault("timeout", "it took more than 5 s")))
    found = again(case, history)
    assert (found.differs, found.broke, found.attempts) == ("selection", True, ())
    monkeypatch.setattr(rerun, "run_backtest", raising(StrategyFault("attempt", "it asked for the network")))
    found = again(case, history)
    assert found.attempts == (("selection", "it asked for the network"),)
    # What is no fault of the strategy's decides nothing.
    monkeypatch.setattr(rerun, "run_backtest", raising(Transient("no memory")))
    with pytest.raises(Transient, match="no memory"):
        again(case, history)


def test_an_incumbent_that_breaks_counts_as_holding_nothing_as_it_did_at_the_gate(
    case: Case, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = rerun.run_backtest

    def broken(source: StrategySource, *given: Any, **named: Any) -> BacktestResult:
        if source == INCUMBENT:
            raise StrategyFault("error", "division by zero", 3)
        return works(source, *given, **named)

    monkeypatch.setattr(rerun, "run_backtest", broken)
    assert again(case, history).differs == "incumbent"
    idle = Rival(name="v001", total_return_pct=0.0, daily_sharpe=0.0, daily_returns=(0.0,) * len(case.told.daily_returns))
    assert again(replace(case, told=replace(case.told, incumbent=idle)), history).differs == ""


def raising(error: Exception) -> Callable[..., Any]:
    def fails(*_given: Any, **_named: Any) -> Any:
        raise error

    return fails
