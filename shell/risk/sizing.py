"""How much: the quantity of an entry within every limit at its worst price, and of an exit within what is held."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Context, Decimal
from typing import NamedTuple

from shell.config_book import RiskConfig
from shell.market.pair import Pair
from shell.money import CONTEXT, NO_MONEY, ZERO, BaseQty, Price, QuoteAmount, percent, plain
from shell.risk.checks import Reference, refusal
from shell.risk.refusal import RefusalCode, Refused
from shell.risk.staged import WHOLE, in_market
from shell.risk.view import RiskView, being_sold, reserved, working_entries

# A quotient must never be rounded up into one lot too many.
_DOWN = Context(prec=50, rounding=ROUND_DOWN)


class EntrySize(NamedTuple):
    """`qty` to buy, the most it can cost with fee and allowance, and what cut it ("" if nothing did)."""

    qty: BaseQty
    worst_cost: QuoteAmount
    cut_by: str


class _Bound(NamedTuple):
    """One upper bound of the amount to spend: `code` if it leaves too little, `cuts` if it is less than was asked. `wording`
    is called only when somebody is to read it."""

    amount: QuoteAmount
    code: RefusalCode | None
    wording: Callable[[], str]
    cuts: bool = True


def entry_size(
    config: RiskConfig, view: RiskView, pair: Pair, prices: Reference, size_pct: Decimal, limit: Price | None
) -> EntrySize | Refused:
    """Size an entry: the fraction of equity asked for (0: the default), cut at max_trade_pct, at the room left under
    max_position_pct and at free cash; then the quantity that costs no more than that at the worst price, rounded down.

    A limit order's worst price is its limit, a market order's the ask plus the allowance; the dearer fee is taken.
    """
    if view.equity <= NO_MONEY:
        return refusal(RefusalCode.NO_CASH, f"the equity is {view.equity.value:,.2f}")
    bound = min(_bounds(config, view, pair.symbol, prices, size_pct), key=_amount)
    price = limit.value if limit is not None else CONTEXT.multiply(prices.high, 1 + view.allowance_pct)
    fees = view.fees[pair.symbol]
    unit_cost = CONTEXT.multiply(price, 1 + max(fees.taker_pct, fees.maker_pct, ZERO))
    qty = pair.round_qty(_DOWN.divide(max(bound.amount, NO_MONEY).value, unit_cost))
    short = _below_minimum(pair, qty, limit.value if limit is not None else prices.low)
    if short is not None:
        return refusal(bound.code or short.code, f"{short.sentence} ({bound.wording()})")
    worst_cost = QuoteAmount.of(CONTEXT.multiply(qty.value, unit_cost))
    return EntrySize(qty=qty, worst_cost=worst_cost, cut_by=bound.wording() if bound.cuts else "")


def exit_size(view: RiskView, pair: Pair, price: Decimal, size_pct: Decimal | None) -> BaseQty | Refused:
    """Size an exit: None sells all that is not being sold already, 0 half of the position, else a fraction of equity.

    What would remain below the venue's minimum is sold with it, so that no dust is left behind.
    """
    held = view.positions[pair.symbol].qty
    available = held - being_sold(view, pair.symbol)
    if available.value <= ZERO:
        return refusal(RefusalCode.EXIT_PENDING, f"all {plain(held.value)} {pair.symbol} held are being sold already")
    wanted = available if size_pct is None else _wanted(view, held, price, size_pct)
    qty = pair.round_qty(min(wanted, available).value)
    rest = available - qty
    if rest and _below_minimum(pair, rest, price) is not None:
        qty = pair.round_qty(available.value)
    return _below_minimum(pair, qty, price) or qty


def _bounds(
    config: RiskConfig, view: RiskView, symbol: str, prices: Reference, size_pct: Decimal
) -> tuple[_Bound, ...]:
    """Ordered so that of two equal bounds the one the strategy asked for is named."""
    asked = size_pct if size_pct > ZERO else config.default_trade_pct
    taken = reserved(order for order in working_entries(view) if order.intent.symbol == symbol)
    if symbol in view.positions:
        # At the dearer of the present price and the one that equity was taken at.
        high = Price.of(prices.high)
        price = max(high, view.prices.get(symbol, high))
        taken = taken + view.positions[symbol].qty.times(price)
    base, part = _base(view)
    room = base.scaled(config.max_position_pct) - taken
    # The smaller fraction first: equity times an absurdly large size would only overflow.
    trade_pct = min(asked, config.max_trade_pct)
    return (
        _Bound(
            base.scaled(trade_pct), None,
            lambda: (
                f"{percent(trade_pct)} of the equity of {base.value:,.2f}{part}"
                + (" is the most of one trade" if asked > trade_pct else "")
            ),
            asked > trade_pct,
        ),
        _Bound(
            room, RefusalCode.MAX_POSITION_PCT,
            lambda: (
                f"{taken.value:,.2f} of {symbol} is held or being bought, and max_position_pct allows "
                f"{percent(config.max_position_pct)} of {base.value:,.2f}{part}"
            ),
        ),
        *_staged(view, symbol, prices, base),
        _Bound(view.cash_free, RefusalCode.NO_CASH, lambda: f"the free cash is {view.cash_free.value:,.2f}"),
    )


def _base(view: RiskView) -> tuple[QuoteAmount, str]:
    """The amount that fractions are of: the equity, or the part of it that the version has earned; and words for the latter."""
    if view.capital_share == WHOLE:
        return view.equity, ""
    return view.equity.scaled(view.capital_share), f", the {percent(view.capital_share)} of all that this version has earned"


def _staged(view: RiskView, symbol: str, prices: Reference, base: QuoteAmount) -> tuple[_Bound, ...]:
    """All that is in the market and this entry together stay within the part that the version has earned."""
    if view.capital_share == WHOLE:
        return ()
    used = in_market(view, symbol, Price.of(prices.high))
    return (
        _Bound(
            base - used, RefusalCode.STAGED_CAPITAL,
            lambda: (
                f"{used.value:,.2f} are in the market, and a new version may use {percent(view.capital_share)} of "
                f"{view.equity.value:,.2f} by now"
            ),
        ),
    )


def _amount(bound: _Bound) -> Decimal:
    return bound.amount.value


def _wanted(view: RiskView, held: BaseQty, price: Decimal, size_pct: Decimal) -> BaseQty:
    if size_pct == ZERO:
        return held.scaled(Decimal("0.5"))
    # More than all of it is all of it: the smaller value first, so that an absurd size cannot overflow.
    value = max(view.equity, NO_MONEY).scaled(min(size_pct, Decimal(1)))
    return Price(price).quantity_for(value) if size_pct < 1 else held


def _below_minimum(pair: Pair, qty: BaseQty, price: Decimal) -> Refused | None:
    if qty < pair.min_qty or not qty:
        return refusal(
            RefusalCode.MIN_ORDER,
            f"{plain(qty.value)} {pair.symbol} is less than the smallest order of {plain(pair.min_qty.value)}",
        )
    cost = qty.times(Price.of(price))
    if cost < pair.min_cost:
        return refusal(
            RefusalCode.MIN_COST,
            f"{plain(qty.value)} {pair.symbol} for {cost.value:,.4f} is less than the smallest cost of "
            f"{plain(pair.min_cost.value)}",
        )
    return None
