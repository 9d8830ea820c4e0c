"""The page says what the database holds, stays within its time with a year of it, and says so when there is nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shell.companion import LinkHealth
from shell.home import Home
from shell.model_calls import CallState, Usage
from shell.orders import Side
from shell.page.reader import PageReader
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from tests.shell.page.homes import add_year, begin, buy, home_at, settings, trade
from tests.shell.store.examples import START
from tests.shell.store.test_model_calls import AI, ASKED, AT


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home.database) as opened:
        yield opened


@pytest.fixture
def reader(home: Home) -> Iterator[PageReader]:
    made = PageReader(home, settings())
    yield made
    made.close()


def test_a_home_without_a_database_says_so_until_there_is_one(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    reader = PageReader(home, settings())
    assert "no database" in reader.view(())["problem"]
    assert reader.version() == -1
    assert reader.curves()["t"] == []
    with Store.open(home.database) as store:
        assert "Nothing has happened" in reader.view(())["problem"]
        begin(store)
        assert reader.view(())["problem"] == ""
    reader.close()


def test_what_was_traded_is_shown_with_its_stop_and_its_fate(store: Store, reader: PageReader) -> None:
    begin(store)
    buy(store, 1)
    view = reader.view([LinkHealth(name="Kraken REST", ok=False, sentence="no answer for 40 s")])
    (position,) = view["positions"]["rows"]
    assert position[:3] == ["BTC/USD", "0.5", "20,000.10"]
    (signal,) = view["signals"]["rows"]
    assert signal[4]["text"].startswith("✓ approved, order")
    (fill,) = view["fills"]["rows"]
    assert fill[1:6] == ["BTC/USD", "buy", "entry", "0.5", "20,000.10"]
    assert view["costs"]["rows"][0][-1] == "40.00 USD"
    assert ["Kraken REST", {"text": "▲ look here", "tone": "loss"}, "no answer for 40 s"] in view["links"]["rows"]
    json.dumps(view, allow_nan=False)


def test_a_position_without_a_stop_stands_out_in_words(store: Store, reader: PageReader) -> None:
    begin(store)
    buy(store, 1)
    text = json.dumps(reader.view(())["positions"], ensure_ascii=False)
    stop = store.books.load("main").ledger.positions["BTC/USD"].stop_loss  # type: ignore[union-attr]
    assert ("▲ none" in text) is (stop is None)


def test_a_standing_halt_and_a_lifted_one_are_told_apart(store: Store, reader: PageReader) -> None:
    begin(store)
    buy(store, 1)
    store.halts.raise_(Halt(kind=HaltKind.KILL_SWITCH, book="main", sentence="by hand", raised_at=START))
    assert [each["kind"] for each in reader.view(())["halted"]] == ["KILL_SWITCH"]
    store.halts.lift(HaltKind.KILL_SWITCH, "main", "me", START + timedelta(hours=1))
    view = reader.view(())
    assert view["halted"] == []
    assert "lifted" in json.dumps(view["halts"])


def test_text_from_strategies_stays_text_and_loses_what_cannot_be_seen(store: Store, reader: PageReader) -> None:
    begin(store)
    buy(store, 1, reasoning="<script>alert(1)</script>\u202egnp.exe")
    (signal,) = reader.view(())["signals"]["rows"]
    assert signal[5] == "<script>alert(1)</script>\ufffdgnp.exe"


def test_the_version_moves_with_every_commit_of_another_and_only_then(store: Store, reader: PageReader) -> None:
    begin(store)
    before = reader.version()
    reader.view(())
    assert reader.version() == before
    buy(store, 1)
    assert reader.version() != before


def test_fees_are_counted_once_over_several_looks(store: Store, reader: PageReader) -> None:
    begin(store)
    buy(store, 1)
    reader.view(())
    trade(store, 2, Side.SELL)
    assert [row[1:] for row in reader.view(())["costs"]["rows"]] == [["exchange fees", "2", "80.00 USD"]] * 2


def test_models_are_counted_from_their_calls_by_the_month_that_was_paid(store: Store, reader: PageReader) -> None:
    begin(store)
    call = store.model_calls.reserve(AI, ASKED, AT, AT)
    store.model_calls.settle(AI, call.call_id, CallState.ANSWERED, AT, usage=Usage(input_tokens=10_000), reply={"text": "no"})
    store.model_calls.reserve(AI, replace(ASKED, slot="review:x"), AT, AT)
    # 10,000 x 4 millionths of a dollar, and what is reserved for the other.
    view = reader.view(())
    assert view["costs"]["rows"] == [["2026-11", "models", "2", "0.24 of 45.00 USD"]]
    # The page once went blank with the first call of a model: an amount in the view is nothing that JSON can carry.
    json.dumps(view, allow_nan=False)


def test_a_year_of_marks_is_drawn_in_few_points(store: Store, reader: PageReader, seed: int) -> None:
    begin(store)
    buy(store, 1)
    marks = add_year(store, seed, every=timedelta(minutes=15))
    curves, view = reader.curves(), reader.view(())
    assert marks > 30_000
    assert 100 < len(curves["t"]) <= 1000
    assert all(value is not None for value in curves["held"])
    assert len(json.dumps(curves)) < 60_000
    assert view["last"][0] == curves["t"][-1]
    assert reader.view(())["last"] == view["last"]
