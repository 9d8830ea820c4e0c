"""Reconciliation: our books and a venue's account are compared, and the books follow the account. Pure.

What is ours is what the ledger says: the capital allocated to it and the coins it bought (D12). Whatever else the account
has is external: kept apart, shown, never sold, never counted. So the account can only differ from us in three ways: it did
something for us that was not reported (booked now), somebody took what was ours (our position or cash shrinks to what is
left, never below zero), or something happened to what is not ours (labelled). Where all three are nothing, nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from itertools import chain, groupby

from shell.contract import OrderType
from shell.money import CONTEXT, NO_MONEY, NO_QTY, BaseQty, Price, QuoteAmount
from shell.orders import Fill, OrderIntent, OrderState, Purpose, Side
from shell.portfolio.account import AccountPicture, VenueTrade, base_of, fill_of
from shell.portfolio.ledger import CapitalEvent, Ledger, apply_capital, apply_fill, equity
from shell.portfolio.reconcile_orders import OwnOrders, own_orders
from shell.portfolio.reconcile_types import Activity, Adopted, BookView, Change, Finding, FindingKind, Outcome

NONE = Decimal(0)
# Part of a trade's money is cut to the finest unit any venue keeps; what is cut stays in the external part.
MONEY_STEP = Decimal("1e-10")
SENTENCES_IN_A_HALT = 3
OPENING_BALANCE = "opening balance"
_LABELS = {
    "deposit": FindingKind.DEPOSIT, "withdrawal": FindingKind.WITHDRAWAL, "staking": FindingKind.REWARD,
    "reward": FindingKind.REWARD, "earn": FindingKind.REWARD, "dividend": FindingKind.REWARD,
    "trade": FindingKind.EXTERNAL_TRADE, "spend": FindingKind.EXTERNAL_TRADE, "receive": FindingKind.EXTERNAL_TRADE,
}


@dataclass(slots=True)
class _Work:
    """The ledger on its way to agreement, and what led there."""

    ledger: Ledger
    changes: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    adopted: list[Adopted] = field(default_factory=list)

    def book(self, fill: Fill) -> None:
        self.ledger, _ = apply_fill(self.ledger, fill)
        self.changes.append(fill)

    def allocate(self, event: CapitalEvent) -> None:
        self.ledger = apply_capital(self.ledger, event)
        self.changes.append(event)

    def write(self, intent: OrderIntent, order_id: str, picture: AccountPicture) -> None:
        """Have an order written that a fill can refer to; once, however many trades it has."""
        if all(each.intent.intent_id != intent.intent_id for each in self.adopted):
            self.adopted.append(Adopted(
                intent=intent, order_id=order_id, state=OrderState.FILLED, opened_at=picture.at, reserved=NO_MONEY
            ))

    def held(self, symbol: str) -> BaseQty:
        position = self.ledger.positions.get(symbol)
        return NO_QTY if position is None else position.qty

    def find(self, kind: FindingKind, sentence: str, value: QuoteAmount = NO_MONEY, reference: str = "") -> None:
        self.findings.append(Finding(kind=kind, sentence=sentence, value=value, reference=reference))


def phantoms(view: BookView, picture: AccountPicture) -> frozenset[str]:
    """Trades that our books have and the picture does not: it is older than our books, or they have what never was.

    Take another picture; only where the same ones stay missing is it a finding.
    """
    return view.recent - {trade.trade_id for trade in picture.trades}


def reconcile(view: BookView, picture: AccountPicture, *, halt_pct: Decimal) -> Outcome:
    """Everything that makes the books of `view` agree with `picture`; no findings where they do.

    `halt_pct` is the fraction of our total value from which on a difference halts openings.
    """
    missing = phantoms(view, picture)
    if missing:
        return _phantom(view, picture, missing)
    own = own_orders(view, picture)
    work = _Work(ledger=view.ledger, findings=own.findings, adopted=own.adopted)
    work.changes.extend(update for update in own.updates if update.state.working)
    _book_own_trades(view, picture, own, work)
    for symbol in sorted(work.ledger.positions):
        _shrink_to_balance(symbol, view, picture, own, work)
    _shrink_cash(view, picture, work)
    work.changes.extend(update for update in own.updates if not update.state.working)
    activity = _account_for(view, picture, own, work)
    _explain(view, picture, activity, work)
    difference = _difference(work.findings)
    return Outcome(
        findings=tuple(work.findings), adopted=tuple(work.adopted), changes=tuple(work.changes), activity=activity,
        ledger=work.ledger, external=external_of(work.ledger, view.quote, picture.balances), totals=dict(picture.balances),
        strays=tuple(own.strays), difference=difference, halt=_halt(view, work.findings, difference, halt_pct),
    )


def ours_of(ledger: Ledger, quote: str) -> dict[str, Decimal]:
    """What is ours of each coin, the account currency included."""
    ours = {quote: ledger.cash.value}
    for symbol, position in ledger.positions.items():
        coin = base_of(symbol)
        ours[coin] = CONTEXT.add(ours.get(coin, NONE), position.qty.value)
    return ours


def external_of(ledger: Ledger, quote: str, balances: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What of each coin in the account is not ours."""
    ours = ours_of(ledger, quote)
    return {
        coin: CONTEXT.subtract(balances.get(coin, NONE), ours.get(coin, NONE)) for coin in sorted({*balances, *ours})
    }


# -- what the account did for us ------------------------------------------------------------------------------------


def _book_own_trades(view: BookView, picture: AccountPicture, own: OwnOrders, work: _Work) -> None:
    new = [trade for trade in picture.trades if trade.trade_id not in view.booked and own.of(trade) is not None]
    for trade in _as_they_came(new, work):
        intent = own.of(trade)
        assert intent is not None
        if trade.side is Side.BUY:
            _book_purchase(trade, intent, own, work)
        else:
            _book_sale(trade, intent, own, work)


def _as_they_came(trades: list[VenueTrade], work: _Work) -> Iterator[VenueTrade]:
    """Trades in the order they must have had. One price can fill an entry and its stop in the same instant, and their ids say
    nothing: what is sold was held, and what was bought was paid for."""
    for _, together in groupby(sorted(trades, key=lambda each: (each.at, each.trade_id)), key=lambda each: each.at):
        left = list(together)
        while left:
            held = (each for each in left if each.side is Side.SELL and each.coins <= work.held(each.symbol).value)
            bought = [each for each in left if each.side is Side.BUY]
            paid = (each for each in bought if each.paid + each.fee <= work.ledger.cash.value)
            chosen = next(chain(held, paid, bought, left))
            left.remove(chosen)
            yield chosen


def _book_purchase(trade: VenueTrade, intent: OrderIntent, own: OwnOrders, work: _Work) -> None:
    fill = fill_of(trade, intent)
    lacking = fill.cost + fill.fee - work.ledger.cash
    if lacking > NO_MONEY:
        work.allocate(CapitalEvent(amount=lacking, at=trade.at, reason=f"paid from the account's other cash, {trade.trade_id}"))
        work.find(
            FindingKind.BEYOND_CASH, f"{trade.trade_id} bought {fill.qty} {trade.symbol} with {lacking} more than was left of "
            "the allocated cash", lacking, trade.trade_id,
        )
    work.book(fill)
    _told_of_fill(trade, fill, own, work)


def _book_sale(trade: VenueTrade, intent: OrderIntent, own: OwnOrders, work: _Work) -> None:
    held = work.held(trade.symbol)
    part = BaseQty(min(trade.coins, held.value))
    if part.value < trade.coins:
        rest = BaseQty(CONTEXT.subtract(trade.coins, part.value))
        work.find(
            FindingKind.SOLD_EXTERNAL, f"our order {trade.order_id} sold {rest} {base_of(trade.symbol)} that were not ours "
            f"({trade.trade_id}): somebody had sold ours before; the proceeds count as theirs",
            rest.times(Price(trade.price)), trade.trade_id,
        )
    if part.value:
        fill = _part_of(trade, part, intent)
        work.book(fill)
        _told_of_fill(trade, fill, own, work)


def _told_of_fill(trade: VenueTrade, fill: Fill, own: OwnOrders, work: _Work) -> None:
    recovered = trade.order_id in own.recovered
    work.find(
        FindingKind.RECOVERED if recovered else FindingKind.MISSED_FILL,
        f"{trade.trade_id}: {trade.side.value} of {fill.qty} {trade.symbol} at {fill.price} was not booked yet",
        fill.cost, trade.trade_id,
    )


# -- what somebody took of ours ---------------------------------------------------------------------------------------


def _shrink_to_balance(symbol: str, view: BookView, picture: AccountPicture, own: OwnOrders, work: _Work) -> None:
    """Take out of a position what the account no longer has: sold by somebody, newest sale first, or gone otherwise."""
    coin, position = base_of(symbol), work.ledger.positions[symbol]
    gone = CONTEXT.subtract(position.qty.value, picture.balance(coin))
    if gone <= 0:
        return
    sales = [
        trade for trade in picture.trades
        if trade.symbol == symbol and trade.side is Side.SELL and own.of(trade) is None
        and trade.trade_id not in view.booked and trade.trade_id not in view.noted
    ]
    for trade in sorted(sales, key=lambda each: (each.at, each.trade_id), reverse=True):
        part = BaseQty(min(gone, trade.coins))
        if not part.value:
            break
        intent = _external_intent(view, work.ledger, symbol, trade.order_id, BaseQty(trade.coins), picture)
        work.write(intent, trade.order_id, picture)
        work.book(_part_of(trade, part, intent))
        gone = CONTEXT.subtract(gone, part.value)
        work.find(
            FindingKind.EXTERNAL_SALE, f"external sale {trade.trade_id}: somebody sold {part} {coin} of ours at "
            f"{Price(trade.price)}; the position is that much smaller and the proceeds are ours",
            part.times(Price(trade.price)), trade.trade_id,
        )
    if gone > 0:
        _withdraw_coins(symbol, BaseQty(gone), view, picture, work)


def _withdraw_coins(symbol: str, qty: BaseQty, view: BookView, picture: AccountPicture, work: _Work) -> None:
    """Coins of ours left without a sale in the account currency: a withdrawal in kind, never a loss."""
    price = view.prices.get(symbol) or work.ledger.positions[symbol].avg_entry
    order_id = f"gone:{base_of(symbol)}:{picture.at:%Y%m%dT%H%M%S%f}"
    intent = _external_intent(view, work.ledger, symbol, order_id, qty, picture)
    work.write(intent, order_id, picture)
    fill = fill_of(
        VenueTrade(
            trade_id=order_id, order_id=order_id, symbol=symbol, side=Side.SELL, qty=qty.value, price=price.value,
            paid=qty.times(price).value, fee=NONE, at=picture.at,
        ),
        intent,
    )
    work.book(fill)
    work.allocate(CapitalEvent(amount=-fill.cost, at=picture.at, reason=f"{qty} {base_of(symbol)} left the account"))
    work.find(
        FindingKind.COINS_GONE, f"{qty} {base_of(symbol)} of ours are no longer in the account and no sale tells of them; "
        f"they count as taken out, worth {fill.cost}", fill.cost, order_id,
    )


def _shrink_cash(view: BookView, picture: AccountPicture, work: _Work) -> None:
    gone = work.ledger.cash - QuoteAmount(picture.balance(view.quote))
    if gone > NO_MONEY:
        work.allocate(CapitalEvent(amount=-gone, at=picture.at, reason="spent or taken out of the account by somebody else"))
        work.find(
            FindingKind.CASH_GONE, f"{gone} {view.quote} of the allocated cash are no longer in the account; they count as "
            "taken out", gone,
        )


def _external_intent(
    view: BookView, ledger: Ledger, symbol: str, order_id: str, qty: BaseQty, picture: AccountPicture
) -> OrderIntent:
    held = ledger.positions[symbol]
    return OrderIntent(
        intent_id=f"external:{order_id}", book=view.book, version=held.version, symbol=symbol, side=Side.SELL,
        purpose=Purpose.EXTERNAL, order_type=OrderType.MARKET, qty=qty, limit_price=None, decided_at=picture.at,
        horizon=held.horizon, tag="external sale",
    )


def _part_of(trade: VenueTrade, part: BaseQty, intent: OrderIntent) -> Fill:
    """A sale, or our part of it: of its money the same part, what it brought cut to the finest unit and its fee rounded up."""
    if part.value == trade.coins:
        return fill_of(trade, intent)
    money, fee = (CONTEXT.divide(CONTEXT.multiply(whole, part.value), trade.coins) for whole in (trade.paid, trade.fee))
    mine = replace(
        trade, qty=part.value, fee_base=NONE, paid=money.quantize(MONEY_STEP, ROUND_DOWN, CONTEXT),
        fee=fee.quantize(MONEY_STEP, ROUND_UP, CONTEXT),
    )
    return fill_of(mine, intent)


# -- what else happened -----------------------------------------------------------------------------------------------


def _account_for(view: BookView, picture: AccountPicture, own: OwnOrders, work: _Work) -> tuple[Activity, ...]:
    """Label every movement that was not accounted for before. What moved before the first look is what the account began
    with: nobody is told of it as of something that happened to a running system."""
    first = view.totals is None
    by_id = {trade.trade_id: trade for trade in picture.trades}
    sold_of_ours = {change.fill_id for change in work.changes if isinstance(change, Fill)}
    told: set[str] = set()
    found = []
    for move in sorted(picture.movements, key=lambda each: (each.at, each.movement_id)):
        if move.movement_id in view.noted:
            continue
        trade = by_id.get(move.ref_id)
        ours = move.ref_id in view.booked or (trade is not None and own.of(trade) is not None)
        kind = _LABELS.get(move.kind, FindingKind.OTHER_MOVEMENT)
        other = OPENING_BALANCE if first else kind.value.replace("_", " ")
        label = "own trade" if ours else "external sale" if move.ref_id in sold_of_ours else other
        found.append(Activity(
            movement_id=move.movement_id, ref_id=move.ref_id, at=move.at, coin=move.coin, amount=move.amount, label=label,
            ours=ours,
        ))
        if not (first or ours or move.ref_id in sold_of_ours or (trade is not None and trade.trade_id in told)):
            told.add(move.ref_id)
            work.find(kind, _told(move.coin, move.amount, label, trade), reference=move.ref_id or move.movement_id)
    return tuple(found)


def _told(coin: str, amount: Decimal, label: str, trade: VenueTrade | None) -> str:
    if trade is None:
        return f"{label} of {abs(amount):f} {coin}; it is external and left alone"
    return f"{label} {trade.trade_id}: {trade.side.value} of {trade.qty:f} {trade.symbol} at {trade.price:f}; left alone"


def _explain(view: BookView, picture: AccountPicture, activity: tuple[Activity, ...], work: _Work) -> None:
    """Every balance must be the one before plus what moved since."""
    if view.totals is None:
        return
    moved: dict[str, Decimal] = {}
    for each in activity:
        moved[each.coin] = CONTEXT.add(moved.get(each.coin, NONE), each.amount)
    for coin in sorted({*view.totals, *picture.balances, *moved}):
        expected = CONTEXT.add(view.totals.get(coin, NONE), moved.get(coin, NONE))
        unexplained = CONTEXT.subtract(picture.balance(coin), expected)
        if unexplained:
            price = view.prices.get(f"{coin}/{view.quote}")
            value = QuoteAmount(abs(unexplained)) if coin == view.quote else BaseQty(abs(unexplained)).times(price or Price(0))
            work.find(
                FindingKind.UNEXPLAINED, f"the balance of {coin} is {picture.balance(coin):f}, {unexplained:+f} from what its "
                "movements give", value, coin,
            )


def _difference(findings: list[Finding]) -> QuoteAmount:
    return sum((finding.value for finding in findings if finding.kind.differs), start=NO_MONEY)


def _halt(view: BookView, findings: list[Finding], difference: QuoteAmount, halt_pct: Decimal) -> str:
    prices = {
        symbol: view.prices.get(symbol) or position.avg_entry for symbol, position in view.ledger.positions.items()
    }
    total = equity(view.ledger, prices)
    beyond = difference.value > CONTEXT.multiply(max(total.value, NONE), halt_pct)
    reasons = [finding.sentence for finding in findings if finding.kind.halts or (beyond and finding.kind.differs)]
    if not reasons:
        return ""
    more = f" (and {len(reasons) - SENTENCES_IN_A_HALT} more)" if len(reasons) > SENTENCES_IN_A_HALT else ""
    return f"books and account differed by {difference} {view.quote}: {'; '.join(reasons[:SENTENCES_IN_A_HALT])}{more}"


def _phantom(view: BookView, picture: AccountPicture, missing: frozenset[str]) -> Outcome:
    """Books that have trades the account never saw are not repaired by arithmetic: nothing moves, a person looks."""
    findings = [
        Finding(
            kind=FindingKind.PHANTOM_FILL, reference=trade_id,
            sentence=f"our books have the trade {trade_id}, which the exchange does not know",
        )
        for trade_id in sorted(missing)
    ]
    return Outcome(
        findings=tuple(findings), adopted=(), changes=(), activity=(), ledger=view.ledger,
        external=external_of(view.ledger, view.quote, picture.balances), totals=dict(view.totals or picture.balances),
        strays=(), difference=NO_MONEY, halt=_halt(view, findings, NO_MONEY, NONE),
    )
