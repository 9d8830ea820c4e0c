"""A shell from its start to its end: open the home, start in order, keep time until a signal, shut down in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Timer
from typing import Any

from rich.console import Console

from deployments.companions import companions_of
from deployments.live_opening import LiveHome, LiveSource, open_live
from deployments.live_view import LiveView
from deployments.opening import settings_for
from deployments.simulated_source import simulated
from shell.clock import SystemClock
from shell.config import LoopConfig, Settings
from shell.errors import NotNow
from shell.exchange.kraken.addresses import ENVIRONMENT, addresses_of
from shell.exchange.kraken.pace import RealPace
from shell.home import Home
from shell.log import configure
from shell.loop import TradingLoop
from shell.secrets import Secrets, load_secrets, read_environment

LOG_NAME = "shell"


def run_shell(
    home: Home, *, simulated: bool, speed: float, seed: int, data: Path | None, minutes: float, console: Console,
    live: bool = False,
) -> dict[str, Any]:
    """Run until SIGTERM, SIGINT or the end of `minutes`; returns the figures of the command.

    Raises NotNow when another process has the home, or live mode is refused.
    """
    home.create()
    settings = settings_for(home)
    if simulated:
        # Whatever the settings say of the real exchange.
        settings = settings.model_copy(update={"mode": "live" if live else "paper"})
    secrets = load_secrets(os.environ, home.env_file)
    configure(
        home, settings.log.level, console=False, name=LOG_NAME, file_bytes_max=settings.log.file_bytes_max,
        files_kept=settings.log.files_kept,
        secrets=secrets.known(),
    )
    stopped = Event()
    view = LiveView(console)
    with ExitStack() as held:
        held.enter_context(_signals(stopped))
        if minutes:
            timer = Timer(minutes * 60 / (speed if simulated else 1.0), stopped.set)
            timer.daemon = True
            timer.start()
            held.callback(timer.cancel)
        source = held.enter_context(_source(home, settings, simulated, speed, seed, data))
        view.head(settings, source, speed if simulated else 1.0)
        opened = _open(home, settings, secrets, source, view, stopped)
        if opened is None:
            return _nothing(settings)
        held.callback(opened.close)
        return _trade(opened, source, settings, view, stopped, speed if simulated else 1.0)


def _open(
    home: Home, settings: Settings, secrets: Secrets, source: LiveSource, view: LiveView, stopped: Event
) -> LiveHome | None:
    """The opened home, None when somebody ended the wait for Kraken."""
    try:
        return open_live(home, settings, secrets, source, tell=view.line, stopped=stopped)
    except NotNow as error:
        if not stopped.is_set():
            raise
        view.line(source.clock.now(), "system", str(error))
        return None


def _trade(
    opened: LiveHome, source: LiveSource, settings: Settings, view: LiveView, stopped: Event, speed: float
) -> dict[str, Any]:
    shell = opened.shell
    shell.on_record, shell.notices.on_told = view.record, view.notice
    shell.start(source.clock.now(), announce=False)
    companions, left_out = companions_of(shell, source.clock, opened.link_facts)
    for sentence in left_out:
        view.line(source.clock.now(), "beside", sentence)
    loop = TradingLoop(
        shell, opened.market, opened.inbox, opened.calls, source.clock, config=_at_speed(settings.loop, speed),
        companions=companions, link=opened.link_facts, tell=view.line, speed=speed, stopped=stopped,
    )
    loop.run()
    status = shell.status()
    return {
        "mode": settings.mode, "market": source.name, "real": source.real, **loop.counts.as_dict(),
        "errors": loop.errors.as_dict(), "positions": [dict(each) for each in status.positions], "cash": status.cash,
        "total_value": status.total_value, "halted": list(status.halted), "last_scan": status.last_scan,
        "strategy": {"version": status.active.version, "hash": status.active.hash},
        "books_check": shell.store.books.check("main"),
    }


def _at_speed(config: LoopConfig, speed: float) -> LoopConfig:
    """Where time is made to run, a second of this machine is many there: what bounds the machine is widened, within reason."""
    if speed == 1:
        return config
    return config.model_copy(update={
        "bar_grace": min(config.bar_grace * speed, timedelta(minutes=2)),
        "slot_lateness_max": timedelta(minutes=4, seconds=59),
        "clock_difference_max": min(config.clock_difference_max * speed, timedelta(minutes=10)),
    })


def _nothing(settings: Settings) -> dict[str, Any]:
    """What is told of a run that ended before Kraken could be reached."""
    return {
        "mode": settings.mode, "market": None, "slots": {"done": 0, "missed": 0, "incomplete": 0},
        "errors": {"count": 0, "newest": {}}, "positions": [], "cash": 0.0, "total_value": 0.0, "halted": [], "last_scan": None,
    }


@contextmanager
def _source(
    home: Home, settings: Settings, is_simulated: bool, speed: float, seed: int, data: Path | None
) -> Iterator[LiveSource]:
    if is_simulated:
        with simulated(home, settings.account.symbols, seed=seed, speed=speed, data=data) as source:
            yield source
        return
    named = read_environment(os.environ, home.env_file, ENVIRONMENT.values())
    addresses = addresses_of(settings.kraken, named)
    local = addresses.local
    name = f"a stand-in at {addresses.rest}" if local else "Kraken"
    yield LiveSource(addresses=addresses, clock=SystemClock(), pace=RealPace(), name=name, real=not local)


@contextmanager
def _signals(stopped: Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the run in order; a second one changes nothing."""

    def ask(_number: int, _frame: object) -> None:
        stopped.set()

    asked = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in asked]
    try:
        yield
    finally:
        for number, handler in zip(asked, before, strict=True):
            signal.signal(number, handler)
