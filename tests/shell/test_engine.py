"""One step of the engine: what fills where, what protects, what halts, what the strategy is told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shell.config import PaperConfig
from shell.contract import Action, OrderType, Signal
from shell.host.port import ClosedNotice, FillNotice
from shell.market.bars import Tier
from shell.money import Price, QuoteAmount
from shell.orders import Liquidity, OrderState, Purpose
from shell.portfolio.ledger import CapitalEvent
from shell.risk.halts import Halt, HaltKind
from tests.shell.scripted import BTC, ETH, START, STEP, WIDE, ScriptedHost, candles, engine_on, flat, run


def buy(symbol: str = BTC, **fields: object) -> Signal:
    return Signal(symbol, Action.BUY, 0.5, **fields)  # type: ignore[arg-type]


def test_a_market_order_fills_at_the_open_of_the_bar_after_its_decision() -> None:
    bars = [*flat(100.0, 2), (103.0, 104.0, 102.0, 103.5), *flat(103.0, 2)]
    engine, kept = engine_on({BTC: candles(bars)}, ScriptedHost({1: [buy()]}))
    run(engine, 4)
    (fill,) = kept.fills
    # Scan 1 is at 00:10, when bar 00:05 has closed; the next bar opens there, at 103.
    assert (fill.filled_at, fill.price) == (START + 2 * STEP, Price("103"))
    assert fill.liquidity is Liquidity.TAKER


def test_spread_slippage_and_taker_fee_make_a_market_order_dearer() -> None:
    paper = PaperConfig(
        slippage_pct=Decimal("0.001"), spread_pct=Decimal("0.002"), maker_fee_pct=Decimal("0.0025"),
        taker_fee_pct=Decimal("0.004"),
    )
    engine, kept = engine_on({BTC: candles(flat(100.0, 4))}, ScriptedHost({0: [buy()]}), paper=paper)
    run(engine, 3)
    (fill,) = kept.fills
    # 100 x (1 + 0.002/2 + 0.001) = 100.2; the tick of BTC is 0.1.
    assert fill.price == Price("100.2")
    assert fill.fee.value == (fill.cost.value * Decimal("0.004")).quantize(Decimal("1e-8"))
    assert engine.ledger.cash == QuoteAmount(10_000) - fill.cost - fill.fee


def test_a_resting_limit_fills_only_when_the_price_trades_through_it() -> None:
    limit = buy(order_type=OrderType.LIMIT, limit_price=99.0)
    touched = [*flat(100.0, 2), (100.0, 100.0, 99.0, 100.0), *flat(100.0, 2)]
    engine, kept = engine_on({BTC: candles(touched)}, ScriptedHost({0: [limit]}))
    run(engine, 4)
    assert kept.fills == []
    through = [*flat(100.0, 2), (100.0, 100.0, 98.9, 100.0), *flat(100.0, 2)]
    engine, kept = engine_on({BTC: candles(through)}, ScriptedHost({0: [limit]}))
    run(engine, 4)
    assert [(fill.price, fill.liquidity) for fill in kept.fills] == [(Price("99"), Liquidity.MAKER)]


def test_in_a_bar_that_touches_stop_and_target_the_stop_comes_first() -> None:
    bars = [*flat(100.0, 3), (100.0, 120.0, 80.0, 110.0), *flat(110.0, 2)]
    engine, kept = engine_on({BTC: candles(bars)}, ScriptedHost({0: [buy(stop_loss=90.0, take_profit=115.0)]}))
    run(engine, 5)
    assert [(fill.intent.purpose, fill.price) for fill in kept.fills] == [
        (Purpose.ENTRY, Price("100")), (Purpose.STOP, Price("90")),
    ]


@pytest.mark.parametrize(
    ("bar", "purpose", "price"),
    [
        ((85.0, 86.0, 84.0, 85.0), Purpose.STOP, "85"),
        ((100.0, 101.0, 89.0, 100.0), Purpose.STOP, "90"),
        ((125.0, 126.0, 124.0, 125.0), Purpose.TARGET, "125"),
        ((100.0, 115.0, 99.0, 101.0), Purpose.TARGET, "115"),
    ],
    ids=["a gap below the stop fills at the open", "a stop fills at its level", "a gap above the target at the open",
         "a target at its level"],
)
def test_protective_levels_fill_at_the_worse_of_open_and_stop_and_the_better_of_open_and_target(
    bar: tuple[float, float, float, float], purpose: Purpose, price: str
) -> None:
    engine, kept = engine_on(
        {BTC: candles([*flat(100.0, 3), bar, *flat(100.0, 2)])},
        ScriptedHost({0: [buy(stop_loss=90.0, take_profit=115.0)]}),
    )
    run(engine, 5)
    assert [(fill.intent.purpose, fill.price) for fill in kept.fills[1:]] == [(purpose, Price(price))]
    assert engine.ledger.positions == {}


def test_an_entry_filled_on_the_way_down_is_stopped_on_the_same_way_at_its_stop() -> None:
    bars = [*flat(100.0, 2), (100.0, 100.0, 80.0, 85.0), *flat(85.0, 2)]
    limit = buy(order_type=OrderType.LIMIT, limit_price=95.0, stop_loss=90.0)
    engine, kept = engine_on({BTC: candles(bars)}, ScriptedHost({0: [limit]}))
    run(engine, 4)
    assert [(fill.intent.purpose, fill.price) for fill in kept.fills] == [
        (Purpose.ENTRY, Price("95")), (Purpose.STOP, Price("90")),
    ]


def test_a_market_entry_that_meets_a_hole_expires_and_an_exit_waits_for_a_price() -> None:
    bars = [*flat(100.0, 2), None, None, None, *flat(105.0, 3)]
    engine, kept = engine_on({BTC: candles(bars)}, ScriptedHost({1: [buy()]}))
    states = []
    run(engine, 7, after=lambda _: states.append(len(engine.gateway.open_orders())))
    assert kept.fills == []
    assert engine.ledger.positions == {}
    assert states[-1] == 0

    engine, kept = engine_on({BTC: candles(bars)}, ScriptedHost({0: [buy()], 1: [Signal(BTC, Action.CLOSE)]}))
    run(engine, 7)
    assert [(fill.intent.purpose, fill.filled_at) for fill in kept.fills] == [
        (Purpose.ENTRY, START + STEP), (Purpose.EXIT, START + 5 * STEP),
    ]


def test_a_stale_price_refuses_an_entry_with_a_sentence() -> None:
    bars = [*flat(100.0, 2), *[None] * 6, *flat(100.0, 2)]
    engine, kept = engine_on({BTC: candles(bars)}, ScriptedHost({5: [buy()]}))
    run(engine, 9)
    (answer,) = kept.answers
    assert (answer.approved, answer.code) == (False, "STALE_PRICE")
    assert answer.sentence


def test_the_strategy_hears_of_fills_and_closed_positions_before_its_next_scan() -> None:
    host = ScriptedHost({0: [buy()], 2: [Signal(BTC, Action.CLOSE)]})
    engine, _ = engine_on({BTC: candles([*flat(100.0, 3), *flat(110.0, 4)])}, host)
    run(engine, 6)
    told = [notice for request in host.requests for notice in request.notices]
    assert [type(notice) for notice in told] == [FillNotice, FillNotice, ClosedNotice]
    closed = told[2]
    assert isinstance(closed, ClosedNotice)
    assert closed.pnl_pct == pytest.approx(0.1)
    assert [len(request.new_trades) for request in host.requests].count(1) == 1


def test_each_bar_reaches_the_strategy_once_and_never_before_it_closed() -> None:
    host = ScriptedHost()
    engine, _ = engine_on({BTC: candles(flat(100.0, 40)), ETH: candles(flat(10.0, 40))}, host)
    run(engine, 36)
    seen = [(bar.symbol, bar.tier, bar.open_ms) for request in host.requests for bar in request.new_bars]
    assert len(seen) == len(set(seen))
    # The first bar was in the windows that the host started with.
    assert sum(tier is Tier.M5 for _, tier, _ in seen) == 2 * 35
    for request in host.requests:
        assert all(bar.close_ms <= request.now.timestamp() * 1000 for bar in request.new_bars)


def test_a_scan_happens_once_a_slot_and_only_on_the_strategys_interval() -> None:
    host = ScriptedHost(interval=15)
    engine, _ = engine_on({BTC: candles(flat(100.0, 40))}, host)
    engine.start_host()
    run(engine, 12)
    run(engine, 0)
    assert [request.now.minute for request in host.requests] == [5, 15, 30, 45, 0]
    assert engine.step(START + 12 * STEP, origin="test").scan is None


def test_a_strategy_that_takes_over_is_asked_at_its_own_slots_from_the_first_on() -> None:
    often, seldom, again = ScriptedHost(interval=5), ScriptedHost(interval=15), ScriptedHost(interval=5)
    engine, _ = engine_on({BTC: candles(flat(100.0, 40))}, often)
    run(engine, 4)
    engine.attach(seldom, "v002", None)
    run(engine, 5, start=START + 4 * STEP)
    engine.attach(again, "v003", None)
    run(engine, 2, start=START + 9 * STEP)
    assert [[request.now.minute for request in host.requests] for host in (often, seldom, again)] == [
        [5, 10, 15, 20], [30, 45], [50, 55],
    ]


def test_a_start_between_two_slots_asks_nothing_before_the_next() -> None:
    host = ScriptedHost(interval=60)
    engine, _ = engine_on({BTC: candles(flat(100.0, 40))}, host, last_scan=START)
    run(engine, 13)
    assert [request.now for request in host.requests] == [START + 12 * STEP]


def test_a_daily_loss_halts_openings_takes_entries_out_and_lets_exits_pass() -> None:
    risk = WIDE.model_copy(update={"max_daily_loss_pct": Decimal("0.05")})
    resting = buy(ETH, order_type=OrderType.LIMIT, limit_price=9.0)
    host = ScriptedHost({0: [buy(), resting], 4: [buy(ETH)], 5: [Signal(BTC, Action.CLOSE)]})
    frames = {BTC: candles([*flat(100.0, 3), *flat(80.0, 6)]), ETH: candles(flat(10.0, 9))}
    engine, kept = engine_on(frames, host, risk=risk)
    run(engine, 8)
    assert set(engine.halts) == {HaltKind.DAILY_LOSS}
    assert engine.gateway.open_orders() == []
    assert [answer.code for answer in kept.answers] == ["APPROVED", "APPROVED", "HALTED", "APPROVED"]
    assert engine.ledger.positions == {}


def test_a_halt_survives_until_a_person_lifts_it_and_does_not_trip_again_at_once() -> None:
    risk = WIDE.model_copy(update={"max_daily_loss_pct": Decimal("0.05")})
    engine, _ = engine_on({BTC: candles([*flat(100.0, 3), *flat(80.0, 6)])}, ScriptedHost({0: [buy()]}), risk=risk)
    run(engine, 6)
    assert set(engine.halts) == {HaltKind.DAILY_LOSS}
    engine.lift(HaltKind.DAILY_LOSS)
    engine.step(START + 7 * STEP, origin="test")
    assert engine.halts == {}


def test_the_kill_switch_refuses_every_entry() -> None:
    engine, kept = engine_on({BTC: candles(flat(100.0, 6))}, ScriptedHost({2: [buy()]}))
    run(engine, 1)
    engine.halt(Halt(kind=HaltKind.KILL_SWITCH, book="test", sentence="asked for", raised_at=START + STEP))
    run(engine, 4, start=START + STEP)
    assert [answer.code for answer in kept.answers] == ["KILL_SWITCH"]


def test_a_deposit_is_neither_profit_nor_drawdown() -> None:
    engine, _ = engine_on({BTC: candles(flat(100.0, 6))}, ScriptedHost())
    run(engine, 2)
    engine.add_capital(CapitalEvent(amount=QuoteAmount(5_000), at=START + 2 * STEP, reason="deposit"))
    assert engine.equity() == QuoteAmount(15_000)
    assert engine.marks is not None
    assert engine.equity() - engine.marks.day_start == QuoteAmount(0)
    assert engine.equity() - engine.ledger.capital == QuoteAmount(0)


def test_a_fault_is_counted_and_the_host_starts_again_with_whole_windows() -> None:
    host = ScriptedHost({3: [buy()]})
    host.faults = {1, 2}
    engine, kept = engine_on({BTC: candles(flat(100.0, 10))}, host)
    counts: list[int] = []
    run(engine, 6, after=lambda _: counts.append(engine.faults_in_row))
    assert counts == [0, 1, 2, 0, 0, 0]
    assert len(host.starts) == 3
    assert len(host.starts[2][BTC, Tier.M5]) == 4
    assert len(kept.faults) == 2
    assert len(kept.fills) == 1


def test_a_hot_swap_keeps_the_position_and_its_stop_and_drops_what_the_old_version_was_owed() -> None:
    old, new = ScriptedHost({0: [buy(stop_loss=90.0)]}), ScriptedHost()
    engine, kept = engine_on({BTC: candles([*flat(100.0, 4), *flat(85.0, 4)])}, old)
    run(engine, 3)
    engine.attach(new, "v002", None)
    run(engine, 4, start=START + 3 * STEP)
    assert [(fill.intent.version, fill.intent.purpose) for fill in kept.fills] == [
        ("v001", Purpose.ENTRY), ("v002", Purpose.STOP),
    ]
    assert all(not request.notices for request in new.requests[:1])


def test_modify_moves_the_stop_of_an_open_position() -> None:
    host = ScriptedHost({0: [buy(stop_loss=80.0)], 2: [Signal(BTC, Action.MODIFY, stop_loss=95.0)]})
    engine, kept = engine_on({BTC: candles([*flat(100.0, 4), (100.0, 100.0, 94.0, 96.0), *flat(96.0, 2)])}, host)
    run(engine, 6)
    assert kept.fills[-1].price == Price("95")


def test_an_order_update_tells_why_an_order_ended() -> None:
    engine, _ = engine_on({BTC: candles(flat(100.0, 400))}, ScriptedHost({0: [buy(order_type=OrderType.LIMIT, limit_price=50.0)]}))
    updates = []
    for number in range(1, 300):
        updates += engine.step(START + number * STEP, origin="test").updates
    assert [(update.state, update.at - START) for update in updates] == [
        (OrderState.EXPIRED, timedelta(minutes=5) + timedelta(hours=24)),
    ]


def test_paths_of_symbols_are_walked_side_by_side_so_cash_never_comes_from_a_later_moment() -> None:
    # BTC's stop is hit at its low, 100 s into the bar; ETH's entry fills before that, at the open of the same bar.
    host = ScriptedHost({0: [Signal(BTC, Action.BUY, 1.0, stop_loss=90.0)], 2: [Signal(ETH, Action.BUY, 0.01)]})
    frames = {BTC: candles([*flat(100.0, 3), (100.0, 100.0, 80.0, 85.0), *flat(85.0, 3)]), ETH: candles(flat(10.0, 7))}
    engine, kept = engine_on(frames, host)
    run(engine, 5)
    times = [fill.filled_at for fill in kept.fills]
    assert times == sorted(times)
    assert [fill.intent.purpose for fill in kept.fills] == [Purpose.ENTRY, Purpose.ENTRY, Purpose.STOP]


def test_the_second_of_two_equal_signals_is_refused_as_a_duplicate() -> None:
    engine, kept = engine_on({BTC: candles(flat(100.0, 6))}, ScriptedHost({0: [buy(), buy()]}))
    run(engine, 3)
    assert [answer.code for answer in kept.answers] == ["APPROVED", "DUPLICATE_SIGNAL"]
