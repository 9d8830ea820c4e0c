"""The rows of a fast backtest's result that cross while it runs, a whole block a frame; the rest comes with the answer.

The parent sits idle on its own core during a run, so what it reads then costs nothing at the end. It believes nothing: a
block is held to all that `shell.backtest.result_wire` holds a table to, and all blocks and the answer's text together are
no longer than one text may be.

A block is one line of JSON: its table, the number of its first row there, the book and version of every row, the columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from shell.backtest.result_expected import Expected
from shell.backtest.result_rows import (
    ID_CHARS_MAX,
    LINE_BYTES_MAX,
    OTHER_FORM,
    ROWS_A_LINE,
    Readers,
    columns_in,
    columns_of,
    fill_row,
    printable,
    text_of,
    trade_row,
)
from shell.backtest.run import MemoryJournal
from shell.backtest.wire_columns import refuse
from shell.orders import Fill
from shell.portfolio.ledger import TradeClosed

FILLS, TRADES = "fills", "trades"


class Sent(NamedTuple):
    """How many rows of each table crossed before the answer."""

    fills: int = 0
    trades: int = 0


NOTHING_SENT = Sent()


class SentRows:
    """The child's side: what of one run's journal has crossed.

    The journal must only grow. It is forgotten only where the driver begins once more with another host of its own making,
    which it never does with a host it was given.
    """

    def __init__(self, journal: MemoryJournal, symbols: Sequence[str]) -> None:
        self._journal = journal
        self._index = {symbol: at for at, symbol in enumerate(symbols)}
        self.sent = NOTHING_SENT

    def blocks(self) -> Iterator[bytes]:
        """The bodies of the blocks that have become whole since the last time."""
        fills, trades = self._journal.fills, self._journal.trades
        while len(fills) - self.sent.fills >= ROWS_A_LINE:
            yield self._block(FILLS, self.sent.fills, fills, fill_row)
            self.sent = self.sent._replace(fills=self.sent.fills + ROWS_A_LINE)
        while len(trades) - self.sent.trades >= ROWS_A_LINE:
            yield self._block(TRADES, self.sent.trades, trades, trade_row)
            self.sent = self.sent._replace(trades=self.sent.trades + ROWS_A_LINE)

    def _block(self, table: str, first: int, kept: list[Any], row: Callable[[Any, dict[str, int]], list[object]]) -> bytes:
        # No trade without fills; they all bear one book and version.
        intent, index = self._journal.fills[0].intent, self._index
        columns = columns_of([row(each, index) for each in kept[first : first + ROWS_A_LINE]])
        return text_of([table, first, intent.book, intent.version, columns]).encode()


class ReceivedRows:
    """The parent's side: the rows of one run that have come so far. After a fault they mean nothing."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._names: tuple[str, str] | None = None
        self._readers: Readers | None = None
        self.bytes_left = expected.text_bytes_max
        self.fills: list[Fill] = []
        self.trades: list[TradeClosed] = []

    @property
    def block_bytes_max(self) -> int:
        """The longest block that is read at all."""
        return min(LINE_BYTES_MAX, self.bytes_left)

    def add(self, body: bytes) -> None:
        """Take in the next block. Raises StrategyFault("bad_reply") for anything that is none."""
        if len(body) > self.block_bytes_max:
            refuse("the result's rows are longer than any honest ones")
        self.bytes_left -= len(body)
        try:
            self._add(*json.loads(body))
        except OTHER_FORM:
            refuse("a block of the result has another form")

    def readers(self, book: str, version: str) -> Readers:
        """What rows of this book and version are read by: one book and version a run. Raises StrategyFault."""
        if self._readers is None or self._names is None:
            self._names = printable(book, ID_CHARS_MAX), printable(version, ID_CHARS_MAX)
            self._readers = Readers(self._expected, *self._names)
        if (book, version) != self._names:
            refuse("the result is of several books or versions")
        return self._readers

    def _add(self, table: Any, first: Any, book: Any, version: Any, columns: Any) -> None:
        if table not in (FILLS, TRADES):
            refuse("the result has rows of an unknown table")
        came = len(self.fills if table == FILLS else self.trades)
        if type(first) is not int or first != came:
            refuse("a block of the result does not follow the one before it")
        readers = self.readers(book, version)
        block = columns_in(columns, ROWS_A_LINE)
        if table == FILLS:
            self.fills += readers.fills(block)
        else:
            self.trades += readers.trades(block)
