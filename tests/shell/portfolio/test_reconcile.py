"""Reconciliation, pure: for any sequence of what can happen to an account, books and account agree afterwards to the last unit.

`Venue` is an account of its own making: it keeps two balances and what somebody could be told of them, and knows nothing of
ledgers. `Ours` books what it is told. Rules of the oracle: nothing is invented or lost, what is not ours is never taken, and
what was booked follows from the facts alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.contract import OrderType
from shell.money import BaseQty, QuoteAmount
from shell.orders import Fill, OrderIntent, OrderState, OrderUpdate, Purpose, Side
from shell.portfolio.account import AccountPicture, Movement, VenueOrder, VenueTrade, fill_of
from shell.portfolio.ledger import CapitalEvent, Ledger, apply_capital, apply_fill
from shell.portfolio.reconcile import phantoms, reconcile
from shell.portfolio.reconcile_types import BookView, FindingKind, OurOrder, Outcome
from shell.store.replay import BookFacts, replayed

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
BTC = "BTC/USD"
MARK, OTHER_MARK = "00a1", "00b2"
HALT_PCT = Decimal("0.001")
CENT = Decimal("0.0001")
CAPITAL = Decimal(10_000)


@dataclass
class Venue:
    """An account with two balances."""

    usd: Decimal = Decimal(15_000)
    btc: Decimal = Decimal("0.5")
    at: datetime = START
    orders: list[VenueOrder] = field(default_factory=list)
    trades: list[VenueTrade] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)

    def trade(self, side: Side, qty: Decimal, price: Decimal, client_id: str | None, *, fee_in_coins: bool = False) -> None:
        """One market order, filled whole. Costs are cut and fees taken as venues do."""
        number = len(self.trades) + 1
        paid = (qty * price).quantize(CENT, ROUND_DOWN)
        fee = Decimal(0) if fee_in_coins else (paid * Decimal("0.004")).quantize(CENT, ROUND_DOWN)
        fee_base = (qty * Decimal("0.004")).quantize(Decimal("1e-8"), ROUND_DOWN) if fee_in_coins else Decimal(0)
        sign = 1 if side is Side.BUY else -1
        self._move("trade", f"T{number}", "BTC", sign * qty - fee_base)
        self._move("trade", f"T{number}", "USD", -sign * paid - fee)
        self.orders.append(VenueOrder(
            order_id=f"O{number}", client_id=client_id, parent_id=None, symbol=BTC, side=side, kind="market",
            state=OrderState.FILLED, qty=qty, filled=qty, opened_at=self.at, closed_at=self.at,
        ))
        self.trades.append(VenueTrade(
            trade_id=f"T{number}", order_id=f"O{number}", symbol=BTC, side=side, qty=qty, price=price, paid=paid, fee=fee,
            fee_base=fee_base, at=self.at,
        ))

    def move(self, kind: str, coin: str, amount: Decimal) -> None:
        self._move(kind, f"R{len(self.movements)}", coin, amount)

    def look(self, since: datetime) -> AccountPicture:
        return AccountPicture(
            since=since, at=self.at, ended_orders=tuple(each for each in self.orders if (each.closed_at or START) > since),
            trades=tuple(each for each in self.trades if each.at > since),
            movements=tuple(each for each in self.movements if each.at > since), balances={"USD": self.usd, "BTC": self.btc},
        )

    def _move(self, kind: str, ref_id: str, coin: str, amount: Decimal) -> None:
        if coin == "USD":
            self.usd += amount
        else:
            self.btc += amount
        self.movements.append(Movement(
            movement_id=f"L{len(self.movements)}", ref_id=ref_id, kind=kind, coin=coin, amount=amount, at=self.at
        ))


@dataclass
class Ours:
    """Our side: a ledger, the facts it is made of, and what a database would remember."""

    ledger: Ledger = field(default_factory=Ledger)
    facts: list[CapitalEvent | Fill] = field(default_factory=list)
    orders: dict[str, OurOrder] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    totals: dict[str, Decimal] | None = None
    external: dict[str, Decimal] = field(default_factory=dict)
    until: datetime = START - timedelta(days=1)

    def intend(self, side: Side, qty: Decimal, at: datetime) -> OurOrder:
        intent = OrderIntent(
            intent_id=f"i{len(self.orders)}", book="main", version="v001", symbol=BTC, side=side,
            purpose=Purpose.ENTRY if side is Side.BUY else Purpose.EXIT, order_type=OrderType.MARKET, qty=BaseQty(qty),
            limit_price=None, decided_at=at, mark=MARK,
        )
        order = OurOrder(intent=intent, client_id=intent.client_id, order_id=None, state=OrderState.INTENDED)
        self.orders[intent.intent_id] = order
        return order

    def book(self, fact: CapitalEvent | Fill) -> None:
        if isinstance(fact, Fill):
            self.ledger, _ = apply_fill(self.ledger, fact)
        else:
            self.ledger = apply_capital(self.ledger, fact)
        self.facts.append(fact)

    def view(self, picture: AccountPicture) -> BookView:
        booked = {fact.fill_id for fact in self.facts if isinstance(fact, Fill)}
        recent = {
            fact.fill_id for fact in self.facts
            if isinstance(fact, Fill) and fact.filled_at > picture.since and fact.intent.purpose is not Purpose.EXTERNAL
        }
        return BookView(
            book="main", quote="USD", version="v001", mark=MARK, ledger=self.ledger, orders=list(self.orders.values()),
            booked=frozenset(booked), recent=frozenset(recent), noted=frozenset(self.noted), totals=self.totals,
        )

    def follow(self, outcome: Outcome, picture: AccountPicture) -> None:
        """What the reconciler does with an outcome."""
        for each in outcome.adopted:
            self.orders[each.intent.intent_id] = OurOrder(
                intent=each.intent, client_id=each.intent.client_id, order_id=each.order_id, state=each.state
            )
        for change in outcome.changes:
            if isinstance(change, OrderUpdate):
                known = self.orders[change.intent_id]
                self.orders[change.intent_id] = OurOrder(
                    intent=known.intent, client_id=known.client_id, order_id=change.order_id or None, state=change.state
                )
            else:
                self.book(change)
        self.noted |= {each.movement_id for each in outcome.activity} | {each.ref_id for each in outcome.activity}
        self.totals, self.external, self.until = dict(outcome.totals), dict(outcome.external), picture.at

    @property
    def btc(self) -> Decimal:
        return self.ledger.positions[BTC].qty.value if BTC in self.ledger.positions else Decimal(0)


def world() -> tuple[Venue, Ours]:
    """15,000 USD and half a bitcoin in the account, 10,000 USD of it ours, looked at once."""
    venue, ours = Venue(), Ours()
    ours.book(CapitalEvent(amount=QuoteAmount(CAPITAL), at=START, reason="start"))
    agree(venue, ours)
    return venue, ours


def agree(venue: Venue, ours: Ours) -> Outcome:
    """One reconciliation and the oracle's questions about it."""
    picture = venue.look(ours.until - timedelta(minutes=10))
    outcome = reconcile(ours.view(picture), picture, halt_pct=HALT_PCT)
    ours.follow(outcome, picture)
    assert ours.ledger == outcome.ledger
    # To the last unit, nothing invented, nothing lost, nothing below zero.
    assert ours.ledger.cash.value + ours.external["USD"] == venue.usd
    assert ours.btc + ours.external["BTC"] == venue.btc
    assert min(ours.ledger.cash.value, ours.btc, ours.external["USD"], ours.external["BTC"]) >= 0
    booked = [fact.fill_id for fact in ours.facts if isinstance(fact, Fill)]
    assert len(booked) == len(set(booked))
    # What is stored follows from the facts alone.
    facts = list(enumerate(ours.facts))
    again, _ = replayed(BookFacts(
        capital=[(at, fact) for at, fact in facts if isinstance(fact, CapitalEvent)],
        fills=[(at, fact) for at, fact in facts if isinstance(fact, Fill)],
    ))
    assert again == ours.ledger
    return outcome


DEEDS = st.lists(
    st.tuples(
        st.sampled_from([
            "buy", "buy lost", "sell", "sell lost", "outside buy", "outside sell", "deposit", "withdraw", "reward",
            "coins out", "look",
        ]),
        st.decimals("0.001", "0.3", places=8), st.decimals(20_000, 40_000, places=1), st.booleans(),
    ),
    min_size=1, max_size=14,
)


@settings(max_examples=40, deadline=None, print_blob=True)
@given(deeds=DEEDS)
def test_whatever_happens_the_books_equal_the_account_and_what_is_not_ours_is_not_taken(
    deeds: list[tuple[str, Decimal, Decimal, bool]]
) -> None:
    venue, ours = world()
    theirs = Decimal("0.5")  # coins of the person's own, that only the person may reduce
    for deed, amount, price, flag in deeds:
        venue.at += timedelta(minutes=1)
        theirs = do(deed, amount, price, flag, venue, ours, theirs)
        if deed == "look":
            agree(venue, ours)
            assert ours.external["BTC"] == theirs
    venue.at += timedelta(minutes=1)
    agree(venue, ours)
    assert ours.external["BTC"] == theirs
    # A second look at an account where nothing happened finds nothing and changes nothing.
    before = ours.ledger
    assert agree(venue, ours).findings == ()
    assert ours.ledger is before


def do(
    deed: str, amount: Decimal, price: Decimal, flag: bool, venue: Venue, ours: Ours, theirs: Decimal
) -> Decimal:
    """Something happens to the account; returns the coins that are the person's afterwards: what they take beyond their own
    is ours, and every look settles that."""
    held = venue.btc - theirs  # what is ours at the venue, reported or not
    match deed:
        case "buy" | "buy lost":
            if amount * price * Decimal("1.01") < min(venue.usd, ours.ledger.cash.value):
                own_trade(Side.BUY, amount, price, venue, ours, told=deed == "buy", fee_in_coins=flag)
        case "sell" | "sell lost":
            part = min(amount, held, ours.btc)
            if part > 0:
                own_trade(Side.SELL, part, price, venue, ours, told=deed == "sell")
        case "outside buy":
            if amount * price * Decimal("1.01") < venue.usd - ours.ledger.cash.value:
                venue.trade(Side.BUY, amount, price, None)
                theirs += amount
        case "outside sell" | "coins out":
            part = min(amount, venue.btc)
            if part > 0:
                if deed == "outside sell":
                    in_coins = flag and part * Decimal("1.004") <= venue.btc
                    before = venue.btc
                    venue.trade(Side.SELL, part, price, None, fee_in_coins=in_coins)
                    part = before - venue.btc
                else:
                    venue.move("withdrawal", "BTC", -part)
                agree(venue, ours)
                theirs = max(theirs - part, Decimal(0))
        case "deposit":
            venue.move("deposit", "USD", amount * 1000)
        case "withdraw":
            venue.move("withdrawal", "USD", -min(amount * 10_000, venue.usd))
            agree(venue, ours)
        case "reward":
            venue.move("staking", "BTC", amount / 100)
            theirs += amount / 100
    return theirs


def own_trade(
    side: Side, qty: Decimal, price: Decimal, venue: Venue, ours: Ours, *, told: bool, fee_in_coins: bool = False
) -> None:
    order = ours.intend(side, qty, venue.at)
    venue.trade(side, qty, price, order.client_id, fee_in_coins=fee_in_coins)
    if told:
        trade = venue.trades[-1]
        ours.orders[order.intent.intent_id] = OurOrder(
            intent=order.intent, client_id=order.client_id, order_id=trade.order_id, state=OrderState.FILLED
        )
        ours.book(fill_of(trade, order.intent))


def test_a_sale_that_was_accounted_for_explains_no_later_loss() -> None:
    venue, ours = world()
    venue.at += timedelta(minutes=1)
    own_trade(Side.BUY, Decimal("0.1"), Decimal(30_000), venue, ours, told=True)
    venue.trade(Side.SELL, Decimal("0.5"), Decimal(30_000), None)
    assert agree(venue, ours).matches
    venue.at += timedelta(minutes=1)
    venue.move("withdrawal", "BTC", Decimal("-0.1"))
    assert FindingKind.COINS_GONE in {each.kind for each in agree(venue, ours).findings}


def test_a_look_older_than_our_books_is_not_believed() -> None:
    venue, ours = world()
    old = venue.look(ours.until - timedelta(minutes=10))
    venue.at += timedelta(minutes=1)
    own_trade(Side.BUY, Decimal("0.1"), Decimal(30_000), venue, ours, told=True)
    view = ours.view(old)
    assert phantoms(view, old) == {"T1"}
    outcome = reconcile(view, old, halt_pct=HALT_PCT)
    # Nothing moves by it: the coins that it does not show are not taken to be gone.
    assert outcome.changes == ()
    assert outcome.ledger == ours.ledger
    assert [each.kind for each in outcome.findings] == [FindingKind.PHANTOM_FILL]
    assert "T1" in outcome.halt


def test_an_order_of_this_home_that_the_database_lost_is_ours_and_one_of_another_home_is_not() -> None:
    for mark, kind in ((MARK, FindingKind.RECOVERED), (OTHER_MARK, FindingKind.OTHER_TRADER)):
        venue, ours = world()
        stranger = OrderIntent(
            intent_id="lost", book="main", version="v001", symbol=BTC, side=Side.BUY, purpose=Purpose.ENTRY,
            order_type=OrderType.MARKET, qty=BaseQty("0.1"), limit_price=None, decided_at=START, mark=mark,
        )
        venue.at += timedelta(minutes=1)
        venue.trade(Side.BUY, Decimal("0.1"), Decimal(30_000), stranger.client_id)
        outcome = agree(venue, ours)
        assert kind in {each.kind for each in outcome.findings}
        assert outcome.halt
        assert ours.btc == (Decimal("0.1") if mark == MARK else 0)


@pytest.mark.parametrize("ids", [("T1", "T2"), ("T2", "T1")])
def test_what_was_bought_and_sold_in_one_instant_is_booked_in_that_order(ids: tuple[str, str]) -> None:
    """One falling price can fill a limit entry and the stop it brought along; the ids of trades say nothing of their order."""
    venue, ours = world()
    venue.at += timedelta(minutes=1)
    for side, price in ((Side.BUY, 30_000), (Side.SELL, 29_000)):
        venue.trade(side, Decimal("0.1"), Decimal(price), ours.intend(side, Decimal("0.1"), venue.at).client_id)
    name = dict(zip(("T1", "T2"), ids, strict=True))
    venue.trades = [replace(trade, trade_id=name[trade.trade_id]) for trade in venue.trades]
    venue.movements = [replace(move, ref_id=name.get(move.ref_id, move.ref_id)) for move in venue.movements]
    outcome = agree(venue, ours)
    assert not outcome.halt
    assert [fill.side for fill in ours.facts if isinstance(fill, Fill)] == [Side.BUY, Side.SELL]
    assert ours.btc == 0


def test_an_order_of_ours_that_sold_their_coins_is_told_and_their_proceeds_stay_theirs() -> None:
    venue, ours = world()
    venue.at += timedelta(minutes=1)
    own_trade(Side.BUY, Decimal("0.1"), Decimal(30_000), venue, ours, told=True)
    # Between two looks the person sells all there is, buys back, and only then does our exit go through.
    venue.at += timedelta(minutes=1)
    venue.trade(Side.SELL, Decimal("0.6"), Decimal(30_000), None)
    agree(venue, ours)
    venue.at += timedelta(minutes=1)
    venue.trade(Side.BUY, Decimal("0.2"), Decimal(30_000), None)
    venue.at += timedelta(minutes=1)
    order = ours.intend(Side.SELL, Decimal("0.1"), venue.at)
    venue.trade(Side.SELL, Decimal("0.1"), Decimal(30_000), order.client_id)
    outcome = agree(venue, ours)
    assert FindingKind.SOLD_EXTERNAL in {each.kind for each in outcome.findings}
    assert outcome.halt
    assert ours.btc == 0


@pytest.mark.parametrize(("taken", "halts"), [(Decimal("9.9"), False), (Decimal("10.1"), True)])
def test_a_difference_halts_from_the_set_fraction_on(taken: Decimal, halts: bool) -> None:
    venue, ours = world()
    venue.at += timedelta(minutes=1)
    # All of the person's own 5,000 and a little of our 10,000: a thousandth of it is 10.
    venue.move("withdrawal", "USD", -(Decimal(5_000) + taken))
    outcome = agree(venue, ours)
    assert outcome.difference == QuoteAmount(taken)
    assert bool(outcome.halt) is halts
    assert not outcome.matches


def test_a_balance_that_no_movement_explains_is_a_finding() -> None:
    venue, ours = world()
    venue.usd += Decimal("0.01")
    outcome = agree(venue, ours)
    assert [each.kind for each in outcome.findings] == [FindingKind.UNEXPLAINED]
    assert "+0.01" in outcome.findings[0].sentence
    assert ours.ledger.cash == QuoteAmount(CAPITAL)


@pytest.mark.parametrize(("ended_after", "kinds"), [(-1, [FindingKind.STRAY]), (1, [])])
def test_an_order_that_ended_while_we_looked_is_no_stray(ended_after: int, kinds: list[FindingKind]) -> None:
    venue, ours = world()
    order = ours.intend(Side.BUY, Decimal("0.1"), venue.at)
    ours.orders[order.intent.intent_id] = replace(
        order, order_id="O9", state=OrderState.CANCELLED, updated_at=venue.at + timedelta(seconds=ended_after)
    )
    shown = VenueOrder(
        order_id="O9", client_id=order.client_id, parent_id=None, symbol=BTC, side=Side.BUY, kind="limit",
        state=OrderState.OPEN, qty=Decimal("0.1"), filled=Decimal(0), opened_at=START, limit_price=Decimal(20_000),
    )
    picture = replace(venue.look(START), open_orders=(shown,))
    outcome = reconcile(ours.view(picture), picture, halt_pct=HALT_PCT)
    assert [each.kind for each in outcome.findings] == kinds
    assert outcome.strays == (("O9",) if kinds else ())


def test_what_moved_before_the_first_look_is_the_opening_balance_and_nobody_is_told() -> None:
    venue, ours = Venue(), Ours()
    ours.book(CapitalEvent(amount=QuoteAmount(CAPITAL), at=START, reason="start"))
    venue.move("deposit", "USD", Decimal(100))
    outcome = agree(venue, ours)
    assert outcome.findings == () and [each.label for each in outcome.activity] == ["opening balance"]
    venue.at += timedelta(minutes=1)
    venue.move("deposit", "USD", Decimal(200))
    assert [each.kind for each in agree(venue, ours).findings] == [FindingKind.DEPOSIT]
