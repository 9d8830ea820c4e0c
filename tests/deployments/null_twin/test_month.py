"""One month on a small market: real store, real search, sandbox and gate, in a home that is gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.null_twin.month import BEGINS, PLANTED, MonthResult, Terms, days_needed, month_market, month_seed, run_month
from shell.config import GateConfig, OrchestratorConfig, Settings
from shell.errors import BadInput, DataError
from shell.market.book import period_of
from shell.market.null_market import NullKind
from shell.market.synthetic import synthetic_market
from tests.thorough import thorough

SYMBOLS = ("BTC/USD", "ETH/USD")
SMALL = Settings(
    account={"symbols": SYMBOLS, "quote": "USD"},
    orchestrator=OrchestratorConfig(
        search_evaluations=1, search_days_max=6, history_days_min=20, history_days_max=24, nights_between_searches=1,
    ),
)
TERMS = Terms(seed=11, symbols=SYMBOLS, markets=(NullKind.MARTINGALE,), nights=3)


def test_a_month_is_the_same_again_and_leaves_nothing_behind(tmp_path: Path) -> None:
    told: list[int] = []
    first = run_month(TERMS, SMALL, None, 0, scratch=tmp_path, tell=told.append)
    assert told == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []
    # Searches on the first and the third night; each looks at the active strategy and at one other.
    assert (first.nights, first.searches, first.looks) == (3, 2, 4)
    assert first.promoted_on is None
    assert sum(first.refusals.values()) == first.searches
    assert first.scored <= first.searches
    assert first.cpu_seconds > 0 and {"search", "home", "market"} <= set(first.seconds)
    assert run_month(TERMS, SMALL, None, 0, scratch=tmp_path) == first


@thorough
def test_a_gate_that_asks_for_nothing_promotes_and_the_month_ends_there(tmp_path: Path) -> None:
    """The count can rise: with every threshold at its floor a planted edge is promoted on the first night that finds it."""
    open_gate = GateConfig(
        min_trades=1, min_days=2, min_deflated_sharpe=1e-9, max_drawdown_pct=1.0, cost_stress=1.0,
        max_overfitting_probability=1.0, max_spa_p_value=1.0, min_neighbours_kept=0.01, neighbour_score_kept=0.01,
    )
    settings = SMALL.model_copy(update={
        "gate": open_gate,
        "orchestrator": SMALL.orchestrator.model_copy(
            update={
                    "search_evaluations": 4, "search_days_max": 16, "history_days_max": 64, "nights_between_searches": 0,
                    "target_annual_sharpe": 10.0,
                }
        ),
    })
    terms = Terms(seed=3, symbols=SYMBOLS, markets=(PLANTED,), nights=8)
    result = run_month(terms, settings, None, 0, scratch=tmp_path)
    assert result.promoted_on == result.nights, result
    assert result.scored >= 1


def test_months_differ_take_the_markets_in_turn_and_reach_to_the_first_night() -> None:
    terms = Terms(seed=1, symbols=SYMBOLS, markets=tuple(NullKind))
    names, closes = [], set()
    for month in range(4):
        name, market = month_market(terms, SMALL, None, month)
        names.append(name)
        closes.add(market.m5["BTC/USD"]["close"][-1])
        first, last = period_of(market.m5.values())
        assert (last - first).days == days_needed(SMALL)
        assert first < BEGINS < last
    assert names == [*NullKind, NullKind.BLOCK_BOOTSTRAP]
    assert len(closes) == 4
    assert len({month_seed(1, month, what) for month in range(50) for what in ("market", "search")}) == 100


def test_a_real_source_that_is_too_short_is_refused() -> None:
    source = synthetic_market(1, SYMBOLS, BEGINS, 20)
    terms = Terms(seed=1, symbols=SYMBOLS, markets=(NullKind.PHASE_RANDOMISED,))
    with pytest.raises(DataError, match="needs as many"):
        month_market(terms, SMALL, source, 0)


def test_a_result_survives_json_and_another_shape_is_refused() -> None:
    result = MonthResult(
        month=3, market="martingale", nights=30, searches=10, looks=50, scored=9, promoted_on=None, refusals={"vault": 1}
    )
    assert MonthResult.of(result.as_dict()) == result
    with pytest.raises(BadInput, match="no month's result"):
        MonthResult.of({"month": 3})
