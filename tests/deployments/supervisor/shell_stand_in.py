"""A shell process for tests of what is around it: a real desk and control API on a home, real slots, a replayed market.

    python -m tests.deployments.supervisor.shell_stand_in FOLDER [SLOT_SECONDS]

Every SLOT_SECONDS of real time are one 5-minute step of a synthetic market whose clock is laid on the machine's: the slot
scanned is the machine's newest one, so that flows see the times they expect.
"""

from __future__ import annotations

import signal
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event

from deployments.opening import account_overrides, open_replay, settings_for
from shell.calls import Calls
from shell.clock import SystemClock, from_ms, to_ms
from shell.control.server import ControlApi
from shell.desk import Desk
from shell.home import Home
from shell.log import configure
from shell.market.bars import Tier
from shell.market.synthetic import synthetic_market

SYMBOLS = ("BTC/USD", "ETH/USD")


def main(folder: Path, days: int = 3) -> None:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    home = Home.private(folder)
    settings = settings_for(home, account_overrides(SYMBOLS))
    configure(home, "info", name="stand-in")
    clock = SystemClock()
    begin = from_ms(to_ms(clock.now()) // Tier.M5.ms * Tier.M5.ms)
    history = synthetic_market(5, SYMBOLS, begin - timedelta(days=40), 42)
    opened = open_replay(home, settings, history, begin, begin + timedelta(days=1))
    opened.shell.start(begin)
    calls, desk = Calls(), Desk(opened.shell)
    api = ControlApi(home.control_socket)
    api.start(calls)
    print('{"shell": "ready"}', flush=True)
    slot = begin + timedelta(minutes=5)
    while not stop.is_set():
        now = clock.now()
        if now >= slot:
            opened.shell.step(slot, origin=opened.shell.slots.take(slot))
            slot += timedelta(minutes=5)
        else:
            opened.shell.step(now, origin="requested", scan=False)
        if calls.wait(0.5):
            calls.answer(desk)
    calls.close("the shell is stopping")
    api.stop()
    opened.shell.shutdown(opened.shell.now)
    opened.close()
    print('{"shell": "stopped"}', flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
