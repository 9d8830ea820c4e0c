"""A shell on a local Kraken over real sockets: every slot scanned through cuts, silence, maintenance, outage and restart."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from deployments.live_opening import LiveHome, LiveSource, open_live
from deployments.opening import account_overrides, settings_for
from deployments.simulated_source import source_on
from shell.config import LoopConfig
from shell.errors import DataError, NotNow
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.simulator.hosting import Hosted, hosted
from shell.exchange.simulator.system import SystemState
from shell.exchange.simulator.tape import tape_of
from shell.exchange.simulator.venue import Rules
from shell.home import Home
from shell.loop import TradingLoop
from shell.main_book import MAIN_BOOK
from shell.market.bars import Tier
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.secrets import Secrets
from shell.store.candles import CandleStore
from tests.deployments.gate_stand_in import Gate
from tests.shell.scripted import ScriptedHost
from tests.thorough import THOROUGH, thorough

SYMBOLS = ("BTC/USD", "ETH/USD")
START = datetime(2026, 3, 2, 12, 3, tzinfo=UTC)
BEGIN = datetime(2026, 2, 25, tzinfo=UTC)
STEP = timedelta(minutes=5)


@dataclass(slots=True)
class World:
    """A local Kraken behind a gate, and the market that is invented on it."""

    exchange: Hosted
    gate: Gate
    source: LiveSource
    history: History
    speed: float

    def until(self, moment: datetime) -> None:
        """Wait for the exchange's time."""
        left = (moment - self.source.clock.now()).total_seconds() / self.speed
        if left > 0:
            time.sleep(left)


@contextmanager
def world(speed: float, *, prints: int = 6) -> Iterator[World]:
    history = synthetic_market(7, SYMBOLS, BEGIN, 14)
    tape = tape_of(history, START, seed=7, prints=prints)
    with hosted(tape, Rules(seed=7), speed=speed) as exchange:
        gate = Gate(exchange.addresses()["rest"])
        source = source_on(exchange, speed=speed, name="test")
        told = source.addresses
        addresses = Addresses(
            rest=gate.address(told.rest), ws=gate.address(told.ws), ws_auth=gate.address(told.ws_auth)
        )
        try:
            yield World(exchange, gate, replace(source, addresses=addresses), history, speed)
        finally:
            gate.close()


@pytest.fixture(autouse=True)
def plain_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strategies that hold nothing, in this process: what is tried here is the market and the loop."""
    monkeypatch.setattr("shell.service.HostedStrategy", lambda *_args: ScriptedHost())
    monkeypatch.setattr("shell.service.isolation_gap", lambda *_args: "")


@contextmanager
def trading(folder: Path, place: World) -> Iterator[tuple[LiveHome, TradingLoop]]:
    """A shell of the home in `folder`, trading on a thread of its own while the block runs."""
    home = Home.private(folder).create()
    settings = settings_for(home, account_overrides(SYMBOLS))
    opened = open_live(home, settings, Secrets(), place.source, tell=lambda *_args: None, stopped=Event())
    opened.shell.start(place.source.clock.now(), announce=False)
    loop = TradingLoop(
        opened.shell, opened.market, opened.inbox, opened.calls, place.source.clock, speed=place.speed, link=opened.link_facts,
        # A machine that is busy with other things may be late by a second of its own; a second here is a minute there.
        config=LoopConfig(slot_lateness_max=timedelta(minutes=4, seconds=59), clock_difference_max=timedelta(minutes=10)),
    )
    thread = Thread(target=loop.run, name="trading")
    thread.start()
    try:
        yield opened, loop
    finally:
        loop.stop()
        thread.join(60)
        assert not thread.is_alive()
        opened.close()


def slots_of(opened: LiveHome) -> list[datetime]:
    return [row.slot for row in opened.store.scans.list(MAIN_BOOK, since=START)]


def after(opened: LiveHome, place: World, number: int) -> None:
    """Wait until slot `number` after START was worked, and a little more."""
    place.until(datetime(2026, 3, 2, 12, tzinfo=UTC) + number * STEP + timedelta(seconds=45))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = opened.calls.ask(lambda _desk: slots_of(opened), seconds=60)
        if found and found[-1] >= datetime(2026, 3, 2, 12, tzinfo=UTC) + number * STEP:
            return
        time.sleep(0.1)


def check_whole(opened: LiveHome, loop: TradingLoop, place: World, first: int, last: int) -> None:
    """Slots `first` to `last` were scanned, each once, and the bars shown are the market's own."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    found = opened.calls.ask(lambda _desk: slots_of(opened), seconds=60)
    assert found[: last - first + 1] == [noon + number * STEP for number in range(first, last + 1)]
    assert (loop.counts.missed, loop.errors.as_dict()) == (0, {"count": 0, "newest": {}})

    def compare(_desk: object) -> list[str]:
        wrong, end = [], noon + (last - 1) * STEP
        for symbol in SYMBOLS:
            stored = CandleStore(opened.store).between(symbol, Tier.M5, noon - 12 * STEP, end)
            truth = place.history.m5[symbol]
            truth = truth.filter((truth["timestamp"] >= noon - 12 * STEP) & (truth["timestamp"] + STEP <= end))
            if stored["timestamp"].to_list() != truth["timestamp"].to_list():
                wrong.append(f"{symbol}: {stored.height} bars instead of {truth.height}")
            elif not all(abs(one - other) <= 0.02 for one, other in zip(stored["close"], truth["close"], strict=True)):
                wrong.append(f"{symbol}: other closes")
        return wrong

    assert opened.calls.ask(compare, seconds=60) == []


@thorough
def test_every_slot_is_scanned_through_a_cut_and_silence_and_the_bars_are_whole(tmp_path: Path) -> None:
    with world(60) as place, trading(tmp_path, place) as (opened, loop):
        first = 1 + (opened.shell.now - START + timedelta(minutes=3)) // STEP
        after(opened, place, first)
        place.gate.cut()
        after(opened, place, first + 1)
        place.gate.hush()
        time.sleep(5.5)
        place.gate.unhush()
        after(opened, place, first + 4)
        check_whole(opened, loop, place, first, first + 3)
        assert opened.link.state().connections >= 3


@pytest.mark.parametrize("name", [pytest.param(each, marks=THOROUGH) for each in ("outage", "maintenance")])
def test_every_slot_is_scanned_through_an_hour_of(name: str, tmp_path: Path) -> None:
    with world(60) as place, trading(tmp_path, place) as (opened, loop):
        first = 1 + (opened.shell.now - START + timedelta(minutes=3)) // STEP
        after(opened, place, first)
        if name == "outage":
            place.gate.shut()
        else:
            place.exchange.do(lambda desk: desk.exchange.set_state(SystemState.MAINTENANCE))
        after(opened, place, first + 12)
        if name == "outage":
            place.gate.unshut()
        else:
            place.exchange.do(lambda desk: desk.exchange.set_state(SystemState.ONLINE))
        after(opened, place, first + 15)
        check_whole(opened, loop, place, first, first + 14)


def test_kraken_out_of_reach_at_the_start_is_told_and_tried_again_until_somebody_stops_it(tmp_path: Path) -> None:
    told: list[str] = []
    stopped = Event()

    def tell(_now: datetime, kind: str, sentence: str) -> None:
        told.append(f"{kind}: {sentence}")
        stopped.set()

    home = Home.private(tmp_path).create()
    settings = settings_for(home, account_overrides(SYMBOLS))
    with world(1) as place:
        place.gate.shut()
        source = replace(place.source, pace=_Hurried())
        with pytest.raises(NotNow, match="stopped before Kraken answered"):
            open_live(home, settings, Secrets(), source, tell=tell, stopped=stopped)
    assert told[0].startswith("waiting: Kraken cannot be asked for its pairs")


def test_an_invented_market_never_comes_into_a_home_of_real_prices(tmp_path: Path) -> None:
    home = Home.private(tmp_path).create()
    settings = settings_for(home, account_overrides(SYMBOLS))
    with world(1) as place:
        opened = open_live(home, settings, Secrets(), place.source, tell=lambda *_args: None, stopped=Event())
        opened.close()
        with pytest.raises(DataError, match="holds prices of test"):
            open_live(home, settings, Secrets(), replace(place.source, real=True), tell=lambda *_args: None, stopped=Event())


@pytest.mark.parametrize("speed", [pytest.param("20", marks=[*THOROUGH, pytest.mark.timeout(600)])])
def test_the_command_goes_on_after_a_kill_and_ends_in_order_on_sigterm(speed: str, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "deployments.cli.main", "shell", "--simulated", "--speed", speed, "--home", str(tmp_path / "home"),
        "--json",
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert _read_until(running, lambda line: " scan " in line), "no slot was scanned"
    running.kill()
    running.communicate(timeout=60)
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert _read_until(running, lambda line: " scan " in line), "no slot was scanned after the kill"
    running.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    out, _ = running.communicate(timeout=60)
    facts = json.loads(out.strip().splitlines()[-1])
    assert running.returncode == 0
    print(f"ended {time.monotonic() - begun:.1f} s after SIGTERM")
    assert (facts["errors"]["count"], facts["books_check"], facts["halted"]) == (0, [], [])
    assert facts["slots"]["done"] >= 1


def _read_until(running: subprocess.Popen[str], found: Callable[[str], bool]) -> bool:
    assert running.stderr is not None
    return any(found(line) for line in running.stderr)


class _Hurried:
    """Pauses of a hundredth."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)
