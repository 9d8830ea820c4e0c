"""The order book: always the venue's, to the last digit, proved by a recorded stream and by a venue that hypothesis plays."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shell.exchange.kraken.book import OrderBook
from shell.exchange.kraken.feed_read import read_levels
from shell.exchange.kraken.public_types import Level
from shell.exchange.kraken.wire import Fields, parse_json
from tests.shell.exchange.kraken.payloads_of import FOLDER, payload

RECORDED = payload("book_btc_usd")


def book_of(depth: int = 10) -> OrderBook:
    return OrderBook("BTC/USD", depth, price_decimals=1, qty_decimals=8)


def replay(book: OrderBook, recorded: Any) -> int:
    """Apply a recorded stream; returns how many checksums agreed before one did not."""
    agreed = 0
    for message in (recorded["snapshot"], *recorded["updates"]):
        row = Fields(message["data"][0], "book")
        levels = read_levels(row, "asks"), read_levels(row, "bids")
        if message["type"] == "snapshot":
            book.replace(*levels)
        else:
            book.update(*levels)
        if book.checksum() != row.integer("checksum"):
            return agreed
        agreed += 1
    return agreed


def test_every_checksum_of_the_recorded_stream_agrees() -> None:
    assert replay(book_of(), RECORDED) == 1 + len(RECORDED["updates"]) > 100


def test_one_wrong_digit_is_noticed() -> None:
    text = (FOLDER / "book_btc_usd.json").read_text().replace("8.25182177", "8.25182178")
    assert replay(book_of(), parse_json(text)) == 2


def test_a_missing_message_is_noticed() -> None:
    assert replay(book_of(), {**RECORDED, "updates": RECORDED["updates"][1:]}) == 1


def test_small_numbers_are_written_as_kraken_writes_them() -> None:
    """As text of a float, 0.00000001 would read 1e-08 and the checksum could never agree."""
    told = json.loads('{"asks": [], "bids": []}')
    book = book_of()
    book.replace(read_levels(Fields(told, "b"), "asks"), [Level(price=Decimal("0.1"), qty=Decimal("1E-8"))])
    assert book.checksum() == zlib.crc32(b"11") and not book.crossed


PRICES = st.integers(1, 60)
QTYS = st.integers(0, 5)
DEPTH = 10


class VenueBook(RuleBasedStateMachine):
    """A venue with its whole book, which tells only what changes in its best levels, as Kraken does."""

    @initialize(asks=st.dictionaries(PRICES, st.integers(1, 5), max_size=30))
    def begin(self, asks: dict[int, int]) -> None:
        self.truth: dict[str, dict[int, int]] = {"asks": dict(asks), "bids": dict.fromkeys(range(3), 1)}
        self.client = book_of(DEPTH)
        self.resubscribe()

    def best(self, side: str) -> list[tuple[int, int]]:
        return sorted(self.truth[side].items(), reverse=side == "bids")[:DEPTH]

    @rule(side=st.sampled_from(["asks", "bids"]), changes=st.lists(st.tuples(PRICES, QTYS), min_size=1, max_size=6))
    def change(self, side: str, changes: list[tuple[int, int]]) -> None:
        before = dict(self.best(side))
        for price, qty in changes:
            self.truth[side][price] = qty
            if qty == 0:
                del self.truth[side][price]
        after = dict(self.best(side))
        told = [(price, qty) for price, qty in after.items() if before.get(price) != qty]
        told += [(price, 0) for price in before if price not in self.truth[side]]
        levels = [level(price, qty) for price, qty in told]
        self.client.update(*((levels, []) if side == "asks" else ([], levels)))

    @rule()
    def resubscribe(self) -> None:
        asks, bids = ([level(*each) for each in self.best(side)] for side in ("asks", "bids"))
        self.client.replace(asks, bids)

    @invariant()
    def is_the_same(self) -> None:
        for side, mine in (("asks", self.client.asks()), ("bids", self.client.bids())):
            assert mine == [level(*each) for each in self.best(side)]
        digits = [f"{price}0" f"{qty}00000000".lstrip("0") for side in ("asks", "bids") for price, qty in self.best(side)]
        assert self.client.checksum() == zlib.crc32("".join(text.lstrip("0") for text in digits).encode())


def level(price: int, qty: int) -> Level:
    return Level(price=Decimal(price), qty=Decimal(qty))


TestVenueBook = VenueBook.TestCase
TestVenueBook.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
