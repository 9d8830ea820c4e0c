"""A report's values are what the database and the candles say, and nothing outside the period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from shell.answers import Promotion
from shell.config import Settings
from shell.host.port import StrategySource
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from shell.orders import Side, SignalAnswer
from shell.report.build import build_report_data
from shell.report.data import ReportData
from shell.report.html import render_html
from shell.report.markdown import render_markdown
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from shell.trials.candidate import ChangeClass, Proposal, Stage, StageResult
from tests.shell.store.examples import START, answer, approved_order, fill_of, scan, trading_step

DAYS = 3
END = START + timedelta(days=DAYS)
GATE = {
    "checks": [
        {"name": "minimum_trades", "passed": True, "value": 12, "threshold": 10, "sentence": "12 closed trades"},
        {"name": "deflated_sharpe", "passed": False, "value": 0.41, "threshold": 0.95, "sentence": "0.41, 0.95 needed"},
    ],
}
SCORED = {
    "figures": {"total_return_pct": 0.0123, "trades": 12, "daily_sharpe": 0.08, "skew": 0.1, "kurtosis": 3.2},
    "incumbent": {"name": "v001", "daily_sharpe": 0.02},
}


def _later(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@pytest.fixture(scope="module")
def market() -> History:
    """Three days of two symbols, with a hole of an hour in the first."""
    whole = synthetic_market(7, ["BTC/USD", "ETH/USD"], START, DAYS, "planted-edge")
    opened = pl.col("timestamp")
    holed = whole.m5["BTC/USD"].filter(~opened.is_between(_later(30), _later(31), closed="left"))
    return replace(whole, m5={**whole.m5, "BTC/USD": holed})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "brain.db") as opened:
        yield opened


def _trade(store: Store) -> None:
    """10,000 in; buy half a bitcoin at 20,000.1, sell it at 20,500, 40.0002 of fees each time."""
    store.books.ensure_capital("main", QuoteAmount(20_000), START)
    state = store.books.load("main")
    assert state is not None
    journal = store.journal("main")
    bought = approved_order(1)
    journal.write_ahead([bought])
    step = trading_step(_later(1), state.ledger, bought, fill_of(bought))
    step.scan, step.answers = scan(_later(1)), [answer(1), _refused(2), _refused(3)]
    journal.record(step)
    assert step.ledger is not None
    sold = approved_order(60, side=Side.SELL)
    journal.write_ahead([sold])
    closing = trading_step(_later(2), step.ledger, sold, fill_of(sold, price="20500"))
    journal.record(closing)


def _refused(number: int) -> SignalAnswer:
    return replace(
        answer(number), approved=False, code="MAX_POSITIONS", sentence=f"signal {number}: no room", intent_id=None
    )


def _night(store: Store) -> None:
    at = datetime(2023, 3, 2, 5, 10, tzinfo=START.tzinfo)
    store.strategies.insert(
        version="v001", hash="aaaa", parent="", hypothesis="first", source=StrategySource(code="x = 1")
    )
    store.strategies.activate("v001", START)
    candidate = store.candidates.register(
        Proposal(
            source=StrategySource(code="x = 2"), parent_version="v001", hypothesis="slower is better", provider="local",
            seed=3,
        ),
        at,
    )
    store.candidates.classify(candidate.candidate_id, ChangeClass.TWEAK)
    for stage, inputs in ((Stage.BACKTEST, SCORED), (Stage.GATE, GATE)):
        store.candidates.record_stage(
            candidate.candidate_id,
            StageResult(
                stage=stage, passed=stage is Stage.BACKTEST, reasons=(f"{stage.value} said so",), inputs=inputs
            ),
            at,
        )
    store.nights.record(date(2023, 3, 2).isoformat(), {"decision": "evolve", "reasons": ["the search has room"]}, at)


def _build(store: Store, market: History, start: datetime = START, end: datetime = END) -> ReportData:
    return build_report_data(store, market, Settings(), title="Three days", start=start, end=end, seed=7)


def test_money_trades_fees_and_refusals_are_those_of_the_books(store: Store, market: History) -> None:
    _trade(store)
    data = _build(store, market)
    assert data.starting_value == Decimal(20_000)
    assert data.fees_total == Decimal("80.0004")
    assert data.fees_by_symbol == {"BTC/USD": Decimal("80.0004")}
    gain = Decimal("0.5") * (Decimal("20500") - Decimal("20000.1")) - Decimal("80.0004")
    assert data.final_value == Decimal(20_000) + gain
    (trade,) = data.trades
    assert (trade.entry, trade.exit, trade.pnl) == (Decimal("20000.1"), Decimal(20_500), gain)
    assert [(fill.side, fill.purpose) for fill in data.fills] == [("buy", "entry"), ("sell", "exit")]
    assert [(row.code, row.count, row.sentence) for row in data.refusals] == [("MAX_POSITIONS", 2, "signal 2: no room")]
    assert (data.counts.scans, data.counts.signals, data.counts.orders, data.counts.fills) == (1, 3, 2, 2)
    assert data.metrics["total_return_pct"] == pytest.approx(float(gain) / 20_000)
    assert data.event_log_hash == store.events.head()
    assert data.positions == ()


def test_an_open_position_is_shown_at_the_last_price_seen(store: Store, market: History) -> None:
    store.books.ensure_capital("main", QuoteAmount(20_000), START)
    state = store.books.load("main")
    assert state is not None
    bought = approved_order(1)
    store.journal("main").write_ahead([bought])
    store.journal("main").record(trading_step(_later(1), state.ledger, bought, fill_of(bought)))
    (held,) = _build(store, market).positions
    assert (held.symbol, held.qty, held.stop_loss) == ("BTC/USD", Decimal("0.5"), Decimal(19_000))
    assert float(held.price) == market.m5["BTC/USD"]["close"][-1]


def test_a_planted_market_is_labelled_and_its_hole_reported(store: Store, market: History) -> None:
    data = _build(store, market)
    assert not data.real
    assert data.planted_edge
    (gap,) = data.gaps
    assert (gap.symbol, gap.begins, gap.ends, gap.bars) == ("BTC/USD", _later(30), _later(31), 12)
    assert len(data.prices["ETH/USD"]) == DAYS * 288
    assert data.buy_and_hold[-1][1] / 10_000 - 1 != data.metrics["total_return_pct"]


def test_facts_outside_the_period_are_left_out_and_the_value_before_it_is_the_start(
    store: Store, market: History
) -> None:
    _trade(store)
    data = _build(store, market, start=_later(24))
    assert data.trades == data.fills == data.refusals == ()
    assert data.starting_value == data.final_value == Decimal("20169.9496")
    assert data.fees_total == 0
    assert data.counts.scans == 0


def test_added_capital_is_no_gain(store: Store, market: History) -> None:
    _trade(store)
    store.books.ensure_capital("main", QuoteAmount(25_000), _later(3))
    assert _build(store, market).starting_value == Decimal(25_000)


def test_a_candidate_carries_its_gate_its_figures_and_its_night(store: Store, market: History) -> None:
    _night(store)
    data = _build(store, market)
    (candidate,) = data.candidates
    assert (candidate.candidate_id, candidate.night, candidate.verdict) == ("c0001", "2023-03-02", "refused")
    assert (candidate.change_class, candidate.stage) == ("tweak", "gate")
    assert [(check.name, check.passed, check.value) for check in candidate.checks] == [
        ("minimum_trades", True, 12), ("deflated_sharpe", False, 0.41),
    ]
    assert candidate.figures == {
        "total_return_pct": 0.0123, "trades": 12, "daily_sharpe": 0.08, "incumbent_daily_sharpe": 0.02,
    }
    (night,) = data.nights
    assert (night.decision, night.reasons) == ("evolve", ("the search has room",))
    assert (night.candidate_ids, night.incumbent) == (("c0001",), "v001")


def test_a_night_tells_what_it_settled_and_what_it_searched_in_vain(store: Store, market: History) -> None:
    _night(store)
    decision = {
        "decision": "evolve", "reasons": ["the search has room"],
        "candidates": [{"id": None, "reasons": ["nothing new was found"]}, {"id": "c0001", "reasons": []}],
        "settled": [
            {"trial": "t0001", "candidate": "c0000", "passed": True, "promoted": "v002", "reasons": [], "refusal": ""},
            {"trial": "t0002", "candidate": "c0009", "passed": False, "promoted": None, "reasons": ["2 fills differ"]},
        ],
    }
    store.nights.record("2023-03-03", decision, _later(53))
    night = _build(store, market).nights[1]
    assert night.reasons == (
        "paper trial t0001 of c0000 passed, and it became v002",
        "paper trial t0002 of c0009 has not passed: 2 fills differ",
        "the search has room", "nothing new was found",
    )
    assert night.candidate_ids == ("c0001",)


def test_promotions_and_rollbacks_are_listed_and_nights_before_them_name_the_old_version(
    store: Store, market: History
) -> None:
    _night(store)
    at = datetime(2023, 3, 2, 6, tzinfo=START.tzinfo)
    promotion = Promotion(candidate_id="c0001", version="v002", previous="v001", hash="bbbb", at=at)
    store.promotions.prepare(promotion)
    store.promotions.commit("c0001")
    back = {"version": "v001", "previous": "v002", "reason": "it failed 3 times in a row"}
    store.events.append("rollback", _later(60), back)
    data = _build(store, market)
    assert [(row.version, row.rollback, row.reason) for row in data.promotions] == [
        ("v002", False, ""), ("v001", True, "it failed 3 times in a row"),
    ]
    assert data.promotions[0].figures["trades"] == 12
    assert data.nights[0].incumbent == "v001"


def test_a_paper_trial_shows_what_was_compared(store: Store, market: History) -> None:
    _night(store)
    trial = store.paper.start("c0001", started_at=_later(30), due_at=_later(54))
    store.paper.update(
        trial.trial_id, state="passed", result={"scans": 288, "signals_equal": 4, "reasons": ["all were equal"]}
    )
    paper = _build(store, market).candidates[0].paper
    assert paper is not None
    assert (paper.trial_id, paper.state, paper.scans, paper.signals_equal, paper.fills_equal) == (
        "t0001", "passed", 288, 4, None,
    )
    assert paper.reasons == ("all were equal",)


def test_halts_that_stood_in_the_period_are_shown_with_their_end(store: Store, market: History) -> None:
    store.halts.raise_(Halt(kind=HaltKind.KILL_SWITCH, book="main", sentence="by hand", raised_at=_later(1)))
    store.halts.lift(HaltKind.KILL_SWITCH, "main", "operator", _later(5))
    (halt,) = _build(store, market, start=_later(4)).halts
    assert (halt.kind, halt.lifted_at, halt.lifted_by) == ("KILL_SWITCH", _later(5), "operator")
    assert _build(store, market, start=_later(6)).halts == ()


def test_settings_are_written_for_people(store: Store, market: History) -> None:
    table = _build(store, market).settings
    assert table["costs"]["taker fee"] == "0.40\u00a0%"
    assert table["risk limits"]["max positions"] == "5"
    assert table["risk limits"]["stale price"] == "10 min"
    assert table["account"]["starting cash"] == "10000"


def test_an_untouched_store_renders_in_both_forms(store: Store, market: History) -> None:
    data = _build(store, market)
    assert data.starting_value == 0
    assert "No trade was completed" in render_html(data)
    assert "No trade was completed" in render_markdown(data)


def test_a_period_without_bars_has_no_buy_and_hold(store: Store, market: History) -> None:
    _trade(store)
    data = _build(store, market, start=END + timedelta(days=5), end=END + timedelta(days=6))
    assert data.buy_and_hold == ()
    assert "buy_and_hold_return_pct" not in data.metrics
    render_html(data)
