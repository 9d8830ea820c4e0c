"""What a feed's thread hands over: coalesced, with every crossing kept in its true order."""

from __future__ import annotations

from decimal import Decimal
from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from shell.market.bars import Bar, Quote, Tier
from shell.market.live import LiveBook
from shell.market.live_inbox import POINTS_MAX, LiveInbox, Tick
from shell.money import Price

BTC = "BTC/USD"


def tick(price: float | str, at_ms: int) -> Tick:
    return Tick(BTC, Price(Decimal(str(price))), at_ms)


def first_crossings(ticks: list[Tick], low: Decimal, high: Decimal) -> list[str]:
    """Which of two levels the prices meet, in the order they first meet them."""
    found: list[str] = []
    for each in ticks:
        if each.price.value <= low and "stop" not in found:
            found.append("stop")
        if each.price.value >= high and "target" not in found:
            found.append("target")
    return found


@given(
    prices=st.lists(st.integers(90, 110), min_size=1, max_size=60),
    low=st.integers(88, 100), high=st.integers(101, 112), cuts=st.sets(st.integers(0, 60), max_size=4),
)
def test_coalesced_prices_meet_stop_and_target_in_the_order_of_all_prices(
    prices: list[int], low: int, high: int, cuts: set[int]
) -> None:
    inbox = LiveInbox()
    told: list[Tick] = []
    whole: list[Tick] = []
    for at, price in enumerate(prices):
        whole.append(tick(price, at))
        inbox.put_tick(whole[-1])
        if at in cuts:
            told += inbox.take().ticks
    told += inbox.take().ticks
    assert first_crossings(told, Decimal(low), Decimal(high)) == first_crossings(whole, Decimal(low), Decimal(high))
    assert told[-1].price == whole[-1].price


def test_however_many_prices_come_few_points_are_kept() -> None:
    inbox = LiveInbox()
    for at in range(10 * POINTS_MAX):
        inbox.put_tick(tick(1000 + at, at))
    ticks = inbox.take().ticks
    assert len(ticks) <= POINTS_MAX + 1
    assert ticks[-1].at_ms == 10 * POINTS_MAX - 1


def test_only_what_may_matter_wakes_the_reader() -> None:
    woken = [0]
    inbox = LiveInbox(lambda: woken.__setitem__(0, woken[0] + 1))
    inbox.put_tick(tick(1, 1))
    inbox.put_quote(Quote(BTC, 1.0, 2.0, 1.0, 1))
    inbox.put_complete(BTC, 10)
    inbox.put_complete(BTC, 20)
    assert woken[0] == 0
    inbox.concerned = frozenset({BTC})
    inbox.put_tick(tick(1, 2))
    inbox.put_bar(Bar(BTC, Tier.M5, 0, 1.0, 1.0, 1.0, 1.0, 1.0))
    inbox.put_complete(BTC, Tier.M5.ms)
    assert woken[0] == 3


def test_what_two_threads_put_arrives_once_and_whole() -> None:
    inbox = LiveInbox()
    taken: list[Bar] = []

    def put(offset: int) -> None:
        for at in range(500):
            inbox.put_bar(Bar(BTC, Tier.M5, (offset + 2 * at) * Tier.M5.ms, 1.0, 1.0, 1.0, 1.0, 1.0))

    threads = [Thread(target=put, args=(offset,)) for offset in (0, 1)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += inbox.take().bars
    for thread in threads:
        thread.join()
    taken += inbox.take().bars
    assert sorted(bar.open_ms // Tier.M5.ms for bar in taken) == list(range(1000))


def test_what_the_exchange_says_of_itself_closes_and_opens_the_book_and_holds_until_it_says_more() -> None:
    inbox, book = LiveInbox(), LiveBook((BTC,))
    assert book.closed == "", "before the first word the orders themselves find out"
    for word, closed in (("maintenance", "maintenance"), ("", "maintenance"), ("post_only", "post_only"), ("online", "")):
        if word:
            inbox.put_system(word)
        book.take(inbox.take())
        assert book.closed == closed
