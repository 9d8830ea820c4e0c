"""Order entry: every request is judged here before it may enter the market, whichever door it came through."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from shell.exchange.simulator.matching import USER_REQUESTED, crosses, end, enter, requirement, resolve, work
from shell.exchange.simulator.orders import (
    BUY,
    KINDS,
    LIMIT,
    MARKET,
    OPPOSITE,
    SELF_TRADE,
    SIDES,
    TIMES_IN_FORCE,
    Order,
    OrderRequest,
    PriceTerm,
    Relative,
    Status,
)
from shell.exchange.simulator.precision import ZERO, decimals_of, over, raise_to, times
from shell.exchange.simulator.rate_counters import ADD_COST, amend_cost, cancel_cost, edit_cost
from shell.exchange.simulator.refusal import (
    COST_MINIMUM,
    DEADLINE,
    DUPLICATE_CL_ORD_ID,
    FUNDS,
    ORDER_RATE,
    ORDERS_LIMIT,
    POST_ONLY,
    TICK_SIZE,
    UNKNOWN_ORDER,
    VOLUME_MINIMUM,
    Refusal,
    argument,
)
from shell.exchange.simulator.venue import Executed, Requoted, Venue

_CL_ORD_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|[\x21-\x7e]{1,18}", re.IGNORECASE)
BATCH_MIN, BATCH_MAX = 2, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What to change of a living order; None leaves it."""

    volume: Decimal | None = None
    limit: PriceTerm | None = None
    trigger: PriceTerm | None = None
    post_only: bool | None = None
    deadline_ns: int = 0


def place(venue: Venue, request: OrderRequest) -> Order:
    """Judge and enter an order. Raises Refusal; the engine's counter is charged either way."""
    charge(venue, request)
    judge(venue, request)
    return enter(venue, request)


def place_batch(venue: Venue, requests: Sequence[OrderRequest]) -> list[Order | Refusal]:
    """Enter up to 15 orders of one pair. One invalid order refuses all; lacking funds refuse only their own order."""
    if not BATCH_MIN <= len(requests) <= BATCH_MAX:
        raise argument("orders")
    for request in requests:
        charge(venue, request)
    for request in requests:
        judge(venue, request, with_funds=False)
    answers: list[Order | Refusal] = []
    for request in requests:
        try:
            judge(venue, request)
            answers.append(enter(venue, request))
        except Refusal as refusal:
            answers.append(refusal)
    return answers


def charge(venue: Venue, request: OrderRequest) -> None:
    """Count a new order. Raises Refusal when the pair's counter is full."""
    if not venue.engine_counter(request.pair).takes(ADD_COST, venue.now_ns):
        raise Refusal(ORDER_RATE)


def judge(venue: Venue, request: OrderRequest, *, with_funds: bool = True) -> None:
    """Raises Refusal unless the order may enter now."""
    venue.state.admit(request)
    _judge_words(venue, request)
    _judge_prices(venue, request)
    _judge_size(venue, request)
    if request.deadline_ns and venue.told_ns > request.deadline_ns:
        raise Refusal(DEADLINE)
    market = venue.market(request.pair)
    if len(market.orders) >= venue.account_tier.open_orders_max:
        raise Refusal(ORDERS_LIMIT)
    if request.cl_ord_id is not None and living(venue, request.cl_ord_id) is not None:
        raise Refusal(DUPLICATE_CL_ORD_ID)
    limit = limit_of(venue, request)
    if request.post_only and limit is not None and not venue.rules.post_only_cancels and crosses(market, request.side, limit):
        raise Refusal(POST_ONLY)
    if with_funds:
        _judge_funds(venue, request)


def living(venue: Venue, cl_ord_id: str) -> Order | None:
    """The open order with this client id."""
    return next((order for order in venue.by_client(cl_ord_id) if order.alive), None)


def find_open(venue: Venue, txid: str | None, cl_ord_id: str | None) -> Order:
    """The open order meant. Raises Refusal when there is none."""
    found = venue.open.get(txid) if txid else living(venue, cl_ord_id) if cl_ord_id else None
    if found is None:
        raise Refusal(UNKNOWN_ORDER)
    return found


def cancel(venue: Venue, order: Order) -> None:
    """Cancel one open order. Raises Refusal in maintenance."""
    venue.state.admit_cancel()
    venue.engine_counter(order.pair).charge(cancel_cost(venue.now_ns - order.touched_ns), venue.now_ns)
    end(venue, order, Status.CANCELED, USER_REQUESTED)


def cancel_all(venue: Venue) -> int:
    """Cancel every open order, stops too. Raises Refusal in maintenance."""
    venue.state.admit_cancel()
    living_orders = list(venue.open.values())
    for order in living_orders:
        end(venue, order, Status.CANCELED, USER_REQUESTED)
    return len(living_orders)


def amend(venue: Venue, order: Order, change: Amendment) -> str:
    """Change a living order in place; its amend id. Raises Refusal and changes nothing when the change is not allowed."""
    if not venue.engine_counter(order.pair).takes(amend_cost(venue.now_ns - order.touched_ns), venue.now_ns):
        raise Refusal(ORDER_RATE)
    request = order.request
    limit, trigger = _amended_prices(order, change)
    changed = replace(
        request, volume=change.volume if change.volume is not None else order.volume,
        post_only=request.post_only if change.post_only is None else change.post_only,
        deadline_ns=change.deadline_ns,
    )
    venue.state.admit(changed)
    if change.deadline_ns and venue.told_ns > change.deadline_ns:
        raise Refusal(DEADLINE)
    _check_volume(changed)
    for price in (limit, trigger):
        if price is not None:
            _check_price(changed, price)
    if changed.volume <= order.filled:
        amend_id = venue.ids.draw("T")
        end(venue, order, Status.CANCELED, USER_REQUESTED)
        return amend_id
    market = venue.market(order.pair)
    if changed.post_only and limit is not None and limit != order.limit and crosses(market, order.side, limit):
        raise Refusal(POST_ONLY)
    _apply(venue, order, changed, limit, trigger)
    amend_id = venue.ids.draw("T")
    venue.emit(Executed("amended", order, None, venue.now_ns))
    if order.rests and order.limit is not None and crosses(market, order.side, order.limit):
        work(venue, order)
    venue.emit(Requoted(order.pair))
    return amend_id


def edit(venue: Venue, order: Order, request: OrderRequest) -> Order:
    """The old way to change: cancel, and enter anew under a new id. Raises Refusal and leaves the order when it may not."""
    if order.request.close is not None or order.triggered or order.request.cl_ord_id is not None:
        raise argument("txid")
    if not venue.engine_counter(order.pair).takes(edit_cost(venue.now_ns - order.touched_ns), venue.now_ns):
        raise Refusal(ORDER_RATE)
    asset, _ = requirement(venue, order)
    held = venue.accounts.held_by(order.txid)
    venue.accounts.hold(order.txid, asset, ZERO)
    try:
        judge(venue, request)
    except Refusal:
        venue.accounts.hold(order.txid, asset, held)
        raise
    end(venue, order, Status.CANCELED, USER_REQUESTED)
    return enter(venue, request)


def limit_of(venue: Venue, request: OrderRequest) -> Decimal | None:
    """The limit a limit order would have now."""
    if request.kind != LIMIT:
        return None
    pair = request.pair
    return resolve(request.price, request.side, venue.market(pair).last.price, pair.price_decimals, pair.tick)


def _judge_words(venue: Venue, request: OrderRequest) -> None:
    if request.side not in SIDES:
        raise argument("type")
    if request.kind not in KINDS:
        raise argument("ordertype")
    if request.time_in_force not in TIMES_IN_FORCE or (request.kind == MARKET and request.time_in_force == "GTD"):
        raise argument("timeinforce")
    if request.time_in_force == "GTD" and request.expire_ns <= venue.told_ns:
        raise argument("expiretm")
    if request.self_trade not in SELF_TRADE:
        raise argument("stptype")
    if request.trigger_by not in ("last", "index"):
        raise argument("trigger")
    if request.post_only and (request.kind != LIMIT or request.time_in_force in ("IOC", "FOK")):
        raise argument("oflags")
    if request.cash is not None and (request.kind != MARKET or request.side != BUY):
        raise argument("oflags")
    if request.cl_ord_id is not None and (request.userref or not _CL_ORD_ID.fullmatch(request.cl_ord_id)):
        raise argument("cl_ord_id")
    if request.close is not None and (request.close.kind not in KINDS or request.close.kind == MARKET):
        raise argument("close ordertype")


def _judge_prices(venue: Venue, request: OrderRequest) -> None:
    """Raises Refusal for a missing, a superfluous-decimal or an off-tick price, of the order and of its conditional close."""
    _price_pair(request, request.kind, request.price, request.price2)
    if request.close is not None:
        _price_pair(request, request.close.kind, request.close.price, request.close.price2)


def _price_pair(request: OrderRequest, kind: str, first: PriceTerm | None, second: PriceTerm | None) -> None:
    trailing = kind.startswith("trailing")
    if kind != MARKET:
        if first is None or (trailing and not isinstance(first, Relative)):
            raise Refusal("EOrder:Invalid price:Invalid price argument.")
        if isinstance(first, Decimal):
            _check_price(request, first)
    if kind.endswith("-limit"):
        if second is None:
            raise Refusal("EOrder:Invalid price:Invalid secondary price argument.")
        if isinstance(second, Decimal):
            _check_price(request, second)


def _check_price(request: OrderRequest, price: Decimal) -> None:
    pair = request.pair
    if price <= 0:
        raise Refusal("EOrder:Invalid price:Invalid price argument.")
    if decimals_of(price) > pair.price_decimals:
        raise Refusal(
            f"EOrder:Invalid price:{pair.key} price can only be specified up to {pair.price_decimals} decimals."
        )
    if price % pair.tick:
        raise Refusal(TICK_SIZE)


def _judge_size(venue: Venue, request: OrderRequest) -> None:
    pair = request.pair
    if request.cash is None:
        _check_volume(request)
        price = _reckoned(venue, request)
        if times(request.volume, price) < pair.cost_min:
            raise Refusal(COST_MINIMUM)
        return
    if decimals_of(request.cash) > pair.cost_decimals:
        raise argument("volume")
    if request.cash < pair.cost_min:
        raise Refusal(COST_MINIMUM)
    if over(request.cash, venue.market(pair).depth.best(BUY)) < pair.order_min:
        raise Refusal(VOLUME_MINIMUM)


def _check_volume(request: OrderRequest) -> None:
    if request.volume <= 0 or decimals_of(request.volume) > request.pair.lot_decimals:
        raise argument("volume")
    if request.volume < request.pair.order_min:
        raise Refusal(VOLUME_MINIMUM)


def _reckoned(venue: Venue, request: OrderRequest) -> Decimal:
    """The price an order is valued at: its own first price, or the best there is."""
    market, pair = venue.market(request.pair), request.pair
    if request.kind == MARKET or request.kind.startswith("trailing"):
        return market.depth.best(request.side)
    term = request.price2 if request.kind.endswith("-limit") else request.price
    price = resolve(term, request.side, market.last.price, pair.price_decimals, pair.tick)
    return price if price is not None else market.last.price


def _judge_funds(venue: Venue, request: OrderRequest) -> None:
    pair, accounts, rate = request.pair, venue.accounts, venue.fee_rate(maker=False)
    if request.side != BUY:
        need = request.volume
        if request.fee_in_base:
            need += raise_to(times(need, rate), pair.base.decimals)
        if need > accounts.available(pair.base.code):
            raise Refusal(FUNDS)
        return
    free = accounts.available(pair.quote.code)
    if request.cash is not None:
        cost = request.cash
    elif request.kind == MARKET:
        cost = _walked(venue, request)
    else:
        cost = times(request.volume, _reckoned(venue, request))
    cost = raise_to(cost, pair.money_decimals)
    fee = ZERO if request.fee_in_base else raise_to(times(cost, rate), pair.money_decimals)
    if cost + fee > free:
        raise Refusal(FUNDS)


def _walked(venue: Venue, request: OrderRequest) -> Decimal:
    """What a market buy would cost in the book as it stands."""
    market, left, cost, price = venue.market(request.pair), request.volume, ZERO, ZERO
    for seen, level in enumerate(market.depth.levels(request.side)):
        qty, price = min(level.qty, left), level.price
        cost += times(price, qty)
        left -= qty
        if not left or seen == 500:
            break
    return cost + times(left, price)


def _amended_prices(order: Order, change: Amendment) -> tuple[Decimal | None, Decimal | None]:
    limit, trigger = order.limit, order.trigger
    if change.limit is not None:
        if limit is None or not isinstance(change.limit, Decimal):
            raise argument("limit_price")
        limit = change.limit
    if change.trigger is not None:
        if not order.waits_for_trigger or order.kind.startswith("trailing") or not isinstance(change.trigger, Decimal):
            raise argument("trigger_price")
        trigger = change.trigger
    return limit, trigger


def _apply(
    venue: Venue, order: Order, changed: OrderRequest, limit: Decimal | None, trigger: Decimal | None
) -> None:
    """Put the new terms into the order, or raise Refusal and leave the old ones when the funds do not reach."""
    before = order.request, order.volume, order.limit, order.trigger
    moved = limit != order.limit or changed.volume > order.volume
    order.request, order.volume, order.limit, order.trigger = changed, changed.volume, limit, trigger
    asset, need = requirement(venue, order)
    if need > venue.accounts.available(asset) + venue.accounts.held_by(order.txid):
        order.request, order.volume, order.limit, order.trigger = before
        raise Refusal(FUNDS)
    venue.accounts.hold(order.txid, asset, need)
    order.amended_ns = venue.now_ns
    if moved and order.rests and order.limit is not None:
        order.number = venue.number()
        order.ahead = venue.market(order.pair).depth.standing(OPPOSITE[order.side], order.limit)


