"""The book and its checksum."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.exchange.simulator.book import BUY, SELL, Depth, Level, checksum, merged
from shell.exchange.simulator.names import listing_of

# A BTC/USD book of ten levels as Kraken sent it on 2023-07-30, with the checksum it sent (python-kraken-sdk, Apache-2.0).
RECORDED_BIDS = """29430.2 0.18967538 29429.6 0.00011621 29427.4 0.001 29426.7 4.0 29425.7 0.67945399 29423.5 0.67950478
29422.1 0.16314267 29421.8 0.06797895 29421.7 0.23401846 29421.5 0.28639276"""
RECORDED_ASKS = """29430.3 8.25215653 29430.4 2.55637606 29430.5 0.2997598 29430.9 2.56473216 29431.0 0.00011662 29431.1 0.001
29432.3 0.0241 29432.4 0.02210682 29432.5 3.39761477 29433.1 0.01021497"""
RECORDED_CHECKSUM = 2785033588
PAIR = listing_of("BTC/USD", 30_000.0)


def levels(text: str) -> list[Level]:
    numbers = [Decimal(each) for each in text.split()]
    return [Level(price, qty) for price, qty in zip(numbers[::2], numbers[1::2], strict=True)]


def depth(price: str = "30000") -> Depth:
    return Depth(PAIR, Decimal(price), seed=1, spread_pct=Decimal("0.0002"), level_value=Decimal(20_000))


def test_the_checksum_is_krakens() -> None:
    asks, bids = levels(RECORDED_ASKS), levels(RECORDED_BIDS)
    assert checksum(asks, bids, 1, 8) == RECORDED_CHECKSUM
    assert checksum(asks, bids[:-1], 1, 8) != RECORDED_CHECKSUM


@given(st.decimals(min_value="100", max_value="90000", places=1), st.integers(0, 10**6))
def test_both_sides_are_ordered_and_never_cross(price: Decimal, epoch: int) -> None:
    book = depth()
    book.recentre(price, epoch)
    asks = merged(book.levels(BUY), [], BUY, 100)
    bids = merged(book.levels(SELL), [], SELL, 100)
    assert asks == sorted(asks) and bids == sorted(bids, reverse=True)
    assert bids[0].price < price < asks[0].price
    assert all(level.qty > 0 and level.price % PAIR.tick == 0 for level in asks + bids)
    assert len({level.price for level in asks}) == len(asks)


def test_what_was_taken_is_gone_until_the_next_trade() -> None:
    book = depth()
    best = next(book.levels(BUY))
    book.take(BUY, best.price, best.qty)
    assert next(book.levels(BUY)).price > best.price
    assert book.standing(BUY, best.price) == 0
    book.recentre(Decimal(30_000), 0)
    assert next(book.levels(BUY)) == best


@pytest.mark.parametrize("side", [BUY, SELL])
def test_most_levels_stay_when_the_price_moves_a_little(side: str) -> None:
    book = depth()
    before = set(merged(book.levels(side), [], side, 50))
    book.recentre(Decimal("30000.5"), 0)
    assert len(before & set(merged(book.levels(side), [], side, 50))) > 40
