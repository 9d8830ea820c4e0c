"""A real shell on a home of its own, answered on a thread, with its control API and a client: what these tests talk to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from shell.calls import Calls
from shell.control.server import ControlApi
from shell.desk import Desk
from shell.home import Home
from shell.market.synthetic import synthetic_market
from tasks.socket_client import SocketClient

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
SYMBOLS = ("BTC/USD", "ETH/USD")
HISTORY_DAYS = 70


@dataclass(slots=True)
class Served:
    """`trade` is run on the trading thread between two answers, as a loop's step is."""

    opened: OpenHome
    calls: Calls
    api: ControlApi
    client: SocketClient

    def step(self) -> datetime:
        """One step of the market on the trading thread, as the loop takes it: its slot's origin from who registered."""

        def step(desk: Desk) -> datetime:
            now = desk.shell.now + STEP
            desk.shell.step(now, origin=desk.shell.slots.take(now))
            return now

        return self.calls.ask(step)


def opened_shell(folder: Path) -> OpenHome:
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=HISTORY_DAYS), HISTORY_DAYS + 2)
    home = Home.private(folder)
    held = open_replay(home, settings_for(home, account_overrides(SYMBOLS)), history, START, START + timedelta(days=1))
    held.shell.start(START)
    return held


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve a fresh home until the block ends."""
    calls, stop, ready = Calls(), Event(), Event()
    holder: list[OpenHome] = []

    def trade() -> None:
        holder.append(opened_shell(folder))
        ready.set()
        desk = Desk(holder[0].shell)
        while not stop.is_set():
            calls.wait(0.1)
            calls.answer(desk)
        holder[0].close()

    trading = Thread(target=trade, name="trading", daemon=True)
    trading.start()
    assert ready.wait(60), "the shell did not start"
    opened = holder[0]
    api = ControlApi(opened.home.control_socket)
    api.start(calls)
    client = SocketClient(opened.home.control_socket, connect_seconds=5)
    try:
        yield Served(opened, calls, api, client)
    finally:
        client.close()
        api.stop()
        stop.set()
        calls.close("the shell is stopping")
        trading.join(20)
