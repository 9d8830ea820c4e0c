"""One story a test: what a signal asks for, and what it gets. The numbers are worked out in the comments."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shell.config import RiskConfig
from shell.contract import Action, Intent, OrderType, Signal
from shell.errors import Fatal
from shell.market.bars import Quote
from shell.money import NO_MONEY, BaseQty, Price, QuoteAmount
from shell.orders import Purpose, Side
from shell.risk.approval import OrderIds, answer_of, protective_exit
from shell.risk.halts import HaltKind
from tests.shell.risk.cases import (
    BTC,
    CONFIG,
    ETH,
    FEES,
    IDS,
    NOW,
    approved_order,
    buy,
    change_of,
    close,
    code_of,
    decide,
    held,
    holding,
    limit_at,
    marks,
    modify,
    quote,
    sell,
    view,
    working,
)

# -- entries --------------------------------------------------------------------------------------------------------


def test_an_entry_carries_its_ids_protection_and_horizon_to_the_order():
    order = approved_order(
        decide(buy(stop_loss=90.0, take_profit=120.0, intent=Intent.DAY, tag="breakout", reasoning="why not"))
    )
    intent = order.intent
    # 5 % of 10,000 at 100 without costs.
    assert (intent.side, intent.purpose, intent.order_type) == (Side.BUY, Purpose.ENTRY, OrderType.MARKET)
    assert intent.qty == BaseQty(5)
    assert order.reserved == QuoteAmount(500)
    assert (intent.stop_loss, intent.take_profit) == (Price(90), Price(120))
    assert (intent.intent_id, intent.signal_id) == ("main:1:o", "main:1")
    assert (intent.book, intent.version, intent.symbol) == ("main", "v001", BTC)
    assert (intent.horizon, intent.tag, intent.decided_at, intent.limit_price) == (Intent.DAY, "breakout", NOW, None)


def test_fee_and_allowance_are_inside_the_size_so_that_the_fill_never_exceeds_it():
    account = view(fees={BTC: FEES}, allowance_pct=Decimal("0.005"))
    order = approved_order(decide(buy(0.10), account, price=quote(spread=0.2)))
    # 1000 / (100.1 x 1.005 x 1.004) = 9.9006..., down to the lot.
    assert order.intent.qty == BaseQty("9.90")
    assert order.reserved == QuoteAmount(Decimal("9.90") * Decimal("100.1") * Decimal("1.005") * Decimal("1.004"))
    assert order.reserved <= QuoteAmount(1000)


def test_a_limit_entry_reserves_at_its_limit_rounded_down_to_the_tick_with_the_dearer_fee():
    order = approved_order(decide(buy(0.05, **limit_at(98.7)), view(fees={BTC: FEES}, allowance_pct=Decimal("0.005"))))
    # Tick 0.5: the limit becomes 98.5; 500 / (98.5 x 1.004) = 5.0559..., no allowance: a limit is never exceeded.
    assert order.intent.limit_price == Price("98.5")
    assert order.intent.qty == BaseQty("5.05")
    assert order.reserved == QuoteAmount(Decimal("5.05") * Decimal("98.5") * Decimal("1.004"))


@pytest.mark.parametrize("kind", [kind for kind in HaltKind if kind is not HaltKind.KILL_SWITCH])
def test_every_halt_refuses_an_entry(kind):
    decision = decide(buy(), view(halts={kind}))
    assert code_of(decision) == "HALTED"
    assert kind.value in decision.sentence


def test_the_kill_switch_is_named_before_other_halts():
    assert code_of(decide(buy(), view(halts={HaltKind.DRAWDOWN, HaltKind.KILL_SWITCH}))) == "KILL_SWITCH"


def test_a_halt_is_told_even_where_there_is_no_price():
    assert code_of(decide(buy(), view(halts={HaltKind.DRAWDOWN}), price=None)) == "HALTED"


def test_a_symbol_that_is_not_traded_is_refused():
    assert code_of(decide(buy(), pair=None)) == "UNKNOWN_SYMBOL"
    assert code_of(decide(Signal("DOGE/USD", Action.BUY))) == "UNKNOWN_SYMBOL"


@pytest.mark.parametrize(
    "price",
    [None, Quote(BTC, 0.0, 0.0, 0.0, 0), Quote(BTC, 99.0, float("nan"), 100.0, 0), Quote(BTC, -1.0, 100.0, 100.0, 0)],
)
def test_without_a_usable_price_nothing_is_bought_or_sold(price):
    assert code_of(decide(buy(), price=price)) == "NO_PRICE"
    assert code_of(decide(close(), view(positions=holding(held("3"))), price=price)) == "NO_PRICE"


def test_a_price_is_fresh_up_to_stale_price_and_not_beyond():
    edge = CONFIG.stale_price
    assert approved_order(decide(buy(), price=quote(age=edge)))
    assert code_of(decide(buy(), price=quote(age=edge + timedelta(milliseconds=1)))) == "STALE_PRICE"
    # A price from the future means that one of two clocks is wrong.
    assert code_of(decide(buy(), price=quote(age=-edge - timedelta(milliseconds=1)))) == "STALE_PRICE"


@pytest.mark.parametrize("size", [-0.01, float("nan"), float("inf"), float("-inf"), None, "much"])
def test_a_size_that_is_no_fraction_is_refused(size):
    assert code_of(decide(buy(size))) == "BAD_SIZE"
    assert code_of(decide(sell(size), view(positions=holding(held("3"))))) == "BAD_SIZE"


def test_a_second_entry_waits_until_the_first_has_filled_or_died():
    account = view(working=[working(Purpose.ENTRY, reserved="100")])
    assert code_of(decide(buy(), account)) == "DUPLICATE_SIGNAL"
    assert approved_order(decide(buy(), view(working=[working(Purpose.ENTRY, symbol=ETH)])))
    assert approved_order(decide(buy(), view(working=[working(Purpose.EXIT)], positions=holding(held("3")))))


def test_the_same_signal_within_the_duplicate_window_is_refused():
    window = CONFIG.duplicate_window
    just_before = [(BTC, Action.BUY, NOW - window + timedelta(milliseconds=1))]
    assert code_of(decide(buy(), view(recent_signals=just_before))) == "DUPLICATE_SIGNAL"
    assert approved_order(decide(buy(), view(recent_signals=[(BTC, Action.BUY, NOW - window)])))
    assert approved_order(decide(buy(), view(recent_signals=[(BTC, Action.SELL, NOW), (ETH, Action.BUY, NOW)])))


def test_the_order_rate_throttles_entries_but_no_exit():
    config = RiskConfig(max_orders_per_minute=2)
    busy = view(order_times=[NOW - timedelta(seconds=59), NOW], positions=holding(held("3")))
    calm = view(order_times=[NOW - timedelta(seconds=60), NOW])
    assert code_of(decide(buy(), busy, config=config)) == "ORDER_RATE"
    assert approved_order(decide(close(), busy, config=config))
    assert approved_order(decide(buy(), calm, config=config))


def test_entries_filled_today_and_entries_working_share_the_daily_limit():
    config = RiskConfig(max_daily_trades=3)
    waiting = [working(Purpose.ENTRY, symbol=ETH)]
    assert approved_order(decide(buy(), view(marks=marks(trades_today=1), working=waiting), config=config))
    full = view(marks=marks(trades_today=2), working=waiting)
    assert code_of(decide(buy(), full, config=config)) == "MAX_DAILY_TRADES"


def test_positions_held_and_being_opened_share_the_places_and_adding_takes_none():
    config = RiskConfig(max_positions=2)
    account = view(positions=holding(held("1", "SOL/USD")), working=[working(Purpose.ENTRY, symbol=ETH)])
    assert code_of(decide(buy(), account, config=config)) == "MAX_POSITIONS"
    adding = view(positions=holding(held("1", "SOL/USD"), held("1")))
    assert approved_order(decide(buy(), adding, config=config))


@pytest.mark.parametrize("price", [None, float("nan"), float("inf"), 0.0, -5.0])
def test_a_limit_order_needs_a_price(price):
    assert code_of(decide(buy(**limit_at(price)))) == "BAD_LIMIT_PRICE"


def test_a_limit_below_one_tick_is_refused_where_the_collar_lets_it_through():
    config = RiskConfig(price_collar_pct=1)
    assert code_of(decide(buy(**limit_at(0.4)), config=config)) == "BAD_LIMIT_PRICE"


@pytest.mark.parametrize(
    ("price", "inside"), [(95.0, True), (94.5, False), (105.0, True), (105.5, False), (94.99, False), (1e300, False)]
)
def test_the_collar_holds_limit_prices_near_the_last_price(price, inside):
    decision = decide(buy(**limit_at(price)))
    if inside:
        assert approved_order(decision)
    else:
        assert code_of(decision) == "PRICE_COLLAR"


def test_a_limit_that_leaves_the_collar_by_being_rounded_is_refused():
    # 95.2 is inside 5 % of 100.1, but on the tick it is 95.0, which is not (95.095 is the edge).
    assert code_of(decide(buy(**limit_at(95.2)), price=quote(100.1))) == "PRICE_COLLAR"


@pytest.mark.parametrize("stop", [100.0, 99.6, 101.0, 0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_a_stop_must_lie_below_the_entry_on_its_tick(stop):
    # 99.6 rounds up to the tick of 100.0, which would sell at once.
    assert code_of(decide(buy(stop_loss=stop))) == "BAD_STOP"


@pytest.mark.parametrize("target", [100.0, 100.4, 99.0, 0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_a_target_must_lie_above_the_entry_on_its_tick(target):
    assert code_of(decide(buy(take_profit=target))) == "BAD_TARGET"


def test_protection_is_rounded_towards_the_price():
    intent = approved_order(decide(buy(stop_loss=90.2, take_profit=120.4))).intent
    assert (intent.stop_loss, intent.take_profit) == (Price("90.5"), Price("120"))


def test_a_resting_limit_is_protected_from_its_own_price():
    assert code_of(decide(buy(stop_loss=98.0, **limit_at(97.0)))) == "BAD_STOP"
    intent = approved_order(decide(buy(stop_loss=96.0, take_profit=98.0, **limit_at(97.0)))).intent
    assert (intent.stop_loss, intent.take_profit) == (Price(96), Price(98))


def test_a_limit_above_the_market_is_protected_from_the_market():
    # It fills near 100 at once, so a stop at 102 would sell at once, and a target at 103 is a gain.
    assert code_of(decide(buy(stop_loss=102.0, **limit_at(104.0)))) == "BAD_STOP"
    assert approved_order(decide(buy(take_profit=103.0, **limit_at(104.0)))).intent.take_profit == Price(103)


def test_a_stop_inside_the_spread_is_refused():
    assert code_of(decide(buy(stop_loss=99.5), price=quote(spread=2.0))) == "BAD_STOP"
    assert code_of(decide(buy(take_profit=100.5), price=quote(spread=2.0))) == "BAD_TARGET"


# -- exits ----------------------------------------------------------------------------------------------------------


def test_close_sells_all_that_is_held_and_reserves_nothing():
    order = approved_order(decide(close(), view(positions=holding(held("3.21")))))
    assert (order.intent.side, order.intent.purpose) == (Side.SELL, Purpose.EXIT)
    assert order.intent.qty == BaseQty("3.21")
    assert order.reserved == NO_MONEY


@pytest.mark.parametrize("kind", list(HaltKind))
def test_no_halt_refuses_an_exit(kind):
    account = view(positions=holding(held("4")), halts={kind})
    assert approved_order(decide(close(), account)).intent.qty == BaseQty(4)
    assert approved_order(decide(sell(), account)).intent.qty == BaseQty(2)


def test_an_exit_is_allowed_on_a_stale_price():
    account = view(positions=holding(held("4")))
    assert approved_order(decide(close(), account, price=quote(age=timedelta(days=2))))
    assert approved_order(decide(sell(0.01), account, price=quote(age=timedelta(days=2))))


def test_without_a_position_a_sale_would_be_a_short_and_a_close_nothing():
    assert code_of(decide(sell(0.1))) == "SHORT_REFUSED"
    assert code_of(decide(close())) == "NO_POSITION"
    assert code_of(decide(modify(stop_loss=90.0))) == "NO_POSITION"


def test_what_is_being_sold_already_is_not_sold_twice():
    partly = view(positions=holding(held("4")), working=[working(Purpose.EXIT, "3")])
    assert approved_order(decide(close(), partly)).intent.qty == BaseQty(1)
    wholly = view(positions=holding(held("4")), working=[working(Purpose.EXIT, "3"), working(Purpose.STOP, "1")])
    assert code_of(decide(close(), wholly)) == "EXIT_PENDING"
    other = view(positions=holding(held("4")), working=[working(Purpose.EXIT, "4", symbol=ETH)])
    assert approved_order(decide(close(), other)).intent.qty == BaseQty(4)


def test_a_repeated_sale_is_refused_and_a_repeated_close_is_judged_by_what_is_left():
    account = view(positions=holding(held("4")), recent_signals=[(BTC, Action.SELL, NOW), (BTC, Action.CLOSE, NOW)])
    assert code_of(decide(sell(), account)) == "DUPLICATE_SIGNAL"
    assert approved_order(decide(close(), account)).intent.qty == BaseQty(4)


def test_a_limit_exit_is_rounded_up_to_the_tick_and_held_by_the_collar():
    account = view(positions=holding(held("4")))
    assert approved_order(decide(close(**limit_at(103.1)), account)).intent.limit_price == Price("103.5")
    assert code_of(decide(close(**limit_at(110.0)), account)) == "PRICE_COLLAR"
    assert code_of(decide(close(**limit_at(None)), account)) == "BAD_LIMIT_PRICE"


def test_an_exit_below_the_venues_minimum_says_so():
    assert code_of(decide(close(), view(positions=holding(held("0.04"))))) == "MIN_ORDER"
    assert code_of(decide(close(), view(positions=holding(held("0.05"))), price=quote(50.0))) == "MIN_COST"


# -- protection -----------------------------------------------------------------------------------------------------


def test_modify_moves_what_it_names_and_leaves_the_rest():
    account = view(positions=holding(held("4", stop="90", target="120")))
    change = change_of(decide(modify(stop_loss=95.0), account))
    assert (change.symbol, change.stop_loss, change.take_profit) == (BTC, Price(95), Price(120))
    change = change_of(decide(modify(take_profit=130.0), account))
    assert (change.stop_loss, change.take_profit) == (Price(90), Price(130))


def test_modify_can_give_protection_to_a_position_that_has_none():
    change = change_of(decide(modify(stop_loss=95.0), view(positions=holding(held("4")))))
    assert (change.stop_loss, change.take_profit) == (Price(95), None)


@pytest.mark.parametrize("signal", [modify(), modify(stop_loss=90.0), modify(stop_loss=89.9, take_profit=120.2)])
def test_a_modify_that_changes_nothing_is_refused(signal):
    assert code_of(decide(signal, view(positions=holding(held("4", stop="90", target="120"))))) == "NO_CHANGE"


def test_a_modify_that_would_sell_at_once_is_refused():
    account = view(positions=holding(held("4")))
    assert code_of(decide(modify(stop_loss=100.0), account)) == "BAD_STOP"
    assert code_of(decide(modify(take_profit=100.0), account)) == "BAD_TARGET"
    assert code_of(decide(modify(stop_loss=90.0), account, price=quote(age=timedelta(days=1)))) == "STALE_PRICE"


def test_while_halted_a_stop_may_come_closer_but_not_go_away():
    account = view(positions=holding(held("4", stop="90")), halts={HaltKind.DRAWDOWN})
    assert code_of(decide(modify(stop_loss=85.0), account)) == "HALTED"
    assert change_of(decide(modify(stop_loss=95.0), account)).stop_loss == Price(95)
    assert change_of(decide(modify(take_profit=130.0), account)).take_profit == Price(130)
    bare = view(positions=holding(held("4")), halts={HaltKind.DRAWDOWN})
    assert change_of(decide(modify(stop_loss=50.0), bare)).stop_loss == Price(50)


@pytest.mark.parametrize("purpose", [Purpose.STOP, Purpose.TARGET])
def test_a_protective_exit_sells_the_whole_position_at_market(purpose):
    position = held("4.5", stop="90", target="120")
    order = protective_exit(position, purpose, ids=OrderIds(intent_id="m:1", book="main", version="v001"), now=NOW)
    intent = order.intent
    assert (intent.side, intent.purpose, intent.order_type) == (Side.SELL, purpose, OrderType.MARKET)
    assert (intent.qty, intent.limit_price, order.reserved) == (BaseQty("4.5"), None, NO_MONEY)
    assert (intent.stop_loss, intent.take_profit, intent.signal_id) == (Price(90), Price(120), None)


def test_a_protective_exit_is_never_an_entry():
    with pytest.raises(Fatal, match="a stop or a target"):
        protective_exit(held("1"), Purpose.ENTRY, ids=IDS, now=NOW)


# -- answers --------------------------------------------------------------------------------------------------------


def test_the_answer_to_a_signal_keeps_what_was_asked_and_what_became_of_it():
    signal = buy(0.05, stop_loss=90.0, confidence=0.7, reasoning="a reason", tag="t")
    answer = answer_of(signal, decide(signal), ids=IDS, now=NOW)
    assert (answer.approved, answer.code, answer.intent_id) == (True, "APPROVED", "main:1:o")
    assert (answer.symbol, answer.action, answer.size_pct, answer.stop_loss) == (BTC, Action.BUY, 0.05, 90.0)
    assert (answer.confidence, answer.reasoning, answer.tag) == (0.7, "a reason", "t")


def test_refusals_and_protection_changes_have_no_intent():
    refused = answer_of(buy(), decide(buy(), pair=None), ids=IDS, now=NOW)
    assert (refused.approved, refused.code, refused.intent_id) == (False, "UNKNOWN_SYMBOL", None)
    signal = modify(stop_loss=95.0)
    moved = answer_of(signal, decide(signal, view(positions=holding(held("4")))), ids=IDS, now=NOW)
    assert (moved.approved, moved.code, moved.intent_id) == (True, "APPROVED", None)


def test_an_answer_without_a_signal_id_is_a_broken_invariant():
    with pytest.raises(Fatal, match="no signal id"):
        answer_of(buy(), decide(buy()), ids=OrderIds(intent_id="i", book="main", version="v001"), now=NOW)
