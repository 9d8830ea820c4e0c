"""Goal: whatever a strategy sends and whatever state the book is in, no approved order can break a limit.

Method: hypothesis draws hostile signals (nan, infinity, huge, negative, nonsense) and arbitrary books, pairs, quotes.
Each approved order is judged by an oracle that works from the limits alone and shares no code with sizing or checks.
Then several signals are assessed in a row, all of what was approved is filled at its worst price through the real
ledger, and the ledger is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, localcontext

from hypothesis import event, given, settings
from hypothesis import strategies as st

from shell.clock import to_ms
from shell.compiled import COMPILED, core
from shell.config import RiskConfig
from shell.contract import Action, OrderType, Signal
from shell.exchange.gateway import FeeSchedule
from shell.market.bars import Quote
from shell.market.pair import Pair
from shell.money import CONTEXT, BaseQty, Price, QuoteAmount, decimal_of
from shell.orders import ApprovedOrder, Fill, Liquidity, Purpose, Side
from shell.portfolio.ledger import CapitalEvent, EquityMarks, Ledger, apply_capital, apply_fill, equity
from shell.risk.approval import Approved, OrderIds, ProtectionChange, assess
from shell.risk.halts import HaltKind
from shell.risk.refusal import Refused
from shell.risk.view import RiskView, reserved
from tests.shell.risk.cases import DAY, NOW, held, working

SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")

NONSENSE = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, -1.0, 5e-324, 1e308, 10**400, True, "1", []]
def decimals(lowest: int, highest: int, places: int) -> st.SearchStrategy[Decimal]:
    """Decimals from `lowest` to `highest` units of the last place; drawn as integers, which is faster."""
    return st.integers(lowest, highest).map(lambda units: Decimal(units).scaleb(-places))


# What is no number of Python's own never gets past `shell.host.validate`; compiled code raises on it where it stands.
nonsense = [each for each in NONSENSE if type(each) is float or core() != COMPILED]
hostile = st.one_of(st.floats(), st.sampled_from(nonsense))


def mostly(sane: st.SearchStrategy, other: st.SearchStrategy) -> st.SearchStrategy:
    """Nine of ten sane: an order that is refused for its first field says nothing about the checks behind it."""
    return st.integers(0, 9).flatmap(lambda die: other if die == 9 else sane)


sizes = mostly(st.one_of(st.floats(0, 1.2), st.sampled_from([0.0, 0.02, 0.1, 1.0])), hostile)


@dataclass(frozen=True)
class World:
    """One symbol's pair and quote, and the account around them."""

    pair: Pair
    quote: Quote
    view: RiskView
    config: RiskConfig


@st.composite
def pairs(draw: st.DrawFn, symbol: str = SYMBOLS[0]) -> Pair:
    step = st.sampled_from(["1", "0.5", "0.1", "0.01", "0.00003", "1e-8"])
    return Pair(
        symbol=symbol, tick=Decimal(draw(step)), lot=Decimal(draw(step)),
        min_qty=BaseQty(draw(st.sampled_from(["0", "0.00005", "0.01", "1"]))),
        min_cost=QuoteAmount(draw(st.sampled_from(["0", "0.5", "10"]))),
    )


@st.composite
def quotes(draw: st.DrawFn, symbol: str = SYMBOLS[0]) -> Quote:
    last = draw(mostly(st.floats(5, 500), st.floats(1e-4, 1e5)))
    half = last * draw(st.floats(0, 0.02)) / 2
    age = timedelta(milliseconds=draw(mostly(st.integers(0, 600_000), st.integers(-900_000, 900_000))))
    return Quote(symbol, last - half, last + half, last, to_ms(NOW - age))


@st.composite
def configs(draw: st.DrawFn) -> RiskConfig:
    fraction = mostly(decimals(20, 1000, 3), decimals(1, 1000, 3))
    return RiskConfig(
        max_trade_pct=draw(fraction), default_trade_pct=draw(fraction), max_position_pct=draw(fraction),
        max_positions=draw(st.integers(1, 4)), max_daily_trades=draw(st.sampled_from([1, 2, 4, 6, 9])),
        max_orders_per_minute=draw(st.integers(1, 4)), price_collar_pct=draw(fraction),
    )


@st.composite
def signals(
    draw: st.DrawFn, last: float, symbol: str = SYMBOLS[0], actions: tuple[Action, ...] = tuple(Action)
) -> Signal:
    def price(lowest: float, highest: float) -> st.SearchStrategy:
        return st.one_of(st.none(), mostly(st.floats(lowest, highest).map(lambda factor: last * factor), hostile))

    order_type = draw(st.sampled_from(list(OrderType)))
    limit = draw(mostly(st.floats(0.98, 1.02).map(lambda factor: last * factor), price(0.1, 3)))
    return Signal(
        symbol, draw(st.sampled_from(actions)), draw(sizes), order_type, limit, draw(st.one_of(price(0.7, 1.0), price(0.98, 1.02))),
        draw(price(0.99, 1.5)),
    )


@st.composite
def worlds(draw: st.DrawFn, *, holds: bool = False) -> World:
    pair, quote, config = draw(pairs()), draw(quotes()), draw(configs())
    lots = st.one_of(st.integers(1, 10**6), st.integers(1, 300)).map(lambda count: str(pair.lot * count))
    symbols = draw(st.sets(st.sampled_from(SYMBOLS), max_size=2)) | ({pair.symbol} if holds else set())
    positions = {
        symbol: held(draw(lots), symbol, stop=draw(st.sampled_from([None, "1", "50"]))) for symbol in sorted(symbols)
    }
    orders = [
        working(
            draw(st.sampled_from([Purpose.ENTRY, *Purpose])), draw(lots), symbol=draw(st.sampled_from(SYMBOLS)),
            reserved=str(draw(st.integers(0, 500))), intent_id=f"earlier-{number}",
        )
        for number in range(draw(st.integers(0, 2)))
    ]
    fee = decimals(0, 200, 4)
    money = mostly(decimals(10**6, 10**8, 2), decimals(-10**4, 10**5, 2))
    seconds = st.sampled_from([0, 30, 59, 60, 61, 3600]).map(lambda count: NOW - timedelta(seconds=count))
    view = RiskView(
        cash_free=QuoteAmount(draw(money)), equity=QuoteAmount(draw(money)),
        marks=EquityMarks(
            day=DAY, day_start=QuoteAmount(10_000), peak=QuoteAmount(10_000), trades_today=draw(st.integers(0, 5))
        ),
        fees={pair.symbol: FeeSchedule(maker_pct=draw(fee), taker_pct=draw(fee))}, positions=positions, working=orders,
        halts=draw(mostly(st.just(set()), st.sets(st.sampled_from(list(HaltKind))))),
        order_times=draw(st.lists(seconds, max_size=4)),
        recent_signals=[
            (pair.symbol, draw(st.sampled_from(list(Action))), draw(seconds)) for _ in range(draw(st.integers(0, 1)))
        ],
        allowance_pct=draw(fee),
    )
    return World(pair=pair, quote=quote, view=view, config=config)


def decide(world: World, signal: Signal, number: int = 0) -> Approved | Refused:
    ids = OrderIds(intent_id=f"intent-{number}", book="main", version="v001", signal_id=f"signal-{number}")
    return assess(
        signal, view=world.view, config=world.config, pair=world.pair, quote=world.quote, now=NOW, ids=ids
    )


def worst_cost(world: World, order: ApprovedOrder) -> Decimal:
    fees = world.view.fees[world.pair.symbol]
    fee = 1 + max(fees.maker_pct, fees.taker_pct)
    if order.intent.limit_price is not None:
        return order.intent.qty.value * order.intent.limit_price.value * fee
    high = max(decimal_of(world.quote.ask), decimal_of(world.quote.last))
    return order.intent.qty.value * high * (1 + world.view.allowance_pct) * fee


def check_shape(world: World, order: ApprovedOrder) -> None:
    """On the pair's grid, above the venue's minimum, inside the collar: true of entries and exits."""
    pair, intent = world.pair, order.intent
    last, low = decimal_of(world.quote.last), decimal_of(min(world.quote.bid, world.quote.last))
    assert intent.qty.value > 0
    assert intent.qty.value % pair.lot == 0
    assert intent.qty >= pair.min_qty
    price = low
    if intent.limit_price is not None:
        assert intent.limit_price.value > 0
        assert intent.limit_price.value % pair.tick == 0
        assert abs(intent.limit_price.value - last) <= last * world.config.price_collar_pct
        price = intent.limit_price.value if intent.side is Side.BUY else low
    assert intent.qty.value * price >= pair.min_cost.value
    assert (intent.order_type is OrderType.LIMIT) == (intent.limit_price is not None)


def check_entry(world: World, order: ApprovedOrder) -> None:
    view, config, symbol = world.view, world.config, world.pair.symbol
    entries = [each for each in view.working if each.intent.purpose is Purpose.ENTRY]
    assert not view.halts
    assert (order.intent.side, order.intent.purpose) == (Side.BUY, Purpose.ENTRY)
    assert abs(to_ms(NOW) - world.quote.at_ms) <= config.stale_price.total_seconds() * 1000
    assert sum(at > NOW - timedelta(minutes=1) for at in view.order_times) < config.max_orders_per_minute
    assert view.marks.trades_today + len(entries) < config.max_daily_trades
    assert len({*view.positions, *(each.intent.symbol for each in entries), symbol}) <= max(
        config.max_positions, len({*view.positions, *(each.intent.symbol for each in entries)})
    )
    cost = worst_cost(world, order)
    assert order.reserved.value == cost
    assert cost <= view.cash_free.value
    assert cost <= view.equity.value * config.max_trade_pct
    already = sum(each.approved.reserved.value for each in entries if each.intent.symbol == symbol)
    if symbol in view.positions:
        already += view.positions[symbol].qty.value * max(decimal_of(world.quote.ask), decimal_of(world.quote.last))
    assert already + cost <= view.equity.value * config.max_position_pct
    check_protection(world, order.intent.stop_loss, order.intent.take_profit, order.intent.limit_price)


def check_protection(world: World, stop: Price | None, target: Price | None, limit: Price | None) -> None:
    high = max(decimal_of(world.quote.ask), decimal_of(world.quote.last))
    begins = high if limit is None else min(high, limit.value)
    if stop is not None:
        assert 0 < stop.value < begins
        assert stop.value < decimal_of(world.quote.bid)
        assert stop.value % world.pair.tick == 0
    if target is not None:
        assert target.value > begins
        assert target.value % world.pair.tick == 0


def check_exit(world: World, order: ApprovedOrder) -> None:
    view, symbol = world.view, world.pair.symbol
    selling = [
        each.intent.qty.value
        for each in view.working
        if each.intent.symbol == symbol and each.intent.purpose is not Purpose.ENTRY
    ]
    rest = view.positions[symbol].qty.value - sum(selling) - order.intent.qty.value
    assert (order.intent.side, order.intent.purpose) == (Side.SELL, Purpose.EXIT)
    assert order.reserved.value == 0
    assert rest >= 0
    low = decimal_of(min(world.quote.bid, world.quote.last))
    assert rest == 0 or (rest >= world.pair.min_qty.value and rest * low >= world.pair.min_cost.value)


def check_decision(world: World, signal: Signal, decision: Approved | Refused) -> None:
    event(f"{signal.action.value}: {decision.code.value if isinstance(decision, Refused) else 'APPROVED'}")
    assert decision.sentence
    # Twice the same question, twice the same answer.
    assert repr(decide(world, signal)) == repr(decision)
    if isinstance(decision, Refused):
        return
    with localcontext(CONTEXT):
        match decision.grant:
            case ApprovedOrder() as order:
                check_shape(world, order)
                (check_entry if signal.action is Action.BUY else check_exit)(world, order)
            case ProtectionChange() as change:
                check_change(world, change)


def check_change(world: World, change: ProtectionChange) -> None:
    before = world.view.positions[change.symbol]
    moved_stop = None if change.stop_loss == before.stop_loss else change.stop_loss
    moved_target = None if change.take_profit == before.take_profit else change.take_profit
    assert (moved_stop, moved_target) != (None, None)
    check_protection(world, moved_stop, moved_target, None)
    if world.view.halts and before.stop_loss is not None:
        assert change.stop_loss >= before.stop_loss


@settings(max_examples=120, deadline=None)
@given(data=st.data(), world=worlds())
def test_no_approved_entry_can_break_a_limit(data, world):
    signal = data.draw(signals(world.quote.last, actions=(Action.BUY,)))
    check_decision(world, signal, decide(world, signal))


@settings(max_examples=120, deadline=None)
@given(data=st.data(), world=worlds(holds=True))
def test_no_approved_exit_sells_more_than_is_free_to_sell_and_no_protection_is_nonsense(data, world):
    signal = data.draw(signals(world.quote.last, actions=(Action.SELL, Action.CLOSE, Action.MODIFY)))
    check_decision(world, signal, decide(world, signal))


@settings(max_examples=100, deadline=None)
@given(world=worlds(), halts=st.sets(st.sampled_from(list(HaltKind)), min_size=1), size=sizes)
def test_a_halted_book_approves_no_entry_and_refuses_no_exit_for_it(world, halts, size):
    halted = replace(world, view=world.view._replace(halts=halts))
    entry = decide(halted, Signal(world.pair.symbol, Action.BUY, size))
    assert isinstance(entry, Refused)
    assert entry.code.value in ("HALTED", "KILL_SWITCH")
    free = replace(world, view=world.view._replace(halts=()))
    for action in (Action.SELL, Action.CLOSE):
        signal = Signal(world.pair.symbol, action, size)
        assert repr(decide(halted, signal)) == repr(decide(free, signal))


@st.composite
def accounts(draw: st.DrawFn) -> tuple[dict[str, World], Ledger]:
    """Fresh quotes for three coins, and one ledger whose view they share."""
    config = draw(configs())
    fee = draw(decimals(0, 200, 4))
    cash = draw(decimals(10**3, 10**7, 2))
    event_ = CapitalEvent(amount=QuoteAmount(cash), at=NOW, reason="start")
    ledger = apply_capital(Ledger(), event_)
    view = RiskView(
        cash_free=ledger.cash, equity=ledger.cash,
        marks=EquityMarks(day=DAY, day_start=ledger.cash, peak=ledger.cash),
        fees={symbol: FeeSchedule(maker_pct=fee, taker_pct=fee) for symbol in SYMBOLS},
        allowance_pct=draw(decimals(0, 200, 4)),
    )
    return {
        symbol: World(
            pair=draw(pairs(symbol)), quote=draw(quotes(symbol))._replace(at_ms=to_ms(NOW)), view=view, config=config
        )
        for symbol in SYMBOLS
    }, ledger


def worst_fill(world: World, order: ApprovedOrder) -> Fill:
    intent = order.intent
    price = intent.limit_price or Price(
        max(decimal_of(world.quote.ask), decimal_of(world.quote.last)) * (1 + world.view.allowance_pct)
    )
    fee = intent.qty.times(price).scaled(world.view.fees[intent.symbol].taker_pct)
    return Fill(
        fill_id=f"F-{intent.intent_id}", order_id=f"O-{intent.intent_id}", intent=intent, symbol=intent.symbol,
        side=intent.side, qty=intent.qty, price=price, fee=fee, liquidity=Liquidity.TAKER, filled_at=NOW,
    )


def view_now(worlds_: Mapping[str, World], ledger: Ledger, orders: list[ApprovedOrder], filled: int) -> RiskView:
    view = next(iter(worlds_.values())).view
    prices = {symbol: Price(decimal_of(world.quote.last)) for symbol, world in worlds_.items()}
    return view._replace(
        cash_free=ledger.cash - reserved(orders), equity=equity(ledger, prices), positions=ledger.positions,
        prices=prices, working=tuple(orders), marks=replace(view.marks, trades_today=filled),
    )


@settings(max_examples=80, deadline=None)
@given(data=st.data(), account=accounts())
def test_signals_assessed_in_a_row_never_exceed_the_limits_together(data, account):
    worlds_, ledger = account
    config = worlds_[SYMBOLS[0]].config
    orders: list[ApprovedOrder] = []
    filled = 0
    with localcontext(CONTEXT):
        for number in range(data.draw(st.integers(2, 8))):
            world = worlds_[data.draw(st.sampled_from(SYMBOLS))]
            world = replace(world, view=view_now(worlds_, ledger, orders, filled))
            decision = decide(world, data.draw(signals(world.quote.last, world.pair.symbol)), number)
            if isinstance(decision, Approved) and isinstance(decision.grant, ApprovedOrder):
                orders.append(decision.grant)
            # Now and then one of the working orders fills at its worst, in whatever order.
            if orders and data.draw(st.booleans()):
                order = orders.pop(data.draw(st.integers(0, len(orders) - 1)))
                ledger, _ = apply_fill(ledger, worst_fill(worlds_[order.intent.symbol], order))
                filled += order.intent.purpose is Purpose.ENTRY
            entries = {each.intent.symbol for each in orders if each.intent.purpose is Purpose.ENTRY}
            assert len({*ledger.positions, *entries}) <= config.max_positions
            assert filled + len(entries) <= config.max_daily_trades
        for order in orders:
            # Fatal if cash ran out or more were sold than is held.
            ledger, _ = apply_fill(ledger, worst_fill(worlds_[order.intent.symbol], order))
    assert ledger.cash.value >= 0
    event(f"{len(ledger.positions)} positions")


@settings(max_examples=60, deadline=None)
@given(data=st.data(), account=accounts())
def test_no_position_is_built_beyond_its_share_by_many_entries(data, account):
    worlds_, ledger = account
    world = worlds_[SYMBOLS[0]]
    with localcontext(CONTEXT):
        for number in range(6):
            now = replace(world, view=view_now({SYMBOLS[0]: world}, ledger, [], 0))
            decision = decide(now, Signal(SYMBOLS[0], Action.BUY, data.draw(st.floats(0, 2))), number)
            event(f"entry {number}: {'refused' if isinstance(decision, Refused) else 'approved'}")
            if isinstance(decision, Refused):
                break
            assert isinstance(decision.grant, ApprovedOrder)
            before = now.view.equity.value
            ledger, _ = apply_fill(ledger, worst_fill(world, decision.grant))
            value = ledger.positions[SYMBOLS[0]].qty.value * decimal_of(world.quote.last)
            assert value <= before * world.config.max_position_pct
