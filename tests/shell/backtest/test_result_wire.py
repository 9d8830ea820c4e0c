"""Results as bytes: an honest one comes back whole, of a forged one nothing gets through but bounded, finite, known values.

Method: one small real run, encoded; then single values of it replaced by what a forger would try, and bytes at random.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shell.backtest.driver import run_backtest
from shell.backtest.fast_wire import (
    REFUSAL_BYTES_MAX,
    decode_beat,
    decode_refusal,
    decode_source,
    decode_terms,
    encode_refusal,
    encode_source,
    encode_terms,
)
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.result_wire import (
    ROWS_A_LINE,
    TEXT_BYTES_MAX,
    Expected,
    decode_result,
    encode_result,
)
from shell.config import HostConfig, PaperConfig
from shell.contract import Action, Intent, OrderType, Signal
from shell.errors import BrainError, DataError, Fatal, StrategyFault, UsageError
from shell.host.port import StrategySource
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from tests.shell.scripted import BTC, ETH, START, WIDE, ScriptedHost

HISTORY: History = synthetic_market(3, [ETH, BTC], START, 2)
SETTINGS = BacktestSettings(cash=QuoteAmount(10_000), paper=PaperConfig(), risk=WIDE, zone=ZoneInfo("UTC"))
PRICE = float(HISTORY.m5[BTC]["close"][100])
SCRIPT = {
    3: [Signal(BTC, Action.BUY, 0.2, stop_loss=PRICE * 0.5, take_profit=PRICE * 2, tag="größer"), Signal("XRP/USD", Action.BUY)],
    50: [Signal(BTC, Action.SELL, 0.05)],
    100: [Signal(ETH, Action.BUY, 0.1, OrderType.LIMIT, float(HISTORY.m5[ETH]["close"][99]) * 0.9999, intent=Intent.DAY)],
    200: [Signal(BTC, Action.CLOSE)],
    # The next one is for good.
    300: [Signal(BTC, Action.BUY, 0.1)],
}
Lines = list[Any]


def scripted() -> BacktestResult:
    host = ScriptedHost(SCRIPT)
    host.faults = {60, 61}
    return run_backtest(StrategySource(code=""), HISTORY, settings=SETTINGS, host=host)


HONEST = scripted()
EXPECTED = Expected(symbols=HISTORY.symbols, start=HONEST.start, end=HONEST.end)
BODY = b"".join(encode_result(HONEST, HISTORY.symbols))


def taken_apart() -> tuple[Lines, bytes]:
    """The lines of the honest result as values, and its curve."""
    (length,) = struct.unpack_from("<Q", BODY)
    return [json.loads(line) for line in BODY[8 : 8 + length].split(b"\n")], BODY[8 + length :]


def put_together(lines: Lines, curve: bytes) -> bytes:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + curve


def refused(body: bytes) -> str:
    with pytest.raises(StrategyFault) as fault:
        decode_result(body, EXPECTED, 1.0)
    assert fault.value.kind == "bad_reply"
    return str(fault.value)


def test_an_honest_result_comes_back_whole_but_never_certified() -> None:
    assert {fill.intent.order_type for fill in HONEST.fills} == set(OrderType)
    assert HONEST.trades and HONEST.faults and HONEST.refusals
    got = decode_result(BODY, EXPECTED, 2.5)
    assert (got.certified, got.seconds) == (False, 2.5)
    for name in ("fills", "trades", "metrics", "final_value", "equity_hash", "bars", "steps", "signals", "refusals", "faults",
                 "halts", "start", "end"):
        assert getattr(got, name) == getattr(HONEST, name), name
        assert type(getattr(got, name)) is type(getattr(HONEST, name)), name
    for name in ("times_ms", "values"):
        ours, theirs = getattr(got.curve, name), getattr(HONEST.curve, name)
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
    assert np.array_equal(got.daily_returns, HONEST.daily_returns)


def test_money_comes_back_to_the_last_digit() -> None:
    got = decode_result(BODY, EXPECTED, 1.0)
    for ours, theirs in zip(got.fills, HONEST.fills, strict=True):
        for name in ("qty", "price", "fee"):
            assert getattr(ours, name).value.as_tuple() == getattr(theirs, name).value.as_tuple()


def test_the_hash_covers_every_fill_and_every_mark() -> None:
    values = HONEST.curve.values.copy()
    values[len(values) // 2] = np.nextafter(values[len(values) // 2], np.inf)
    others = [
        replace(HONEST, fills=HONEST.fills[:-1]), replace(HONEST, curve=replace(HONEST.curve, values=values)),
        replace(HONEST, curve=replace(HONEST.curve, times_ms=HONEST.curve.times_ms + 1)),
    ]
    assert len({HONEST.equity_hash, *(other.equity_hash for other in others)}) == 4


@pytest.mark.parametrize("count", [0, 1, ROWS_A_LINE - 1, ROWS_A_LINE, ROWS_A_LINE + 1, 3 * ROWS_A_LINE])
def test_tables_of_any_length_come_back(count: int) -> None:
    result = replace(HONEST, fills=HONEST.fills[:1] * count, faults=HONEST.faults[:1] * count)
    got = decode_result(b"".join(encode_result(result, HISTORY.symbols)), EXPECTED, 1.0)
    assert (got.fills, got.faults) == (result.fills, result.faults)


HEAD, FILLS, TRADES, FAULTS = 0, 1, 2, 3
# Columns of the fills and trades, as they are written.
SIGNAL_ID, TAG, SYMBOL, SIDE, DECIDED, FILLED, QTY, PRICE_AT, FEE, STOP = 3, 4, 5, 6, 11, 12, 13, 14, 15, 18
TRADE_QTY, TRADE_COST = 7, 8
NO_TEXT = [None, 5, 1.5, True, [], {}, ["x"], "x" * 201, "a\nb", "a\x00", "\ud800", "\u202e"]
NO_AMOUNT = [
    None, 5, 1.5, True, [], "", " 1", "1 ", "1_0", "1e5", "1E+400000000", "NaN", "Infinity", "-Infinity", "sNaN", "٣", "1,2", ",",
    "1.", ".5", "+1", "0x10", "9" * 181,
]
NOT_ABOVE_ZERO = ["0", "0.000", "-1", "-0"]
NO_INDEX = [None, "0", 1.0, 0.5, True, -1, 7, 1 << 70, [0], {}]
NO_TIME = [None, "0", 1.5, True, -1, 0, 1 << 63, 10**400 - 1, []]
REPLACEMENTS = [
    *[(FILLS, column, value) for column in (0, 1, 2, TAG) for value in NO_TEXT],
    *[(FILLS, SIGNAL_ID, value) for value in NO_TEXT if value is not None],
    *[(FILLS, column, value) for column in (SYMBOL, SIDE, 7, 8, 9, 10) for value in NO_INDEX],
    *[(FILLS, column, value) for column in (DECIDED, FILLED) for value in NO_TIME],
    *[(FILLS, column, value) for column in (QTY, PRICE_AT, 16) for value in NO_AMOUNT + NOT_ABOVE_ZERO],
    *[(FILLS, FEE, value) for value in NO_AMOUNT],
    *[(FILLS, column, value) for column in (17, STOP, 19) for value in (NO_AMOUNT + NOT_ABOVE_ZERO) if value is not None],
    *[(TRADES, column, value) for column in (TRADE_QTY, TRADE_COST) for value in NO_AMOUNT + NOT_ABOVE_ZERO],
    *[(TRADES, 2, value) for value in NO_INDEX],
    *[(TRADES, 6, value) for value in NO_TIME],
]


def test_no_single_value_of_another_kind_gets_through() -> None:
    for table, column, value in REPLACEMENTS:
        lines, curve = taken_apart()
        lines[table][column][0] = value
        assert refused(put_together(lines, curve)), (table, column, value)


HEADS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a final value that is none": lambda head: head.update(final_value="1e999999999"),
    "a count of fills that is no count": lambda head: head.update(fills=-1),
    "more fills than there are": lambda head: head.update(fills=head["fills"] + 1),
    "no end of fills": lambda head: head.update(fills=1 << 60),
    "fewer fills than there are": lambda head: head.update(fills=head["fills"] - 1),
    "a truth value as a count": lambda head: head.update(bars=True),
    "a metric that is no number": lambda head: head["metrics"].__setitem__(2, float("nan")),
    "an infinite metric": lambda head: head["metrics"].__setitem__(0, float("inf")),
    "a metric of another type": lambda head: head["metrics"].__setitem__(0, 1),
    "metrics of other trades": lambda head: head["metrics"].__setitem__(4, 77),
    "a metric more": lambda head: head["metrics"].append(1.0),
    "a code that is none": lambda head: head.update(refusals={"<b>": 1}),
    "a negative number of refusals": lambda head: head.update(refusals={"HALTED": -1}),
    "a list of refusals": lambda head: head.update(refusals=["HALTED"]),
    "thousands of codes": lambda head: head.update(refusals={"A" * (1 + at % 60) + "B" * (at // 60): 1 for at in range(3000)}),
    "an unknown halt": lambda head: head.update(halts={"COFFEE": 1}),
    "a book that cannot be printed": lambda head: head.update(book="\x1b[2J"),
    "a field more": lambda head: head.update(certified=True),
    "a field less": lambda head: head.pop("signals"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_of_another_form_is_refused(name: str) -> None:
    lines, curve = taken_apart()
    HEADS[name](lines[HEAD])
    refused(put_together(lines, curve))


BODIES: dict[str, Callable[[Lines, bytes], bytes]] = {
    "nothing": lambda lines, curve: b"",
    "less than a length": lambda lines, curve: b"\x01\x00",
    "a length beyond the end": lambda lines, curve: struct.pack("<Q", 1 << 62) + curve,
    "no text": lambda lines, curve: struct.pack("<Q", 0) + curve,
    "a mark less": lambda lines, curve: put_together(lines, curve[:-8]),
    "a mark more": lambda lines, curve: put_together(lines, curve + bytes(8)),
    "a mark that is no number": lambda lines, curve: put_together(lines, curve[:-8] + struct.pack("<d", float("nan"))),
    "an infinite mark": lambda lines, curve: put_together(lines, curve[:-8] + struct.pack("<d", float("-inf"))),
    "a mark beyond all money": lambda lines, curve: put_together(lines, curve[:-8] + struct.pack("<d", 1e300)),
    "a return beyond all numbers": lambda lines, curve: put_together(lines, struct.pack("<d", 5e-324) + curve[8:]),
    "nesting": lambda lines, curve: put_together(["[" * 100_000], curve),
    "a long line": lambda lines, curve: put_together([lines[HEAD], "[" + "[]," * 400_000 + "[]]"], curve),
    "a line more": lambda lines, curve: put_together([*lines, []], curve),
    "a line less": lambda lines, curve: put_together(lines[:-1], curve),
    "a column more": lambda lines, curve: put_together([lines[HEAD], [*lines[FILLS], lines[FILLS][0]], *lines[2:]], curve),
    "a column less": lambda lines, curve: put_together([lines[HEAD], lines[FILLS][:-1], *lines[2:]], curve),
    "columns of several lengths": lambda lines, curve: put_together(
        [lines[HEAD], [*lines[FILLS][:-1], [None]], *lines[2:]], curve
    ),
    "a text instead of columns": lambda lines, curve: put_together([lines[HEAD], json.dumps("x" * 20), *lines[2:]], curve),
    "a number of thousands of digits": lambda lines, curve: put_together(["9" * 100_000, *lines[1:]], curve),
    "broken UTF-8": lambda lines, curve: put_together(lines, curve).replace(b"candidate", b"candi\xff\xfe\xffe"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_another_form_is_refused(name: str) -> None:
    lines, curve = taken_apart()
    refused(BODIES[name](lines, curve))


def test_a_text_longer_than_any_honest_one_is_not_even_looked_at() -> None:
    assert EXPECTED.bytes_max < 8 << 20
    decades = replace(EXPECTED, end=EXPECTED.start + timedelta(days=20_000))
    assert decades.bytes_max == 8 + TEXT_BYTES_MAX + 8 * decades.steps
    assert "length" in refused(struct.pack("<Q", EXPECTED.text_bytes_max + 1) + bytes(EXPECTED.text_bytes_max + 1 + 8 * 577))


def test_random_damage_is_refused_or_harmless(seed: int) -> None:
    """Whatever passes can be used: no figure of it raises."""
    chance = random.Random(seed)
    passed, kinds = 0, set()
    (text,) = struct.unpack_from("<Q", BODY)
    for _ in range(1_500):
        body = bytearray(BODY)
        for _ in range(chance.randint(1, 3)):
            body[chance.randrange(8 + text)] = chance.choice(b'0123456789"[]{},:-.eE \x00\xffnul')
        try:
            got = decode_result(bytes(body), EXPECTED, 1.0)
        except StrategyFault as fault:
            kinds.add(fault.kind)
            continue
        passed += 1
        for fill in got.fills:
            assert fill.symbol in HISTORY.symbols and float(fill.cost) > 0
        for trade in got.trades:
            assert np.isfinite([float(trade.entry_price), float(trade.exit_price), trade.pnl_pct]).all()
    # The damage is such that some of it goes unnoticed, else this would test nothing.
    assert 0 < passed < 1_000
    assert kinds == {"bad_reply"}


@pytest.mark.parametrize(
    ("error", "comes_back_as"),
    [
        (DataError("no bars"), (DataError, "no bars")),
        (UsageError("is empty"), (UsageError, "is empty")),
        (StrategyFault("error", "line 3: ValueError: no", 3), (StrategyFault, "line 3: ValueError: no")),
        (StrategyFault("attempt", "made up"), (StrategyFault, "made up")),
        (Fatal("the ledger"), (StrategyFault, "the ledger")),
    ],
)
def test_an_error_of_the_run_comes_back_as_what_it_is(error: BrainError, comes_back_as: tuple[type, str]) -> None:
    got = decode_refusal(encode_refusal(error))
    assert (type(got), str(got)) == comes_back_as
    if isinstance(got, StrategyFault):
        # Only the kernel can tell an attempt, and an engine in a strategy's reach cannot stop trading elsewhere.
        assert (got.kind, got.line) == ("error", getattr(error, "line", None))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"[" * 9_000, b'{"kind": "data"}', b'{"kind":"error","message":1,"line":2,"more":3}', b"\xff"]
)
def test_a_refusal_of_another_form_is_a_bad_reply(body: bytes) -> None:
    got = decode_refusal(body)
    assert isinstance(got, StrategyFault) and got.kind == "bad_reply"


def test_a_refusals_text_is_made_harmless() -> None:
    body = json.dumps({"kind": ["error"], "message": "a\x1b[2J" + "x" * 9_000, "line": "7"}).encode()
    got = decode_refusal(body)
    assert isinstance(got, StrategyFault) and (got.kind, got.line) == ("error", None)
    assert str(got).isprintable() and len(str(got)) <= 500
    assert len(encode_refusal(StrategyFault("error", "\U0001f600" * 500))) <= REFUSAL_BYTES_MAX


def test_a_beat_of_another_length_is_a_bad_reply() -> None:
    with pytest.raises(StrategyFault, match="another form"):
        decode_beat(bytes(8))


def test_terms_and_code_arrive_as_they_were_sent() -> None:
    terms = replace(SETTINGS, zone=ZoneInfo("America/New_York"), host=HostConfig(max_consecutive_faults=7))
    assert decode_terms(encode_terms(terms)) == terms
    source = StrategySource(code="x = 'ü'\n", skills={"a": "b"}, origin="c.py")
    assert decode_source(encode_source(source)) == source
