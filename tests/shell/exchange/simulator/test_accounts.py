"""The exchange's books balance whatever happens."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.errors import Fatal
from shell.exchange.simulator.accounts import FEES, MARKET, WORLD, Accounts
from shell.exchange.simulator.ids import Ids
from tests.shell.exchange.simulator.kit import Customer, control, desk, sound

SIZES = st.decimals(min_value="0.0001", max_value="1000", places=4)


@given(st.lists(st.tuples(st.booleans(), SIZES, SIZES, SIZES), max_size=30))
def test_every_change_has_two_sides_that_sum_to_zero(trades: list[tuple[bool, Decimal, Decimal, Decimal]]) -> None:
    accounts = Accounts(Ids(1))
    accounts.move("ZUSD", Decimal(10_000), "deposit", 0)
    for number, (buys, cost, qty, fee) in enumerate(trades):
        paid, got = (("ZUSD", cost), ("XXBT", qty)) if buys else (("XXBT", qty), ("ZUSD", cost))
        fee = min(fee, cost / 10).quantize(Decimal("0.0001"))
        before = {asset: accounts.balance(asset) for asset in ("ZUSD", "XXBT")}
        if before[paid[0]] < paid[1] + fee:
            continue
        rows = accounts.trade(f"T{number}", number, paid, got, ("ZUSD", fee))
        assert accounts.balance(paid[0]) <= before[paid[0]] - paid[1] + (0 if paid[0] == "XXBT" else -fee) + 0
        assert [row.balance for row in rows] == [accounts.balance(paid[0]), accounts.balance(got[0])]
    assert accounts.check() == []
    for asset in ("ZUSD", "XXBT"):
        assert sum(accounts.balance(asset, name) for name in ("customer", MARKET, FEES, WORLD)) == 0
    rows_by_asset = {asset: sum(row.amount - row.fee for row in accounts.ledger.values() if row.asset == asset) for asset in ("ZUSD", "XXBT")}
    assert rows_by_asset == {asset: accounts.balance(asset) for asset in ("ZUSD", "XXBT")}


def test_more_than_there_is_cannot_be_spent() -> None:
    accounts = Accounts(Ids(1))
    accounts.move("ZUSD", Decimal(10), "deposit", 0)
    with pytest.raises(Fatal, match="the customer would have -1"):
        accounts.trade("T1", 0, ("ZUSD", Decimal(11)), ("XXBT", Decimal(1)), ("ZUSD", Decimal(0)))


def test_a_broken_book_is_found() -> None:
    accounts = Accounts(Ids(1))
    accounts.move("ZUSD", Decimal(10), "deposit", 0)
    accounts.hold("O1", "ZUSD", Decimal(11))
    assert accounts.check() == ["11 ZUSD are held of 10"]
    accounts._balances["customer", "ZUSD"] += 5
    assert len(accounts.check()) == 2


def test_a_deposit_from_outside_shows_in_balance_and_ledger() -> None:
    exchange = desk(usd="1")
    customer = Customer(exchange)
    assert control(exchange, "deposit", asset="XBT.F", amount="0.5")["status"] == 200
    assert control(exchange, "deposit", asset="USD", amount="-2")["status"] == 400
    assert customer.ask("Balance") == {"XBT.F": "0.5000000000", "ZUSD": "1.0000"}
    assert {row["type"] for row in customer.ask("Ledgers")["ledger"].values()} == {"deposit"}
    sound(exchange)
