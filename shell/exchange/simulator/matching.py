"""Price-time matching against the tape and the invented depth, triggers, conditional closes, and what a fill changes.

An order that takes walks the outside depth level by level, each level a fill. An order that rests fills at its own limit:
by what trades through it, and at its very price once what stood there before it has traded. Nothing matches unless the
exchange is online.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from shell.exchange.simulator.book import Level
from shell.exchange.simulator.moments import SECOND_NS
from shell.exchange.simulator.orders import (
    BUY,
    LIMIT,
    MARKET,
    OPPOSITE,
    SELL,
    STOPS,
    CloseTerms,
    Order,
    OrderRequest,
    PriceTerm,
    Relative,
    Status,
    Trade,
)
from shell.exchange.simulator.precision import ZERO, cut, over, raise_to, times
from shell.exchange.simulator.tape import Print
from shell.exchange.simulator.venue import Booked, Executed, Market, Requoted, Venue

USER_REQUESTED = "User requested"
PRICE_PROTECTION = "Market price protection"
IMMEDIATE = "Immediate or cancel"
FILL_OR_KILL = "Fill or kill"
SELF_TRADE = "Self trade prevention"
NO_FUNDS = "Insufficient funds"
POST_ONLY_REASON = "Post only order"
DEPTH_WALKED_MAX = 500
EXPIRED = "Order expired"
_USD_LIKE = {"USD", "USDT", "USDC", "EUR", "GBP"}


def enter(venue: Venue, request: OrderRequest, *, refid: str | None = None) -> Order:
    """Accept a judged request as an order and let it work. What it does at once is done when this returns."""
    order = Order(
        txid=venue.ids.draw("O"), request=request, volume=request.volume, limit=None, trigger=None,
        opened_ns=venue.now_ns, number=venue.number(), refid=refid,
    )
    _price(venue, order)
    venue.add(order)
    venue.emit(Executed("pending_new", order, None, venue.now_ns))
    if request.expire_ns:
        venue.schedule(request.expire_ns, lambda: end(venue, order, Status.EXPIRED, EXPIRED))
    if request.start_ns > venue.now_ns:
        _hold(venue, order)
        venue.schedule(request.start_ns, lambda: activate(venue, order))
    else:
        activate(venue, order)
    return order


def activate(venue: Venue, order: Order) -> None:
    """Let an accepted order into the market."""
    if order.status is not Status.PENDING:
        return
    order.status = Status.OPEN
    venue.emit(Executed("new", order, None, venue.now_ns))
    asset, amount = requirement(venue, order)
    if amount > venue.accounts.available(asset) + venue.accounts.held_by(order.txid):
        end(venue, order, Status.CANCELED, NO_FUNDS)
        return
    _hold(venue, order)
    if order.waits_for_trigger:
        market = venue.market(order.pair)
        if venue.state.matches and _triggers(order, market.last.price):
            _pull(venue, order)
    else:
        work(venue, order)
    open_closes(venue)
    venue.emit(Requoted(order.pair))


def work(venue: Venue, order: Order) -> None:
    """Take what an order may take, then rest it or end it."""
    market, request = venue.market(order.pair), order.request
    limit = order.limit
    if request.post_only and limit is not None and crosses(market, order.side, limit):
        end(venue, order, Status.CANCELED, POST_ONLY_REASON)
        return
    if request.time_in_force == "FOK" and limit is not None and _within(market, order.side, limit) < order.remaining:
        end(venue, order, Status.CANCELED, FILL_OR_KILL)
        return
    if venue.state.matches:
        reason = _take(venue, market, order)
        if reason and order.alive:
            end(venue, order, Status.CANCELED, reason)
    if not order.alive:
        return
    if limit is None:
        end(venue, order, Status.CANCELED, PRICE_PROTECTION)
    elif request.time_in_force in ("IOC", "FOK"):
        end(venue, order, Status.CANCELED, IMMEDIATE)
    else:
        order.ahead = market.depth.standing(OPPOSITE[order.side], limit)
        _hold(venue, order)


def trade_printed(venue: Venue, market: Market, trade: Print) -> None:
    """The outside market traded: the book follows, resting orders fill, stops trigger."""
    market.last = trade
    market.depth.recentre(trade.price, trade.at_ns // (300 * SECOND_NS))
    if not venue.state.matches or not market.orders:
        return
    budget = trade.qty
    for side in (BUY, SELL):
        for order in market.resting(side):
            budget = _reach(venue, market, order, trade, budget)
    for order in list(market.orders.values()):
        if order.alive and order.status is Status.OPEN and order.waits_for_trigger and _triggers(order, trade.price):
            _pull(venue, order)
    open_closes(venue)


def crosses(market: Market, side: str, limit: Decimal) -> bool:
    """True when an order of `side` at `limit` would take at once, from the outside or from the account itself."""
    ladder = market.ladder(side, 1)
    return bool(ladder) and (ladder[0].price <= limit if side == BUY else ladder[0].price >= limit)


def end(venue: Venue, order: Order, status: Status, reason: str | None = None) -> None:
    """Take a living order out of the market, whatever of it was filled; a dead one stays as it is."""
    if not order.alive:
        return
    order.status, order.reason, order.closed_ns = status, reason, venue.now_ns
    venue.accounts.hold(order.txid, "", ZERO)
    del venue.open[order.txid]
    del venue.market(order.pair).orders[order.txid]
    venue.finished.append(order)
    kind = {Status.CLOSED: "filled", Status.EXPIRED: "expired"}.get(status, "canceled")
    venue.emit(Executed(kind, order, None, venue.now_ns))
    if status is not Status.CLOSED:
        venue.emit(Requoted(order.pair))


def requirement(venue: Venue, order: Order) -> tuple[str, Decimal]:
    """What an order has to hold: cost and fee of a buy at its limit or trigger, what is left of a sell."""
    pair, request = order.pair, order.request
    rate, left = venue.fee_rate(maker=False), order.remaining
    if order.side == SELL:
        if request.fee_in_base:
            left += raise_to(times(left, rate), pair.base.decimals)
        return pair.base.code, left
    price = order.limit if order.limit is not None else order.trigger
    if price is None:
        return pair.quote.code, ZERO
    cost = raise_to(times(left, price), pair.money_decimals)
    fee = ZERO if request.fee_in_base else raise_to(times(cost, rate), pair.money_decimals)
    return pair.quote.code, cost + fee


def resolve(term: PriceTerm | None, side: str, reference: Decimal, decimals: int, tick: Decimal) -> Decimal | None:
    """A price as a number; a relative one is added to `reference`, `#` in the direction that waits for a better price."""
    if not isinstance(term, Relative):
        return term
    amount = times(reference, term.amount) / 100 if term.percent else term.amount
    sign = term.sign if term.sign != "#" else ("-" if side == BUY else "+")
    price = reference + amount if sign == "+" else reference - amount
    return cut(over(price, tick).to_integral_value("ROUND_FLOOR") * tick, decimals)


def open_closes(venue: Venue) -> None:
    """Bring about the conditional closes of the fills since the last time."""
    while venue.closes:
        parent, qty = venue.closes.pop(0)
        terms = parent.request.close
        if isinstance(terms, CloseTerms):
            request = OrderRequest(
                pair=parent.pair, side=OPPOSITE[parent.side], kind=terms.kind, volume=qty, price=terms.price,
                price2=terms.price2, userref=parent.request.userref, trigger_by=parent.request.trigger_by, flags=("fciq",),
            )
            enter(venue, request, refid=parent.txid)


def _price(venue: Venue, order: Order) -> None:
    """Work out limit and trigger of an order from its terms and the last price."""
    request, pair = order.request, order.pair
    last = venue.market(pair).last.price
    first = resolve(request.price, order.side, last, pair.price_decimals, pair.tick)
    if order.kind == LIMIT:
        order.limit = first
    elif order.kind.startswith("trailing"):
        order.peak = last
        order.trigger = _trail(order)
    elif order.kind != MARKET:
        order.trigger = first
        if order.kind.endswith("-limit"):
            order.limit = resolve(request.price2, order.side, first or last, pair.price_decimals, pair.tick)


def _trail(order: Order) -> Decimal:
    """The trigger of a trailing stop: its offset away from the best price since it was placed."""
    term, peak, pair = order.request.price, order.peak or ZERO, order.pair
    assert isinstance(term, Relative)
    offset = times(peak, term.amount) / 100 if term.percent else term.amount
    price = peak - offset if order.side == SELL else peak + offset
    return cut(over(price, pair.tick).to_integral_value("ROUND_FLOOR") * pair.tick, pair.price_decimals)


def _triggers(order: Order, last: Decimal) -> bool:
    """True when the last price sets a waiting order off. A trailing stop follows the price first."""
    if order.kind.startswith("trailing"):
        better = max if order.side == SELL else min
        order.peak = better(order.peak or last, last)
        order.trigger = _trail(order)
    trigger = order.trigger or ZERO
    falls = (order.side == SELL) == (order.kind in STOPS)
    return last <= trigger if falls else last >= trigger


def _pull(venue: Venue, order: Order) -> None:
    """A stop or target was reached: it becomes a market or limit order at the back of the queue."""
    order.triggered = True
    order.number = venue.number()
    if order.kind == "trailing-stop-limit":
        pair, term = order.pair, order.request.price2
        order.limit = resolve(term, order.side, order.trigger or ZERO, pair.price_decimals, pair.tick)
    venue.emit(Executed("restated", order, None, venue.now_ns))
    work(venue, order)


def _reach(venue: Venue, market: Market, order: Order, trade: Print, budget: Decimal) -> Decimal:
    """Fill a resting order by a trade that reached its price; what is left of the trade's quantity."""
    limit = order.limit
    if limit is None or not order.alive:
        return budget
    beyond = limit > trade.price if order.side == BUY else limit < trade.price
    if not beyond and limit != trade.price:
        return budget
    if not beyond:
        passed = min(order.ahead, budget)
        order.ahead -= passed
        budget -= passed
    qty = min(order.remaining, budget)
    if qty:
        fill(venue, order, limit, qty, maker=True)
        budget -= qty
    if beyond and order.alive:
        # The tape moved past the limit, so everyone who now asks no more than it has met this order first.
        for level in _levels_within(market, order.side, limit):
            qty = min(level.qty, order.remaining)
            if not qty:
                break
            market.depth.take(order.side, level.price, qty)
            fill(venue, order, limit, qty, maker=True)
    return budget


def _take(venue: Venue, market: Market, order: Order) -> str | None:
    """Walk the depth. The reason why an order must end early, if there is one."""
    share, venue.quirks.fill_share = venue.quirks.fill_share, None
    share = None if order.request.time_in_force == "FOK" else share
    stop_at = order.volume if share is None else cut(times(order.volume, share), order.pair.lot_decimals)
    worst = order.limit if order.limit is not None else _protected(venue, market, order.side)
    for level in _levels_within(market, order.side, worst):
        verdict = _meet_own(venue, market, order, level.price)
        if verdict:
            return verdict
        wanted = min(level.qty, stop_at - order.filled) if order.request.cash is None else level.qty
        qty = _affordable(venue, order, level, wanted)
        if qty > 0:
            market.depth.take(order.side, level.price, qty)
            fill(venue, order, level.price, qty, maker=False)
        if not order.alive:
            return None
        if qty < wanted:
            return _short(venue, order)
        if order.filled >= stop_at and order.request.cash is None:
            if order.limit is not None:
                _vanish(market, order.side, worst)
            return None
    return _meet_own(venue, market, order, worst)


def _vanish(market: Market, side: str, worst: Decimal) -> None:
    """Nobody else is left to trade with up to `worst`: why an order was filled in part."""
    for level in list(_levels_within(market, side, worst)):
        market.depth.take(side, level.price, level.qty)


def _levels_within(market: Market, side: str, worst: Decimal) -> Iterator[Level]:
    """Levels up to `worst`, best first; each is looked at only when its turn comes."""
    for seen, level in enumerate(market.depth.levels(side)):
        if (level.price > worst if side == BUY else level.price < worst) or seen == DEPTH_WALKED_MAX:
            return
        yield level


def _within(market: Market, side: str, limit: Decimal) -> Decimal:
    return sum((level.qty for level in _levels_within(market, side, limit)), ZERO)


def _protected(venue: Venue, market: Market, side: str) -> Decimal:
    """The worst price a market order may reach."""
    best, reach = market.depth.best(side), venue.rules.protection_pct
    return times(best, 1 + reach) if side == BUY else times(best, 1 - reach)


def _meet_own(venue: Venue, market: Market, order: Order, price: Decimal) -> str | None:
    """Keep an order from trading with the account's own orders at `price` or better."""
    for own in market.resting(OPPOSITE[order.side]):
        limit = own.limit or ZERO
        if limit > price if order.side == BUY else limit < price:
            return None
        if order.request.self_trade in ("cancel-oldest", "cancel-both"):
            end(venue, own, Status.CANCELED, SELF_TRADE)
        if order.request.self_trade in ("cancel-newest", "cancel-both"):
            return SELF_TRADE
    return None


def _affordable(venue: Venue, order: Order, level: Level, wanted: Decimal) -> Decimal:
    """The part of `wanted` that the order's own holds, the free funds and its cash pay for."""
    accounts, pair, request = venue.accounts, order.pair, order.request
    rate = venue.fee_rate(maker=False)
    if order.side == SELL:
        have = accounts.available(pair.base.code) + accounts.held_by(order.txid)
        if request.fee_in_base:
            have = over(have, 1 + rate)
        return min(wanted, cut(have, pair.lot_decimals))
    price = level.price
    if request.cash is not None:
        wanted = min(wanted, cut(over(request.cash - order.cost, price), pair.lot_decimals))
    unit = price if request.fee_in_base else times(price, 1 + rate)
    have = accounts.available(pair.quote.code) + accounts.held_by(order.txid)
    return min(wanted, cut(over(have, unit), pair.lot_decimals))


def _short(venue: Venue, order: Order) -> str | None:
    """Why a fill was cut short: the cash of the order is spent (then it is complete), or the funds are."""
    if order.request.cash is None:
        return NO_FUNDS
    order.volume = order.filled
    if order.filled:
        end(venue, order, Status.CLOSED)
        return None
    return NO_FUNDS


def fill(venue: Venue, order: Order, price: Decimal, qty: Decimal, *, maker: bool) -> Trade:
    """Book one fill: ledger, order, holds, volume, and the rows that tell of it."""
    pair, request = order.pair, order.request
    rate = venue.fee_rate(maker)
    cost = cut(times(price, qty), pair.money_decimals)
    if request.fee_in_base:
        fee_asset, fee = pair.base, cut(times(qty, rate), pair.base.decimals)
        fee_quote = cut(times(fee, price), pair.money_decimals)
    else:
        fee_asset, fee = pair.quote, cut(times(cost, rate), pair.money_decimals)
        fee_quote = fee
    base, quote = (pair.base.code, qty), (pair.quote.code, cost)
    paid, got = (quote, base) if order.side == BUY else (base, quote)
    trade_id = venue.ids.draw("T")
    order.filled += qty
    order.notional += times(price, qty)
    order.cost += cost
    order.fee += fee_quote
    rows = venue.accounts.trade(trade_id, venue.now_ns, paid, got, (fee_asset.code, fee))
    _hold(venue, order)
    trade = Trade(
        trade_id=trade_id, number=len(venue.trades) + 1, order=order, at_ns=venue.now_ns, price=price, qty=qty, cost=cost,
        fee=fee, fee_asset=fee_asset.display, fee_quote=fee_quote, maker=maker,
        ledger_ids=tuple(row.ledger_id for row in rows), kind=LIMIT if order.limit is not None else MARKET,
    )
    order.trades.append(trade_id)
    venue.trades[trade_id] = trade
    if pair.quote.display in _USD_LIKE:
        venue.traded.add(venue.now_ns, cost)
    if request.close is not None:
        venue.closes.append((order, qty))
    venue.emit(Executed("trade", order, trade, venue.now_ns))
    venue.emit(Booked(rows))
    if order.request.cash is None and not order.remaining:
        end(venue, order, Status.CLOSED)
    return trade


def _hold(venue: Venue, order: Order) -> None:
    """Let an order hold what it now requires; a taker without limit and trigger holds nothing."""
    asset, amount = requirement(venue, order)
    working = order.alive and not (order.limit is None and order.trigger is None)
    if order.request.cash is not None or not working:
        amount = ZERO
    venue.accounts.hold(order.txid, asset, max(amount, ZERO))
