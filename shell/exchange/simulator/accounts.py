"""The exchange's own books: double entry, funds held, and the ledger rows that an account sees.

Every change is a posting of two sides or more that sum to zero in each asset. The customer is one account; what it trades
with is `market`, what it pays goes to `fees`, and what comes from outside comes from `world`. Holds are no postings:
held funds stay the customer's and cannot be spent twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shell.errors import Fatal
from shell.exchange.simulator.ids import Ids
from shell.exchange.simulator.precision import EXACT, ZERO

CUSTOMER, MARKET, FEES, WORLD = "customer", "market", "fees", "world"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a posting."""

    account: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row of the customer's ledger: `amount` before the fee, `balance` after both."""

    ledger_id: str
    ref_id: str
    at_ns: int
    kind: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal


class Accounts:
    """Balances by account and asset, holds by order, and every posting ever made."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._balances: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._holds: dict[str, tuple[str, Decimal]] = {}
        self._held: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.postings: list[tuple[Side, ...]] = []
        self.ledger: dict[str, LedgerRow] = {}

    def balance(self, asset: str, account: str = CUSTOMER) -> Decimal:
        return self._balances[account, asset]

    def held(self, asset: str) -> Decimal:
        """What open orders hold of `asset`."""
        return self._held[asset]

    def available(self, asset: str) -> Decimal:
        """What may be spent or held anew."""
        return self._balances[CUSTOMER, asset] - self._held[asset]

    def assets(self) -> list[str]:
        """Assets the customer has, or had."""
        return sorted({asset for account, asset in self._balances if account == CUSTOMER})

    def move(self, asset: str, amount: Decimal, kind: str, at_ns: int) -> LedgerRow:
        """A deposit (or, negative, a withdrawal) of the customer. Raises Fatal for more than there is."""
        ref_id = self._ids.draw("B")
        self._post((Side(WORLD, asset, -amount), Side(CUSTOMER, asset, amount)))
        return self._row(ref_id, at_ns, kind, asset, amount, ZERO)

    def trade(
        self, trade_id: str, at_ns: int, paid: tuple[str, Decimal], got: tuple[str, Decimal], fee: tuple[str, Decimal]
    ) -> Sequence[LedgerRow]:
        """One fill: the customer pays `paid`, gets `got`, and owes `fee` in one of the two assets. Raises Fatal."""
        sides = [
            Side(CUSTOMER, paid[0], -paid[1]), Side(MARKET, paid[0], paid[1]),
            Side(MARKET, got[0], -got[1]), Side(CUSTOMER, got[0], got[1]),
        ]
        if fee[1]:
            sides += [Side(CUSTOMER, fee[0], -fee[1]), Side(FEES, fee[0], fee[1])]
        self._post(tuple(sides))
        fees = {fee[0]: fee[1]}
        return [
            self._row(trade_id, at_ns, "trade", paid[0], -paid[1], fees.get(paid[0], ZERO)),
            self._row(trade_id, at_ns, "trade", got[0], got[1], fees.get(got[0], ZERO)),
        ]

    def hold(self, order_id: str, asset: str, amount: Decimal) -> None:
        """Let `order_id` hold exactly this much, and nothing of another asset; zero lets go."""
        before_asset, before = self._holds.pop(order_id, (asset, ZERO))
        self._held[before_asset] -= before
        if amount:
            self._holds[order_id] = (asset, amount)
            self._held[asset] += amount

    def held_by(self, order_id: str) -> Decimal:
        """What one order holds."""
        return self._holds.get(order_id, ("", ZERO))[1]

    def check(self) -> list[str]:
        """What is wrong with the books: a sum that is not zero, a balance below zero, holds beyond the balance."""
        found = []
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        replayed: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for sides in self.postings:
            for side in sides:
                replayed[side.account, side.asset] = EXACT.add(replayed[side.account, side.asset], side.amount)
        for (account, asset), amount in self._balances.items():
            sums[asset] = EXACT.add(sums[asset], amount)
            if amount != replayed[account, asset]:
                found.append(f"{account} has {amount} {asset}, its postings say {replayed[account, asset]}")
            if account == CUSTOMER and not self._held[asset] <= amount:
                found.append(f"{self._held[asset]} {asset} are held of {amount}")
        found += [f"{asset} sums to {amount}, not zero" for asset, amount in sums.items() if amount]
        return found

    def _post(self, sides: tuple[Side, ...]) -> None:
        for asset in {side.asset for side in sides}:
            if sum(side.amount for side in sides if side.asset == asset) != 0:
                raise Fatal(f"a posting does not balance in {asset}: {sides}")
        for side in sides:
            key = side.account, side.asset
            self._balances[key] = EXACT.add(self._balances[key], side.amount)
            if side.account == CUSTOMER and self._balances[key] < 0:
                raise Fatal(f"the customer would have {self._balances[key]} {side.asset}: {sides}")
        self.postings.append(sides)

    def _row(self, ref_id: str, at_ns: int, kind: str, asset: str, amount: Decimal, fee: Decimal) -> LedgerRow:
        row = LedgerRow(
            ledger_id=self._ids.draw("L"), ref_id=ref_id, at_ns=at_ns, kind=kind, asset=asset, amount=amount, fee=fee,
            balance=self._balances[CUSTOMER, asset],
        )
        self.ledger[row.ledger_id] = row
        return row
