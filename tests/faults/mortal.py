"""The execution core in a process of its own that is killed with SIGKILL, while the exchange lives on in the caller's.

A nursery, started once, has everything imported and forks one process a life; each reaches the exchange through a pipe of
messages, so the caller knows at which of them it kills. Run as a program it is the nursery: `python -m tests.faults.mortal`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import structlog

from shell.clock import VirtualClock
from shell.exchange.simulator.desk import Desk
from tests.faults.drawn import drawn_price, drawn_signal
from tests.shell.exchange.live.stage import START, Stage

ROOT = Path(__file__).resolve().parents[2]
SCANS_A_LIFE = 6
# A step commits within some milliseconds: kills land before, in and after that.
INTO_SECONDS = 0.012
WAIT_SECONDS = 120.0


class Moment(Enum):
    """When in the life of a request the process dies."""

    BEFORE = "before it arrives"
    AFTER = "after it took effect, before its answer"
    THEN = "some milliseconds after its answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """At the request of that number, and so many seconds later."""

    request: int
    moment: Moment
    seconds: float


def drawn_death(chance: random.Random) -> Death:
    moment = chance.choice((Moment.BEFORE, Moment.AFTER, Moment.THEN, Moment.THEN))
    return Death(request=chance.randint(1, 24), moment=moment, seconds=chance.uniform(0, INTO_SECONDS))


# -- in the caller's process ----------------------------------------------------------------------------------------


class Nursery:
    """Begins lives on `desk`, and ends them."""

    def __init__(self, folder: Path) -> None:
        self._listener = Listener(str(folder / "pipe"), "AF_UNIX")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.mortal", str(folder / "pipe")], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.complaint = ""

    def live(
        self, desk: Desk, folder: Path, *, seed: int, death: Death, watch: Callable[[], None], risk: Any
    ) -> bool:
        """One life at `folder`'s database from the exchange's present on. True when it was killed, False when it ended first.

        Raises AssertionError with what the process said when it ended by itself in another way.
        """
        conn, pid = self._begin(folder, seed, desk.exchange.now, risk)
        sessions: list[Any] = []
        killed, requests = False, 0
        try:
            while True:
                name, arguments = conn.recv()
                requests += name == "request"
                here = requests == death.request and name == "request"
                if here and death.moment is Moment.BEFORE:
                    killed = True
                    break
                answer = _served(desk, sessions, name, arguments)
                watch()
                if here and death.moment is Moment.AFTER:
                    killed = True
                    break
                conn.send(answer)
                if here:
                    time.sleep(death.seconds)
                    killed = True
                    break
        except (EOFError, ConnectionResetError, BrokenPipeError):
            pass
        finally:
            if killed:
                os.kill(pid, signal.SIGKILL)
            code = self._ended(pid)
            conn.close()
            for session in sessions:
                desk.disconnect(session)
        assert code == (-signal.SIGKILL if killed else 0) or (killed and code == 0), f"a life ended with {code}, seed {seed}"
        return killed and code != 0

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(WAIT_SECONDS)
        self._process.stdout.close()
        self._listener.close()

    def _begin(self, folder: Path, seed: int, now: datetime, risk: Any) -> tuple[Connection, int]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("live\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        conn = self._listener.accept()
        conn.send((folder, seed, now, risk))
        return conn, pid

    def _ended(self, pid: int) -> int:
        """The exit code of a life, negative for a signal."""
        assert self._process.stdout is not None
        told, code = self._process.stdout.readline().split()
        assert int(told) == pid
        return os.waitstatus_to_exitcode(int(code))


@contextlib.contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    opened = Nursery(folder)
    try:
        yield opened
    finally:
        opened.close()


def _served(desk: Desk, sessions: list[Any], name: str, arguments: tuple[Any, ...]) -> Any:
    """One message of a life, answered by the exchange itself."""
    match name:
        case "keys":
            return desk.key, desk.secret
        case "request":
            return desk.request(*arguments)
        case "advance_to":
            return desk.exchange.advance_to(*arguments)
        case "print_trade":
            desk.exchange.print_trade(*arguments)
            return None
        case "connect":
            sessions.append(desk.connect(private=True))
            return len(sessions) - 1
        case "disconnect":
            desk.disconnect(sessions[arguments[0]])
            return None
        case "receive":
            sessions[arguments[0]].receive(arguments[1])
            return None
        case "drain":
            session = sessions[arguments[0]]
            told = list(session.outbox)
            session.outbox.clear()
            return told, session.silent_s, session.cut
        case "hear":
            sessions[arguments[0]].silent_s *= 0
            return None
        case _:
            raise AssertionError(f"a life asked for {name}")


# -- in a life's process --------------------------------------------------------------------------------------------


class RemoteDesk:
    """The desk as a life sees it: `Stage` needs no more than this. It is its own `exchange`."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.exchange = self
        self.key, self.secret = self.ask("keys")

    def ask(self, name: str, *arguments: Any) -> Any:
        self._conn.send((name, arguments))
        return self._conn.recv()

    def request(self, request: Any) -> Any:
        return self.ask("request", request)

    def advance_to(self, moment: datetime) -> None:
        self.ask("advance_to", moment)

    def print_trade(self, pair: str, price: str, volume: str) -> None:
        self.ask("print_trade", pair, price, volume)

    def connect(self, *, private: bool) -> RemoteSession:
        assert private
        return RemoteSession(self, self.ask("connect"))

    def disconnect(self, session: RemoteSession) -> None:
        self.ask("disconnect", session.number)


class RemoteSession:
    """A private socket whose other end is in the caller's process."""

    def __init__(self, desk: RemoteDesk, number: int) -> None:
        self.number = number
        self.cut = False
        self._desk = desk
        self._silent: Any = 0
        self._heard: deque[str] = deque()

    def receive(self, text: str) -> None:
        self._desk.ask("receive", self.number, text)

    @property
    def outbox(self) -> deque[str]:
        if not self._heard:
            told, self._silent, self.cut = self._desk.ask("drain", self.number)
            self._heard.extend(told)
        return self._heard

    @property
    def silent_s(self) -> Any:
        return self._silent

    @silent_s.setter
    def silent_s(self, seconds: Any) -> None:
        self._silent = seconds
        self._desk.ask("hear", self.number)


class Mortal(Stage):
    """A stage whose clock begins where the exchange's stands."""

    def __init__(self, folder: Path, now: datetime, **options: Any) -> None:
        self._begins = now
        super().__init__(folder, **options)

    def open(self) -> None:
        clock: VirtualClock = self.clock
        clock.advance_to(max(self._begins, START))
        super().open()


def life(conn: Connection) -> None:
    """Signals, prices and steps by a seed, until somebody kills it or its scans are done."""
    folder, seed, now, risk = conn.recv()
    desk: Any = RemoteDesk(conn)
    chance = random.Random(seed)
    on = Mortal(folder, now, desk=desk, risk=risk)
    on.step(1)
    for _ in range(SCANS_A_LIFE):
        on.host.script = {on.host.scans: [drawn_signal(chance)]}
        on.scan()
        if chance.random() < 0.3:
            on.price(drawn_price(chance), tell=chance.random() < 0.8)
        on.step(chance.choice((1, 4, 16)))
    on.close()


def main(address: str) -> None:
    """Fork a life for every line; tell its pid when it begins, and how it ended when it has."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            life(Client(address, "AF_UNIX"))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(child, status, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
