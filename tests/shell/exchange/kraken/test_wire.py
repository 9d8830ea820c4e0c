"""Bytes and values: numbers keep every digit, forms are what Kraken reads, nonsense is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.exchange.kraken.errors import MalformedAnswer
from shell.exchange.kraken.wire import (
    Fields,
    encode_form,
    encode_json,
    moment_of,
    number_of,
    parse_json,
    seconds_text,
    stamp_of,
    write_stamp,
)


def test_numbers_keep_their_digits() -> None:
    told = parse_json('{"a": 0.10000000, "b": 29430.2, "c": 1e-8, "d": 12, "e": "0.0500"}')
    assert told == {"a": Decimal("0.10000000"), "b": Decimal("29430.2"), "c": Decimal("1E-8"), "d": 12, "e": "0.0500"}
    assert str(told["a"]) == "0.10000000" and isinstance(told["b"], Decimal)


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"a":NaN}', b'{"a":Infinity}', b'{"a"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedAnswer, match="not JSON"):
        parse_json(content)


def test_forms_are_written_as_kraken_reads_them() -> None:
    fields = {
        "price": Decimal("0.00001"), "volume": Decimal("1E+3"), "close": {"ordertype": "limit", "price": Decimal("5.10")},
        "oflags": "fcib,post", "offset": "+100", "validate": True, "none": None, "orders": [{"a": 1}, {"a": 2}],
    }  # fmt: skip
    assert encode_form(fields) == (
        "price=0.00001&volume=1000&close%5Bordertype%5D=limit&close%5Bprice%5D=5.1&oflags=fcib%2Cpost&offset=%2B100"
        "&validate=true&orders%5B0%5D%5Ba%5D=1&orders%5B1%5D%5Ba%5D=2"
    )
    assert encode_json({"a": Decimal("1E-8"), "b": [1, True]}) == '{"a":"0.00000001","b":[1,true]}'


def test_a_float_never_reaches_the_wire() -> None:
    with pytest.raises(TypeError, match="never a float"):
        encode_form({"price": 0.1})


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=6))
def test_any_text_survives_a_form(fields: dict[str, str]) -> None:
    assert dict(parse_qsl(encode_form(fields), keep_blank_values=True)) == fields


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=10))
def test_any_number_is_written_plainly_and_exactly(number: Decimal) -> None:
    text = encode_form({"n": number})[2:]
    assert "E" not in text.upper() and Decimal(text) == number


@pytest.mark.parametrize(
    "value", ["", "abc", "NaN", "Infinity", "1e999999999", "1e-999999999", True, None, [], {}, "9" * 200, "0." + "1" * 60]
)
def test_what_is_no_usable_number_is_refused(value: Any) -> None:
    with pytest.raises(MalformedAnswer, match="the price"):
        number_of(value, "the price")


def test_a_field_that_is_missing_or_of_another_kind_is_named() -> None:
    row = Fields({"text": 5, "list": {}, "null": None, "whole": "1.5", "flag": 1}, "the row")
    reads: list[tuple[Callable[[], object], str]] = [
        (lambda: row.text("text"), "the row.text"), (lambda: row.text("null"), "no null"),
        (lambda: row.values_of("list"), "the row.list"), (lambda: row.object("text"), "the row.text"),
        (lambda: row.integer("whole"), "the row.whole"), (lambda: row.number("gone"), "no gone"),
        (lambda: row.flag("flag"), "the row.flag"),
    ]  # fmt: skip
    for read, named in reads:
        with pytest.raises(MalformedAnswer, match=named):
            read()


def test_times_of_both_kinds() -> None:
    assert moment_of(Decimal("1688583840.8648"), "t") == datetime(2023, 7, 5, 19, 4, 0, 864800, tzinfo=UTC)
    assert Fields({"t": "0"}, "r").moment("t") is None and Fields({}, "r").moment("t") is None
    assert stamp_of("2023-10-04T16:25:00.123456789Z", "t") == datetime(2023, 10, 4, 16, 25, 0, 123456, tzinfo=UTC)
    for text in ("2023-10-04T16:25:00", "yesterday", ""):
        with pytest.raises(MalformedAnswer):
            stamp_of(text, "t")
    for seconds in ("-1", "1e20"):
        with pytest.raises(MalformedAnswer):
            moment_of(Decimal(seconds), "t")


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_times_survive_writing(moment: datetime) -> None:
    assert moment_of(Decimal(seconds_text(moment)), "t") == moment and stamp_of(write_stamp(moment), "t") == moment
    assert "." not in seconds_text(moment.replace(microsecond=0)) and moment - moment == timedelta(0)


@pytest.mark.parametrize("value", ["1e99", "Infinity", "NaN", "1" * 41, "abc", ""])
def test_a_text_that_is_no_amount_is_refused_each_time_it_comes(value: str) -> None:
    for where in ("first", "second"):
        with pytest.raises(MalformedAnswer, match=f"{where} is n"):
            number_of(value, where)


def test_a_text_that_comes_again_is_the_same_number_and_no_other_kind_is_taken_for_it() -> None:
    assert [number_of(value, "a") for value in ("1.50", "1.50", "1.5", 1)] == [Decimal("1.50"), Decimal("1.50"), Decimal("1.5"), 1]
    assert str(number_of("1.50", "a")) == "1.50"
    with pytest.raises(MalformedAnswer):
        number_of(True, "a")
