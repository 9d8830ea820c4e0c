"""The checks an entry passes, one limit each: pure, named for its limit, answering a refusal or None.

Prices are Decimal here: a quote's floats are converted once, by `reference`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from shell.clock import from_ms
from shell.config_book import RiskConfig
from shell.contract import Action
from shell.market.bars import Quote
from shell.money import CONTEXT, ZERO, Price, decimal_of, percent, plain
from shell.portfolio.ledger import Position
from shell.risk.halts import HaltKind
from shell.risk.refusal import RefusalCode, Refused
from shell.risk.view import RiskView, working_entries

ORDER_RATE_WINDOW = timedelta(minutes=1)
# A target this many times the price is a slip of the decimal point; "no target" is written None.
TARGET_FACTOR_MAX = 1000


class Reference(NamedTuple):
    """What a quote is worth to risk: `low` is where a sale may be priced at once, `high` where a purchase may be."""

    low: Decimal
    last: Decimal
    high: Decimal


def reference(quote: Quote | None) -> Reference | None:
    """The quote's prices as Decimal, or None when there is no usable price (absent, zero, negative, not finite)."""
    if quote is None:
        return None
    try:
        last = decimal_of(quote.last)
        # Recorded bars have no spread: one number, converted once.
        bid = last if quote.bid == quote.last else decimal_of(quote.bid)
        ask = last if quote.ask == quote.last else decimal_of(quote.ask)
    except ValueError:
        return None
    if min(bid, ask, last) <= ZERO:
        return None
    return Reference(low=min(bid, last), last=last, high=max(ask, last))


def refusal(code: RefusalCode, sentence: str) -> Refused:
    return Refused(code=code, sentence=sentence)


def kill_switch(view: RiskView) -> Refused | None:
    if HaltKind.KILL_SWITCH in view.halts:
        return refusal(RefusalCode.KILL_SWITCH, "the kill switch is on; nothing may be bought until a person lifts it")
    return None


def halted(view: RiskView) -> Refused | None:
    if not view.halts:
        return None
    return refusal(RefusalCode.HALTED, f"halted ({_names(view)}); nothing may be bought until a person lifts it")


def market_open(view: RiskView) -> Refused | None:
    """Nothing is opened while the exchange takes no orders: a venue would refuse it, and paper would fill it all the same."""
    if not view.closed:
        return None
    return refusal(RefusalCode.MARKET_CLOSED, f"the exchange takes no orders ({view.closed}); nothing is bought until it does")


def fresh_price(config: RiskConfig, quote: Quote, now: datetime) -> Refused | None:
    """A price from the future is as useless as an old one: one of the two clocks is wrong."""
    age = now - from_ms(quote.at_ms)
    if abs(age) <= config.stale_price:
        return None
    return refusal(
        RefusalCode.STALE_PRICE,
        f"the price of {quote.symbol} is {age.total_seconds():.0f} s old; stale_price allows "
        f"{config.stale_price.total_seconds():.0f} s",
    )


def not_repeated(
    config: RiskConfig, view: RiskView, symbol: str, action: Action, now: datetime
) -> Refused | None:
    """Refuses the same action on the same symbol again within duplicate_window."""
    for earlier_symbol, earlier_action, at in view.recent_signals:
        if (earlier_symbol, earlier_action) == (symbol, action) and now - at < config.duplicate_window:
            return refusal(
                RefusalCode.DUPLICATE_SIGNAL,
                f"{action.value} {symbol} was approved {(now - at).total_seconds():.0f} s ago; duplicate_window is "
                f"{config.duplicate_window.total_seconds():.0f} s",
            )
    return None


def no_entry_working(view: RiskView, symbol: str) -> Refused | None:
    """Refuses a second entry while one for the same symbol may still fill."""
    for order in working_entries(view):
        if order.intent.symbol == symbol:
            return refusal(
                RefusalCode.DUPLICATE_SIGNAL,
                f"an entry for {plain(order.intent.qty.value)} {symbol} ({order.intent.intent_id}) is still working",
            )
    return None


def order_rate(config: RiskConfig, view: RiskView, now: datetime) -> Refused | None:
    """Throttles entries; exits count towards the rate but are never held back by it."""
    sent = sum(1 for at in view.order_times if now - at < ORDER_RATE_WINDOW)
    if sent < config.max_orders_per_minute:
        return None
    return refusal(
        RefusalCode.ORDER_RATE,
        f"{sent} orders left within the last minute; max_orders_per_minute is {config.max_orders_per_minute}",
    )


def daily_trades(config: RiskConfig, view: RiskView) -> Refused | None:
    """Entries filled today and entries that may still fill, together."""
    waiting = len(working_entries(view))
    if view.marks.trades_today + waiting < config.max_daily_trades:
        return None
    return refusal(
        RefusalCode.MAX_DAILY_TRADES,
        f"{view.marks.trades_today} entries filled today and {waiting} still working; max_daily_trades is "
        f"{config.max_daily_trades}",
    )


def positions_room(config: RiskConfig, view: RiskView, symbol: str) -> Refused | None:
    """Distinct symbols held or with a working entry; adding to one of them takes no further place."""
    taken = {*view.positions, *(order.intent.symbol for order in working_entries(view))}
    if symbol in taken or len(taken) < config.max_positions:
        return None
    return refusal(
        RefusalCode.MAX_POSITIONS,
        f"{len(taken)} positions are open or being opened ({', '.join(sorted(taken))}); max_positions is "
        f"{config.max_positions}",
    )


def price_collar(config: RiskConfig, limit: Decimal, last: Decimal) -> Refused | None:
    distance = CONTEXT.subtract(limit, last)
    if abs(distance) <= CONTEXT.multiply(last, config.price_collar_pct):
        return None
    away = percent(min(abs(CONTEXT.divide(distance, last)), Decimal(1_000_000)))
    return refusal(
        RefusalCode.PRICE_COLLAR,
        f"a limit price {away} away from the last price of {plain(last)}; price_collar_pct allows "
        f"{percent(config.price_collar_pct)}",
    )


def stop_below(stop: Decimal | None, ceiling: Decimal) -> Refused | None:
    """A stop at or above the price it protects would sell at once."""
    if stop is None or ZERO < stop < ceiling:
        return None
    return refusal(
        RefusalCode.BAD_STOP, f"a stop of {stop:.10g} does not lie between zero and the price of {plain(ceiling)}"
    )


def target_above(target: Decimal | None, floor: Decimal) -> Refused | None:
    if target is None or floor < target <= floor * TARGET_FACTOR_MAX:
        return None
    return refusal(
        RefusalCode.BAD_TARGET,
        f"a target of {target:.10g} does not lie above the price of {plain(floor)}, up to {TARGET_FACTOR_MAX} times it",
    )


def stop_not_loosened(view: RiskView, held: Position, stop: Price | None) -> Refused | None:
    """While halted, the stop of an open position may only come closer: a halt must not be a way to risk more."""
    if not view.halts or held.stop_loss is None or (stop is not None and stop >= held.stop_loss):
        return None
    return refusal(
        RefusalCode.HALTED,
        f"halted ({_names(view)}); the stop of {held.symbol} at {held.stop_loss} may be raised but not lowered",
    )


def _names(view: RiskView) -> str:
    return ", ".join(sorted(kind.value for kind in view.halts))
