"""Approval: the one door between what a strategy asks for and an order that may leave. Every signal gets an answer.

Pure: a signal and a view in, an approval or a refusal out. Nothing else makes an `ApprovedOrder` of a new intent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import NamedTuple, assert_never

from shell.config_book import RiskConfig
from shell.contract import Action, OrderType, Signal
from shell.errors import Fatal
from shell.execution.client_id import NO_MARK
from shell.market.bars import Quote
from shell.market.pair import Pair
from shell.money import NO_MONEY, NO_QTY, ZERO, BaseQty, Price, QuoteAmount, decimal_of, plain
from shell.orders import APPROVAL_SEAL, ApprovedOrder, OrderIntent, Purpose, Side, SignalAnswer
from shell.portfolio.ledger import Position
from shell.risk import checks
from shell.risk.checks import Reference, refusal
from shell.risk.refusal import RefusalCode, Refused
from shell.risk.sizing import entry_size, exit_size
from shell.risk.view import RiskView

APPROVED = "APPROVED"


class OrderIds(NamedTuple):
    """Given by the caller, deterministic: they lead from one signal to its last fill; the monitor has no signal."""

    intent_id: str
    book: str
    version: str
    signal_id: str | None = None
    mark: str = NO_MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionChange:
    """The stop and target an open position has from now on; None means none."""

    symbol: str
    stop_loss: Price | None
    take_profit: Price | None


class Approved(NamedTuple):
    """A yes: an order to send, or for Action.MODIFY the position's new protection. `sentence` says how it was sized."""

    grant: ApprovedOrder | ProtectionChange
    sentence: str


class _Case(NamedTuple):
    """One signal with all that is decided on."""

    signal: Signal
    view: RiskView
    config: RiskConfig
    pair: Pair
    quote: Quote
    prices: Reference
    now: datetime

    @property
    def symbol(self) -> str:
        return self.pair.symbol


def assess(
    signal: Signal,
    *,
    view: RiskView,
    config: RiskConfig,
    pair: Pair | None,
    quote: Quote | None,
    now: datetime,
    ids: OrderIds,
) -> Approved | Refused:
    """Approve or refuse one signal. `pair` is None for a symbol that is not traded, `quote` while there is no price.

    Halts, stale prices and throttles stop entries only: no halt ever refuses an exit. Signals of one scan are assessed
    one after another, each against a view in which the orders approved before it count as working.
    """
    if pair is None or pair.symbol != signal.symbol:
        return refusal(RefusalCode.UNKNOWN_SYMBOL, f"{signal.symbol!r} is not among the symbols this account trades")
    refused = _unfounded(signal, view)
    if refused is not None:
        return refused
    prices = checks.reference(quote)
    if quote is None or prices is None:
        return refusal(RefusalCode.NO_PRICE, f"there is no usable price of {signal.symbol}")
    case = _Case(signal=signal, view=view, config=config, pair=pair, quote=quote, prices=prices, now=now)
    match signal.action:
        case Action.BUY:
            outcome = _entry(case)
        case Action.SELL | Action.CLOSE:
            outcome = _exit(case)
        case Action.MODIFY:
            return _modify(case)
        case _:
            assert_never(signal.action)
    if isinstance(outcome, Refused):
        return outcome
    intent = OrderIntent(
        intent_id=ids.intent_id, book=ids.book, version=ids.version, symbol=pair.symbol, side=outcome.side,
        purpose=outcome.purpose, order_type=signal.order_type, qty=outcome.qty, limit_price=outcome.limit,
        decided_at=now, signal_id=ids.signal_id, stop_loss=outcome.stop_loss, take_profit=outcome.take_profit,
        horizon=signal.intent, tag=signal.tag, mark=ids.mark,
    )
    return Approved(grant=_sealed(intent, outcome.reserved), sentence=outcome.sentence)


def protective_exit(
    position: Position, purpose: Purpose, *, ids: OrderIds, now: datetime, qty: BaseQty | None = None
) -> ApprovedOrder:
    """The market order with which the monitor closes a position at its stop or target (I5); no limit is asked. `qty` is what
    of it the venue takes an order for, the whole of it by default.

    Other working exits of the position must be cancelled first. The intent carries the position's stop and target, so
    that what set the order off can be read from it. Raises Fatal for another purpose and for more than is held: that would be
    a broken invariant.
    """
    qty = position.qty if qty is None else qty
    if purpose not in (Purpose.STOP, Purpose.TARGET):
        raise Fatal(f"a protective exit is a stop or a target, not {purpose.value!r}")
    if not NO_QTY < qty <= position.qty:
        raise Fatal(f"a protective exit of {qty} of {position.qty} {position.symbol} makes no sense")
    intent = OrderIntent(
        intent_id=ids.intent_id, book=ids.book, version=ids.version, symbol=position.symbol, side=Side.SELL,
        purpose=purpose, order_type=OrderType.MARKET, qty=qty, limit_price=None, decided_at=now,
        signal_id=ids.signal_id, stop_loss=position.stop_loss, take_profit=position.take_profit,
        horizon=position.horizon, tag=position.tag, mark=ids.mark,
    )
    return _sealed(intent, NO_MONEY)


def protective_stop(position: Position, qty: BaseQty, *, ids: OrderIds, now: datetime) -> ApprovedOrder:
    """The stop that the venue is asked to keep for `qty` of a position (I5, D10). Raises Fatal for more than is held, and for
    a position without a stop."""
    if position.stop_loss is None or not NO_QTY < qty <= position.qty:
        raise Fatal(f"a stop for {qty} of {position.qty} {position.symbol} at {position.stop_loss} makes no sense")
    intent = OrderIntent(
        intent_id=ids.intent_id, book=ids.book, version=ids.version, symbol=position.symbol, side=Side.SELL,
        purpose=Purpose.STOP, order_type=OrderType.MARKET, qty=qty, limit_price=None, decided_at=now,
        signal_id=ids.signal_id, stop_loss=position.stop_loss, take_profit=position.take_profit,
        horizon=position.horizon, tag=position.tag, trigger=position.stop_loss, mark=ids.mark,
    )
    return _sealed(intent, NO_MONEY)


def answer_of(signal: Signal, decision: Approved | Refused, *, ids: OrderIds, now: datetime) -> SignalAnswer:
    """The stored answer to a signal: the code is APPROVED or the refusal's. Raises Fatal without a signal id."""
    if ids.signal_id is None:
        raise Fatal(f"the answer to a signal for {signal.symbol!r} has no signal id")
    approved = isinstance(decision, Approved)
    ordered = isinstance(decision, Approved) and isinstance(decision.grant, ApprovedOrder)
    return SignalAnswer(
        signal_id=ids.signal_id, book=ids.book, version=ids.version, decided_at=now, symbol=signal.symbol,
        action=signal.action, size_pct=signal.size_pct, order_type=signal.order_type, limit_price=signal.limit_price,
        stop_loss=signal.stop_loss, take_profit=signal.take_profit, horizon=signal.intent,
        confidence=signal.confidence, reasoning=signal.reasoning, tag=signal.tag, approved=approved,
        code=decision.code.value if isinstance(decision, Refused) else APPROVED, sentence=decision.sentence,
        intent_id=ids.intent_id if ordered else None,
    )


class _Order(NamedTuple):
    """What an order was decided to be, before it gets its ids and its seal."""

    side: Side
    purpose: Purpose
    qty: BaseQty
    limit: Price | None
    sentence: str
    reserved: QuoteAmount = NO_MONEY
    stop_loss: Price | None = None
    take_profit: Price | None = None


def _unfounded(signal: Signal, view: RiskView) -> Refused | None:
    """What can be refused without a price: an entry while halted or closed to orders, the rest without a position."""
    if signal.action is Action.BUY:
        return checks.kill_switch(view) or checks.halted(view) or checks.market_open(view)
    if signal.symbol in view.positions:
        return None
    if signal.action is Action.SELL:
        return refusal(RefusalCode.SHORT_REFUSED, f"no {signal.symbol} is held, and this account never sells short")
    return refusal(RefusalCode.NO_POSITION, f"no {signal.symbol} is held")


def _entry(case: _Case) -> _Order | Refused:
    config, view, symbol, prices = case.config, case.view, case.symbol, case.prices
    refused = (
        checks.fresh_price(config, case.quote, case.now)
        or checks.no_entry_working(view, symbol)
        or checks.not_repeated(config, view, symbol, case.signal.action, case.now)
        or checks.order_rate(config, view, case.now)
        or checks.daily_trades(config, view)
        or checks.positions_room(config, view, symbol)
    )
    if refused is not None:
        return refused
    size_pct = _size(case.signal)
    if isinstance(size_pct, Refused):
        return size_pct
    limit = _limit_price(case, ROUND_DOWN)
    if isinstance(limit, Refused):
        return limit
    # A limit above the market fills at the market: protection is measured from where the position would really begin.
    begins = prices.high if limit is None else min(limit.value, prices.high)
    protection = _protection(case, ceiling=min(begins, prices.low), floor=begins)
    if isinstance(protection, Refused):
        return protection
    size = entry_size(config, view, case.pair, prices, size_pct, limit)
    if isinstance(size, Refused):
        return size
    cut = f", cut because {size.cut_by}" if size.cut_by else ""
    return _Order(
        side=Side.BUY, purpose=Purpose.ENTRY, qty=size.qty, limit=limit, reserved=size.worst_cost,
        stop_loss=protection[0], take_profit=protection[1],
        sentence=f"buy {plain(size.qty.value)} {symbol} for at most {size.worst_cost.value:,.2f}{cut}",
    )


def _exit(case: _Case) -> _Order | Refused:
    closing = case.signal.action is Action.CLOSE
    size_pct = None if closing else _size(case.signal)
    if isinstance(size_pct, Refused):
        return size_pct
    # To close twice is harmless (nothing is left to sell), to halve twice is not.
    repeated = None if closing else checks.not_repeated(
        case.config, case.view, case.symbol, case.signal.action, case.now
    )
    if repeated is not None:
        return repeated
    limit = _limit_price(case, ROUND_UP)
    if isinstance(limit, Refused):
        return limit
    qty = exit_size(case.view, case.pair, case.prices.low, size_pct)
    if isinstance(qty, Refused):
        return qty
    return _Order(
        side=Side.SELL, purpose=Purpose.EXIT, qty=qty, limit=limit, sentence=f"sell {plain(qty.value)} {case.symbol}"
    )


def _modify(case: _Case) -> Approved | Refused:
    """Move the stop or target; what the signal leaves None stays. While halted a stop may only come closer."""
    refused = checks.fresh_price(case.config, case.quote, case.now)
    if refused is not None:
        return refused
    protection = _protection(case, ceiling=case.prices.low, floor=case.prices.high)
    if isinstance(protection, Refused):
        return protection
    held = case.view.positions[case.symbol]
    change = ProtectionChange(
        symbol=case.symbol, stop_loss=protection[0] or held.stop_loss, take_profit=protection[1] or held.take_profit
    )
    if (change.stop_loss, change.take_profit) == (held.stop_loss, held.take_profit):
        return refusal(RefusalCode.NO_CHANGE, f"the stop and target of {case.symbol} would stay as they are")
    refused = checks.stop_not_loosened(case.view, held, change.stop_loss)
    if refused is not None:
        return refused
    stop, target = change.stop_loss or "none", change.take_profit or "none"
    return Approved(grant=change, sentence=f"protect {case.symbol} from now on with stop {stop} and target {target}")


def _size(signal: Signal) -> Decimal | Refused:
    try:
        size = decimal_of(signal.size_pct)
    except ValueError:
        size = Decimal(-1)
    if size >= ZERO:
        return size
    return refusal(
        RefusalCode.BAD_SIZE,
        f"a size_pct of {signal.size_pct!r}: allowed is a fraction of total value from 0 (the default) to 1",
    )


def _limit_price(case: _Case, rounding: str) -> Price | Refused | None:
    """None for a market order; else the limit on the pair's tick, never worse than asked, and within the collar."""
    if case.signal.order_type is OrderType.MARKET:
        return None
    asked = _positive(case.signal.limit_price)
    if asked is not None:
        # The collar comes first: rounding an absurd number to a tick only makes it longer.
        refused = checks.price_collar(case.config, asked, case.prices.last)
        if refused is not None:
            return refused
        price = case.pair.round_price(asked, rounding)
        if price:
            return checks.price_collar(case.config, price.value, case.prices.last) or price
    return refusal(
        RefusalCode.BAD_LIMIT_PRICE,
        f"a limit order at {case.signal.limit_price!r}: the price must be a number of at least {plain(case.pair.tick)}",
    )


def _protection(
    case: _Case, *, ceiling: Decimal, floor: Decimal
) -> tuple[Price | None, Price | None] | Refused:
    """Stop and target on the pair's tick, each rounded towards the price: reached no later than was asked."""
    asked_stop, asked_target = case.signal.stop_loss, case.signal.take_profit
    stop, target = _positive(asked_stop), _positive(asked_target)
    if asked_stop is not None and stop is None:
        return refusal(RefusalCode.BAD_STOP, f"a stop of {asked_stop!r} is not a positive price")
    if asked_target is not None and target is None:
        return refusal(RefusalCode.BAD_TARGET, f"a target of {asked_target!r} is not a positive price")
    refused = checks.stop_below(stop, ceiling) or checks.target_above(target, floor)
    if refused is not None:
        return refused
    stop_price = None if stop is None else case.pair.round_price_up(stop)
    target_price = None if target is None else case.pair.round_price(target)
    # Once more on the tick, where one just beside the price may have come to lie on it.
    refused = checks.stop_below(None if stop_price is None else stop_price.value, ceiling) or checks.target_above(
        None if target_price is None else target_price.value, floor
    )
    return refused or (stop_price, target_price)


def _positive(value: float | None) -> Decimal | None:
    """The price a signal names, or None if it names none or nonsense."""
    if value is None:
        return None
    try:
        number = decimal_of(value)
    except ValueError:
        return None
    return number if number > ZERO else None


def restored(intent: OrderIntent, reserved: QuoteAmount) -> ApprovedOrder:
    """An order read back from the store: it was approved here before it was written there."""
    return _sealed(intent, reserved)


def _sealed(intent: OrderIntent, reserved: QuoteAmount) -> ApprovedOrder:
    return ApprovedOrder(intent=intent, reserved=reserved, seal=APPROVAL_SEAL)
