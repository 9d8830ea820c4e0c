"""Rows that cross during a run: honest ones are the result's first rows, of forged ones nothing gets through.

Method: one small real run whose fills and trades are repeated under ids of their own until they fill several blocks; then
blocks left out, moved, cut, relabelled, and damaged at random.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.backtest.result_rows import LINE_BYTES_MAX, ROWS_A_LINE
from shell.backtest.result_stream import ReceivedRows, Sent, SentRows
from shell.backtest.result_wire import answer_bytes_max, decode_result, encode_result
from shell.backtest.run import MemoryJournal
from shell.errors import StrategyFault
from tests.shell.backtest.test_result_wire import EXPECTED, HISTORY, HONEST

FILLS, TRADES = 2 * ROWS_A_LINE + 30, ROWS_A_LINE + 20
LONG = replace(
    HONEST,
    fills=tuple(replace(HONEST.fills[at % len(HONEST.fills)], fill_id=f"fill {at}") for at in range(FILLS)),
    trades=tuple(replace(HONEST.trades[at % len(HONEST.trades)], trade_id=f"trade {at}") for at in range(TRADES)),
    metrics=replace(HONEST.metrics, trades=TRADES),
)


def sent(fills: int = FILLS, trades: int = TRADES) -> tuple[list[bytes], Sent]:
    """The blocks of a run that has come so far."""
    rows = SentRows(MemoryJournal(fills=list(LONG.fills[:fills]), trades=list(LONG.trades[:trades])), HISTORY.symbols)
    return list(rows.blocks()), rows.sent


BLOCKS, SENT = sent()
FIRST, SECOND, TRADED = BLOCKS
ANSWER = b"".join(encode_result(LONG, HISTORY.symbols, SENT))


def received(*blocks: bytes) -> ReceivedRows:
    rows = ReceivedRows(EXPECTED)
    for block in blocks:
        rows.add(block)
    return rows


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(StrategyFault) as fault:
        call()
    assert fault.value.kind == "bad_reply"
    return str(fault.value)


def changed(block: bytes, **changes: Any) -> bytes:
    """The block with other parts."""
    parts = dict(zip(("table", "first", "book", "version", "columns"), json.loads(block), strict=True))
    return json.dumps(list({**parts, **changes}.values())).encode()


def with_rows(block: bytes, rows: int) -> bytes:
    """The block with so many rows, its last one repeated if it had fewer."""
    columns = [(column + column[-1:] * rows)[:rows] for column in json.loads(block)[-1]]
    return changed(block, columns=columns)


@pytest.mark.parametrize("order", [(FIRST, SECOND, TRADED), (TRADED, FIRST, SECOND), (FIRST, TRADED, SECOND)])
def test_blocks_and_the_rest_are_the_whole_result_in_its_order(order: tuple[bytes, ...]) -> None:
    assert Sent(2 * ROWS_A_LINE, ROWS_A_LINE) == SENT
    got = decode_result(ANSWER, EXPECTED, 1.0, received(*order))
    assert (got.fills, got.trades, got.equity_hash) == (LONG.fills, LONG.trades, LONG.equity_hash)
    assert (got.metrics, got.faults, got.certified) == (LONG.metrics, LONG.faults, False)
    for name in ("qty", "price", "fee"):
        ours, theirs = ([getattr(fill, name).value.as_tuple() for fill in each.fills] for each in (got, LONG))
        assert ours == theirs


def test_only_whole_blocks_cross_and_each_once_as_the_journal_grows() -> None:
    journal = MemoryJournal()
    rows = SentRows(journal, HISTORY.symbols)
    crossed = []
    for at in range(FILLS):
        journal.fills.append(LONG.fills[at])
        journal.trades += LONG.trades[at : at + 1]
        new = list(rows.blocks())
        assert len(new) == sum((at + 1) % ROWS_A_LINE == 0 and at < len(kept) for kept in (LONG.fills, LONG.trades))
        crossed += new
    assert sorted(crossed) == sorted(BLOCKS)


def test_nothing_crosses_of_a_short_run() -> None:
    assert sent(ROWS_A_LINE - 1, ROWS_A_LINE - 1) == ([], Sent())


@pytest.mark.parametrize("count", [0, 1, ROWS_A_LINE - 1, ROWS_A_LINE, ROWS_A_LINE + 1, 2 * ROWS_A_LINE])
def test_a_run_of_any_length_comes_back_whole(count: int) -> None:
    blocks, so_far = sent(count, 0)
    result = replace(HONEST, fills=LONG.fills[:count])
    answer = b"".join(encode_result(result, HISTORY.symbols, so_far))
    assert decode_result(answer, EXPECTED, 1.0, received(*blocks)).fills == result.fills


SEQUENCES: dict[str, tuple[tuple[bytes, ...], str]] = {
    "a block twice": ((FIRST, FIRST), "does not follow"),
    "the second first": ((SECOND, FIRST), "does not follow"),
    "a table twice": ((TRADED, TRADED), "does not follow"),
    "a number that is none": ((changed(FIRST, first=False),), "does not follow"),
    "a fraction as a number": ((changed(FIRST, first=0.0),), "does not follow"),
    "a negative number": ((changed(FIRST, first=-256),), "does not follow"),
    "a row less": ((with_rows(FIRST, ROWS_A_LINE - 1),), "other rows"),
    "a row less in the middle": ((FIRST, with_rows(SECOND, ROWS_A_LINE - 1)), "other rows"),
    "a row more": ((with_rows(FIRST, ROWS_A_LINE + 1),), "other rows"),
    "no row": ((with_rows(FIRST, 0),), "other rows"),
    "no column": ((changed(FIRST, columns=[]),), "another form"),
    "a text instead of columns": ((changed(FIRST, columns="x" * 256),), "other rows"),
    "a table that does not cross": ((changed(FIRST, table="faults"),), "unknown table"),
    "a list as a table": ((changed(FIRST, table=["fills"]),), "unknown table"),
    "trades as fills": ((changed(TRADED, table="fills"),), "another type"),
    "fills as trades": ((changed(FIRST, table="trades"),), "another type"),
    "another book": ((FIRST, changed(SECOND, book="live")), "several books"),
    "another version": ((FIRST, changed(TRADED, version="v002")), "several books"),
    "a book that cannot be printed": ((changed(FIRST, book="\x1b[2J"),), "cannot be printed"),
    "a book without end": ((changed(FIRST, book="x" * 201),), "too long"),
    "a number as a version": ((changed(FIRST, version=1),), "cannot be printed"),
    "a part more": ((json.dumps([*json.loads(FIRST), 1]).encode(),), "another form"),
    "a part less": ((json.dumps(json.loads(FIRST)[:-1]).encode(),), "another form"),
    "nothing": ((b"",), "another form"),
    "no JSON": ((FIRST + b"\n" + SECOND,), "another form"),
    "nesting": ((b"[" * 100_000,), "another form"),
    "a line without end": ((FIRST + b" " * LINE_BYTES_MAX,), "longer than any"),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_forged_blocks_are_refused(name: str) -> None:
    blocks, words = SEQUENCES[name]
    assert words in refused(lambda: received(*blocks))


def test_no_value_of_another_kind_gets_through_in_a_block() -> None:
    for block in (FIRST, TRADED):
        columns = json.loads(block)[-1]
        for at in range(len(columns)):
            for value in ({}, True, 1.5, "\x00", -1):
                forged = [list(column) for column in columns]
                forged[at][100] = value
                assert refused(lambda: received(changed(block, columns=forged))), (at, value)  # noqa: B023


def test_all_that_comes_is_no_longer_than_one_text_may_be() -> None:
    """Also when every single block is honest; and what came is taken off what the answer may have."""
    rows, size = ReceivedRows(EXPECTED), len(FIRST)
    whole = answer_bytes_max(EXPECTED, rows)
    count = EXPECTED.text_bytes_max // size
    for at in range(count):
        rows.add(FIRST.replace(b'["fills", 0', b'["fills", %d' % (at * ROWS_A_LINE)).rstrip())
        assert rows.bytes_left == EXPECTED.text_bytes_max - sum(size + len(str(n * ROWS_A_LINE)) - 1 for n in range(at + 1))
        if rows.bytes_left < size + 10:
            break
    assert answer_bytes_max(EXPECTED, rows) == whole - (EXPECTED.text_bytes_max - rows.bytes_left)
    assert "longer than any" in refused(lambda: rows.add(FIRST + b" " * 10))
    spare = rows.bytes_left + 1
    body = struct.pack("<Q", spare) + b" " * spare + bytes(8 * EXPECTED.steps)
    assert "another length" in refused(lambda: decode_result(body, EXPECTED, 1.0, rows))


ANSWERS: dict[str, tuple[Sequence[bytes], dict[str, Any], str]] = {
    "a block that never came": ((FIRST, TRADED), {}, "other rows"),
    "no block at all": ((), {}, "other rows"),
    "fewer fills than came": (BLOCKS, {"fills": 2 * ROWS_A_LINE - 1}, "fewer rows than came"),
    "fewer trades than came": (BLOCKS, {"trades": 0}, "fewer rows than came"),
    "more fills than there are": (BLOCKS, {"fills": FILLS + 1}, "other rows"),
    "fewer fills than there are": (BLOCKS, {"fills": FILLS - 1}, "other rows"),
    "only what came": (BLOCKS, {"fills": 2 * ROWS_A_LINE}, "other"),
    "no count": (BLOCKS, {"fills": True}, "count that is none"),
    "another book": (BLOCKS, {"book": "live"}, "several books"),
    "another version": (BLOCKS, {"version": ["candidate"]}, "several books"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_does_not_fit_what_came_is_refused(name: str) -> None:
    blocks, changes, words = ANSWERS[name]
    (length,) = struct.unpack_from("<Q", ANSWER)
    head, rest = ANSWER[8 : 8 + length].split(b"\n", 1)
    text = json.dumps({**json.loads(head), **changes}).encode() + b"\n" + rest
    body = struct.pack("<Q", len(text)) + text + ANSWER[8 + length :]
    assert words in refused(lambda: decode_result(body, EXPECTED, 1.0, received(*blocks)))


def passes(block: bytes) -> bool:
    """Whether the block is taken in; whatever is can be used: no figure of it raises."""
    rows = ReceivedRows(EXPECTED)
    try:
        rows.add(block)
    except StrategyFault as fault:
        if fault.kind != "bad_reply":
            raise
        return False
    assert len(rows.fills) + len(rows.trades) == ROWS_A_LINE
    for fill in rows.fills:
        assert fill.symbol in HISTORY.symbols and float(fill.cost) > 0 and EXPECTED.start <= fill.filled_at <= EXPECTED.end
    for trade in rows.trades:
        assert np.isfinite([float(trade.entry_price), float(trade.exit_price), trade.pnl_pct]).all()
    return True


def test_random_damage_is_refused_or_harmless(seed: int) -> None:
    chance = random.Random(seed)
    passed = 0
    for _ in range(400):
        block = bytearray(chance.choice(BLOCKS))
        for _ in range(chance.randint(1, 3)):
            block[chance.randrange(len(block))] = chance.choice(b'0123456789"[]{},:-.eE \x00\xffnul')
        passed += passes(bytes(block))
    # Some of it goes unnoticed, else this would test nothing.
    assert 0 < passed < 300


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["fills", "trades", 0]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
)


@given(body=st.binary() | st.builds(lambda value: json.dumps(value).encode(), anything))
def test_anything_else_is_refused(body: bytes) -> None:
    assert not passes(body)


@given(at=st.integers(0, 4), value=anything)
def test_a_block_with_one_part_of_anything_is_refused_or_harmless(at: int, value: object) -> None:
    parts = json.loads(FIRST)
    parts[at] = value
    passes(json.dumps(parts).encode())
