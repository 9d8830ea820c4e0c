from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shell.backtest.fast import FastBench
from shell.backtest.parallel import run_many
from shell.config import PairCosts, PaperConfig
from shell.errors import DataError, StrategyRejected
from shell.gate.runs import stressed
from shell.host.port import StrategySource
from shell.market.history import History, data_hash
from tasks import runs
from tasks.runs import Benches, RunSummary, run, run_all, uncertified
from tasks.search import objective, trades_needed
from tests.tasks.memory_shell import START, MemoryShell, market
from tests.tasks.sources import rule


def test_stress_multiplies_every_cost_and_stops_at_what_a_cost_may_be() -> None:
    shell = MemoryShell(rule())
    pairs = (PairCosts(symbol="BTC/USD", taker_fee_pct=Decimal("0.002")),)
    paper = PaperConfig(spread_pct=Decimal("0.09"), pairs=pairs)
    shell.config = shell.config.model_copy(update={"paper": paper})
    costs = stressed(shell.backtest_settings(), 2.0).paper
    assert (costs.taker_fee_pct, costs.maker_fee_pct) == (Decimal("0.008"), Decimal("0.005"))
    assert (costs.slippage_pct, costs.spread_pct) == (Decimal("0.001"), Decimal("0.1"))
    assert costs.for_symbol("BTC/USD").taker_fee_pct == Decimal("0.004")


def test_the_data_hash_changes_with_any_price() -> None:
    frames = dict(market().m5)
    same = History(m5=dict(reversed(frames.items())))
    symbol = next(iter(frames))
    moved = {**frames, symbol: frames[symbol].with_columns(frames[symbol]["close"] * (1 + 1e-12))}
    assert data_hash(same) == data_hash(market())
    assert data_hash(History(m5=moved)) != data_hash(market())


def test_a_repeated_run_gives_what_the_first_gave_and_other_costs_do_not_mix_with_it() -> None:
    settings = MemoryShell(rule()).backtest_settings()
    window = {"start": START + timedelta(days=5), "end": START + timedelta(days=9), "data": "test_runs"}
    first = run(rule(), market(), settings=settings, **window)  # type: ignore[arg-type]
    assert run(rule(), market(), settings=settings, **window) is first  # type: ignore[arg-type]
    dearer = run(rule(), market(), settings=stressed(settings, 3.0), **window)  # type: ignore[arg-type]
    assert dearer.metrics.fees > first.metrics.fees


def test_a_fast_run_has_the_same_figures_and_is_never_remembered_as_a_certified_one() -> None:
    settings = MemoryShell(rule()).backtest_settings()
    window = {"start": START + timedelta(days=5), "end": START + timedelta(days=7), "settings": settings, "data": "fast"}
    (fast,) = run_all([rule()], market(), fast=True, **window)  # type: ignore[arg-type]
    certified = run(rule(), market(), **window)  # type: ignore[arg-type]
    assert fast == certified
    assert fast is not certified
    assert run_all([rule()], market(), fast=True, **window) == [fast]  # type: ignore[arg-type]


def test_what_cannot_be_run_is_an_outcome_beside_the_others_and_the_same_source_runs_once() -> None:
    settings = MemoryShell(rule()).backtest_settings()
    window = {"start": START + timedelta(days=5), "end": START + timedelta(days=6), "settings": settings, "data": "beside"}
    outcomes = run_all([rule(), StrategySource(code="import os\n"), rule()], market(), **window)  # type: ignore[arg-type]
    assert isinstance(outcomes[1], StrategyRejected)
    assert outcomes[0] is outcomes[2]
    assert outcomes[0] is run(rule(), market(), **window)  # type: ignore[arg-type]


def test_a_window_without_bars_is_a_data_error() -> None:
    settings = MemoryShell(rule()).backtest_settings()
    past = START - timedelta(days=9)
    with pytest.raises(DataError):
        run(rule(), market(), start=past, end=past + timedelta(days=2), settings=settings, data="x")


def test_too_few_trades_cost_more_the_fewer_they_are() -> None:
    values = [objective(0.4, trades, 10) for trades in (0, 5, 10, 99)]
    assert values == pytest.approx([0.15, 0.275, 0.4, 0.4])


def test_trades_needed_scale_with_the_window() -> None:
    shell = MemoryShell(rule())
    selection = list(shell.segments(START + timedelta(days=70)).values())[1]
    assert trades_needed(shell.config.gate, selection.days, selection) == shell.config.gate.min_trades
    assert trades_needed(shell.config.gate, selection.days / 3, selection) == 4
    assert trades_needed(shell.config.gate, 0.5, selection) == 1


def test_inside_the_block_every_run_is_fast_and_never_serves_as_a_certified_one_afterwards() -> None:
    settings = MemoryShell(rule()).backtest_settings()
    window = {"start": START + timedelta(days=5), "end": START + timedelta(days=7), "data": "uncertified"}
    with uncertified():
        fast = run(rule(), market(), settings=settings, **window)  # type: ignore[arg-type]
        assert run(rule(), market(), settings=settings, **window) is fast  # type: ignore[arg-type]
    certified = run(rule(), market(), settings=settings, **window)  # type: ignore[arg-type]
    assert certified is not fast
    assert certified == fast


def test_fast_runs_on_shared_benches_follow_one_another_in_one_process_with_the_same_figures(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MemoryShell(rule()).backtest_settings()
    window = {"start": START + timedelta(days=5), "end": START + timedelta(days=7), "settings": settings}
    sources = [rule(), rule(fast=12), rule(fast=14)]
    started: list[FastBench] = []
    start = FastBench._started

    def counted(bench: FastBench, *given: Any) -> Any:
        started.append(bench)
        return start(bench, *given)

    monkeypatch.setattr(FastBench, "_started", counted)
    apart = run_all(sources, market(), data="apart", fast=True, **window)  # type: ignore[arg-type]
    assert len(started) == 3
    with Benches() as shared:
        together = [
            outcome for source in sources
            for outcome in run_all([source], market(), data="together", shared=shared, **window)  # type: ignore[arg-type]
        ]
        assert len(started) == 4
    assert together == apart
    # Evidence is not made there.
    asked = []
    monkeypatch.setattr(runs, "run_many", lambda jobs, *given, **named: (asked.extend(jobs), run_many(jobs, *given, **named))[1])
    run(rule(), market(), data="together", **window)  # type: ignore[arg-type]
    assert [job.fast for job in asked] == [False]


def test_runs_long_enough_for_several_cores_are_made_on_them_rather_than_on_a_shared_bench(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MemoryShell(rule()).backtest_settings()
    window = {"start": START + timedelta(days=5), "end": START + timedelta(days=6), "settings": settings, "data": "worth"}
    monkeypatch.setattr(runs, "workers_worth", lambda *_: 2)
    monkeypatch.setattr(FastBench, "_started", None)
    with Benches() as shared:
        outcomes = run_all([rule(), rule(fast=12)], market(), shared=shared, **window)  # type: ignore[arg-type]
    assert [type(outcome) for outcome in outcomes] == [RunSummary] * 2
