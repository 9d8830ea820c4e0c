"""What is kept of a book's worth and of its account is what working it out anew gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from shell.contract import Intent
from shell.money import NO_MONEY, BaseQty, Price, QuoteAmount, decimal_of
from shell.portfolio.ledger import EquityMarks, Ledger, Position, equity
from shell.portfolio.valuation import Accounts
from shell.portfolio.worth import Worth

OPENED = datetime(2024, 3, 5, 9, 0, tzinfo=UTC)
MARKS = EquityMarks(day=date(2024, 3, 5), day_start=QuoteAmount(100), peak=QuoteAmount(100))
SYMBOLS = ("A/B", "C/D", "E/F")


class Market:
    """Closes that a test sets; setting one moves the cursor, as a bar does."""

    def __init__(self) -> None:
        self.cursor = 0
        self.closes: dict[str, float] = {}

    def see(self, symbol: str, close: float) -> None:
        self.closes[symbol] = close
        self.cursor += 1

    def price(self, symbol: str) -> Price | None:
        close = self.closes.get(symbol)
        return None if close is None else Price(decimal_of(close))


def position(symbol: str, qty: int) -> Position:
    return Position(
        symbol=symbol, qty=BaseQty(qty), entered_qty=BaseQty(qty + 1), cost=QuoteAmount(7 * qty + 3), proceeds=NO_MONEY,
        fees=NO_MONEY, stop_loss=Price(1) if qty % 2 else None, take_profit=None, horizon=Intent.DAY, opened_at=OPENED,
        version="v001",
    )


# A bar of a symbol; a position of a symbol (none of it: 0); cash.
CHANGES = st.one_of(
    st.tuples(st.just("bar"), st.sampled_from(SYMBOLS), st.floats(0.01, 1e6)),
    st.tuples(st.just("hold"), st.sampled_from(SYMBOLS), st.integers(0, 9)),
    st.tuples(st.just("cash"), st.just(""), st.integers(0, 10**9)),
    st.just(("nothing", "", 0)),
)


@given(st.lists(CHANGES, max_size=30))
def test_what_is_kept_is_what_is_worked_out_anew(changes: list[tuple[str, str, float]]) -> None:
    market, ledger, accounts = Market(), Ledger(cash=QuoteAmount(100)), Accounts()
    worth = Worth(market)
    for kind, symbol, value in changes:
        held = dict(ledger.positions)
        match kind:
            case "bar":
                market.see(symbol, value)
            case "hold":
                held.pop(symbol, None)
                if value:
                    held[symbol] = position(symbol, int(value))
                ledger = replace(ledger, positions=MappingProxyType(held))
            case "cash":
                ledger = replace(ledger, cash=QuoteAmount(Decimal(int(value)).scaleb(-2)))
        prices = {name: market.price(name) or each.avg_entry for name, each in ledger.positions.items()}
        assert worth.prices(ledger) == prices
        assert worth.equity(ledger) == equity(ledger, prices)
        assert accounts.of(ledger, MARKS) == Accounts().of(ledger, MARKS)
