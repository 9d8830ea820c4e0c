"""History by single trades: the same bars as from all trades at once, resumable, honest about what is not there."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.clock import from_ms, to_ms
from shell.errors import BadInput, DataError
from shell.exchange.kraken.backfill import Backfill, SymbolBackfill
from shell.exchange.kraken.coverage import Coverage, merged, missing
from shell.exchange.kraken.errors import KrakenUnavailable
from shell.exchange.kraken.public import PublicApi
from shell.market.aggregate import aggregate
from shell.market.archive import Archive
from shell.market.bars import DAY_MS, Tier
from shell.market.tiers import full_history
from shell.store.candles import CandleStore
from shell.store.store import Store
from tests.shell.exchange.kraken.payloads_of import names

NOW = datetime(2026, 11, 22, 12, 3, tzinfo=UTC)
NOW_MS = to_ms(NOW)
BEGAN_MS = NOW_MS - 9 * DAY_MS
M5 = Tier.M5.ms


@dataclass
class Venue:
    """A market of single trades that answers as Kraken does: pages by nanosecond, 720 bars at most, one forming."""

    trades: list[tuple[int, Decimal, Decimal]]
    """(nanosecond, price, quantity), rising."""
    page: int = 500
    asked: list[tuple[str, int]] = field(default_factory=list)
    fail_after: int | None = None

    async def public(self, endpoint: str, fields: Mapping[str, Any] | None = None, *, pair: str = "") -> Any:
        given = fields or {}
        self.asked.append((endpoint, int(given.get("since") or 0)))
        if self.fail_after is not None and len(self.asked) > self.fail_after:
            raise KrakenUnavailable("cut off")
        return self._trades(int(given["since"])) if endpoint == "Trades" else self._ohlc(int(given["interval"]))

    def _trades(self, since: int) -> Any:
        later = [(number, trade) for number, trade in enumerate(self.trades, 1) if trade[0] > since][: self.page]
        rows = [[f"{price:f}", f"{qty:f}", Decimal(ns) / 10**9, "b", "l", "", number] for number, (ns, price, qty) in later]
        return {"XXBTZUSD": rows, "last": str(later[-1][1][0] if later else since)}

    def _ohlc(self, minutes: int) -> Any:
        step = minutes * 60
        bars: dict[int, list[tuple[Decimal, Decimal]]] = {}
        for ns, price, qty in self.trades:
            opened = ns // 10**9 // step * step
            if opened + step > int(NOW.timestamp()) - 720 * step:
                bars.setdefault(opened, []).append((price, qty))
        forming = int(NOW.timestamp()) // step * step
        rows = []
        for opened in range(forming - 720 * step, forming + step, step):
            made = bars.get(opened)
            if made is None:
                rows.append([opened, "10", "10", "10", "10", "0.0", "0", 0])
            else:
                prices = [price for price, _ in made]
                volume = sum(qty for _, qty in made)
                values = (prices[0], max(prices), min(prices), prices[-1], prices[0], volume)
                rows.append([opened, *(f"{value:f}" for value in values), len(made)])
        return {"XXBTZUSD": rows, "last": forming - step}


def market(seed: int, count: int = 9000) -> list[tuple[int, Decimal, Decimal]]:
    """Trades of nine days, some at the same nanosecond, with a silent stretch."""
    chance = random.Random(seed)
    times = sorted(chance.randrange(BEGAN_MS * 10**6, NOW_MS * 10**6) for _ in range(count))
    silent = (BEGAN_MS + 2 * DAY_MS) * 10**6, (BEGAN_MS + 2 * DAY_MS + 7200_000) * 10**6
    times = [at for at in times if not silent[0] <= at < silent[1]]
    price, made = Decimal(30000), []
    for at in times:
        price += Decimal(chance.randrange(-50, 51)) / 10
        made.append((at, price, Decimal(chance.randrange(1, 10**6)).scaleb(-6)))
    return made


def bars_of(trades: list[tuple[int, Decimal, Decimal]], since_ms: int) -> pl.DataFrame:
    """The truth: all trades at once."""
    frame = pl.DataFrame(
        {
            "at": [ns // 10**6 // M5 * M5 for ns, _, _ in trades],
            "price": [float(price) for _, price, _ in trades],
            "qty": [float(qty) for _, _, qty in trades],
        }
    ).filter((pl.col("at") >= since_ms) & (pl.col("at") + M5 <= NOW_MS))
    return frame.group_by("at", maintain_order=True).agg(
        open=pl.col("price").first(), high=pl.col("price").max(), low=pl.col("price").min(), close=pl.col("price").last(),
        volume=pl.col("qty").sum(),
    )


@pytest.fixture
def candles(tmp_path: Path) -> Iterator[CandleStore]:
    with Store.open(tmp_path / "brain.db") as store:
        yield CandleStore(store)


def fetch(venue: Venue, candles: CandleStore, folder: Path, days: int, progress: Any = None) -> SymbolBackfill:
    backfill = Backfill(PublicApi(venue), candles, Archive(folder / "archive"), Coverage(folder / "backfill.json"))
    return asyncio.run(backfill.run(names().pair("BTC/USD"), days, NOW, progress))


def check(candles: CandleStore, folder: Path, venue: Venue, days: int) -> None:
    """What is stored is the truth, bar for bar."""
    start_ms = (NOW_MS - days * DAY_MS) // M5 * M5
    truth = bars_of(venue.trades, start_ms)
    history = full_history(candles, Archive(folder / "archive"), ["BTC/USD"], from_ms(start_ms), NOW)
    stored = history.m5["BTC/USD"]
    assert stored["timestamp"].to_physical().to_list() == truth["at"].to_list()
    for name in ("open", "high", "low", "close"):
        assert stored[name].to_list() == truth[name].to_list()
    assert stored["volume"].to_list() == pytest.approx(truth["volume"].to_list(), abs=1e-9)


def test_what_is_stored_is_every_trade_once(candles: CandleStore, tmp_path: Path, seed: int) -> None:
    venue, seen = Venue(market(seed)), []
    done = fetch(venue, candles, tmp_path, 6, lambda *what: seen.append(what))
    check(candles, tmp_path, venue, 6)
    assert done.trades > 2000 and done.requests == len(venue.asked) and done.added["1h"] > 100
    assert done.first is not None and done.first - (NOW - timedelta(days=6)) < timedelta(hours=3)
    positions = [position for position, _, _ in seen]
    assert positions == sorted(positions) and seen[-1][0] == seen[-1][1]
    assert any("720" in note for note in done.notes)
    json.dumps(done.as_dict(), allow_nan=False)


def test_pages_that_share_a_nanosecond_lose_and_double_nothing(candles: CandleStore, tmp_path: Path) -> None:
    trades = [(ns // 10**12 * 10**12 + 5 * 10**8, price, qty) for ns, price, qty in market(3, 3000)]
    venue = Venue(trades, page=97)
    fetch(venue, candles, tmp_path, 5)
    check(candles, tmp_path, venue, 5)


def test_an_interrupted_backfill_goes_on_where_it_stopped(candles: CandleStore, tmp_path: Path, seed: int) -> None:
    venue = Venue(market(seed), page=200, fail_after=20)
    with pytest.raises(KrakenUnavailable):
        fetch(venue, candles, tmp_path, 8)
    first = [since for endpoint, since in venue.asked if endpoint == "Trades"]
    venue.fail_after, venue.asked = None, []
    fetch(venue, candles, tmp_path, 8)
    second = [since for endpoint, since in venue.asked if endpoint == "Trades"]
    check(candles, tmp_path, venue, 8)
    assert second[0] > first[len(first) // 2], "most of what was fetched is not fetched again"
    venue.asked = []
    fetch(venue, candles, tmp_path, 8)
    assert not [since for endpoint, since in venue.asked if endpoint == "Trades"]


def test_asking_for_more_fetches_only_the_older_part(candles: CandleStore, tmp_path: Path, seed: int) -> None:
    venue = Venue(market(seed))
    fetch(venue, candles, tmp_path, 5)
    few = len(venue.asked)
    venue.asked = []
    fetch(venue, candles, tmp_path, 8)
    check(candles, tmp_path, venue, 8)
    newest = max(since for endpoint, since in venue.asked if endpoint == "Trades")
    assert newest < (NOW_MS - 5 * DAY_MS) * 10**6 + 6 * 3600 * 10**9 and few > 0


def test_more_than_there_is_is_said(candles: CandleStore, tmp_path: Path, seed: int) -> None:
    done = fetch(Venue(market(seed)), candles, tmp_path, 20)
    assert any("the first trade of BTC/USD that Kraken gives is of 2026-11-13" in note for note in done.notes)
    with pytest.raises(BadInput, match="1 to 3650 days"):
        fetch(Venue([]), candles, tmp_path, 0)


def test_hours_and_days_are_built_from_the_bars(candles: CandleStore, tmp_path: Path, seed: int) -> None:
    venue = Venue(market(seed))
    fetch(venue, candles, tmp_path, 6)
    m5 = candles.between("BTC/USD", Tier.M5, NOW - timedelta(days=6), NOW)
    hours = candles.between("BTC/USD", Tier.H1, NOW - timedelta(days=5), NOW)
    expected = aggregate(m5, Tier.H1)
    assert hours.height > 100 and hours.join(expected, on="timestamp", how="left").filter(
        (pl.col("close") != pl.col("close_right")) | (pl.col("high") != pl.col("high_right"))
    ).is_empty()


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8), st.integers(0, 20), st.integers(20, 40))
def test_what_is_missing_and_what_is_covered_are_everything(stretches: list[tuple[int, int]], begin: int, end: int) -> None:
    covered = {at for first, last in stretches for at in range(first, last)}
    gaps = {at for first, last in missing((begin, end), stretches) for at in range(first, last)}
    assert gaps == set(range(begin, end)) - covered
    assert {at for first, last in merged(stretches) for at in range(first, last)} == covered


def test_a_damaged_note_of_what_was_fetched_is_told(tmp_path: Path) -> None:
    (tmp_path / "backfill.json").write_text('{"trades": {"BTC/USD": [["x"]]}}')
    with pytest.raises(DataError, match="delete it"):
        Coverage(tmp_path / "backfill.json")
