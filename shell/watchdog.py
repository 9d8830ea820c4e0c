"""The dead-man's beat: proof that the trading thread still answers, left where something outside can see that it stopped.

Every few seconds a question goes to the trading thread. Only its answer makes a beat: a file in the home with the time, and a
word to systemd where that started the shell (`NOTIFY_SOCKET`; sd_notify(3), read 2026-11-22). A shell that hangs or dies
leaves an old beat: `heartbeat_age` tells how old, for `brain status`, `brain doctor` and the flow `reconcile`.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from shell.calls import Calls
from shell.clock import Clock, parse_moment
from shell.companion import LinkHealth
from shell.errors import NotNow, OutcomeUnknown
from shell.home import Home

BEAT_SECONDS = 10.0
# Systemd is told at least twice within the time after which it would act.
BEATS_PER_WATCHDOG = 3
BEAT_FILE = "brain.heartbeat"
STALE = timedelta(seconds=60)
STOP_SECONDS = 3.0


def heartbeat_file(home: Home) -> Path:
    return home.database.with_name(BEAT_FILE)


def heartbeat_age(home: Home, now: datetime) -> timedelta | None:
    """How long ago the shell of `home` last proved that it trades; None when it never did or was stopped in good order."""
    return beat_age(heartbeat_file(home), now)


def beat_age(file: Path, now: datetime) -> timedelta | None:
    """The same of a beat's file."""
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        return max(now - parse_moment(str(written["at"])), timedelta(0))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # A beat that cannot be read proves nothing: as old as can be.
        return timedelta.max


class Watchdog:
    """A companion. `environ` is where systemd leaves NOTIFY_SOCKET and WATCHDOG_USEC."""

    def __init__(
        self, home: Home, clock: Clock, environ: Mapping[str, str] = os.environ, *, every: float | None = None
    ) -> None:
        self._home, self._clock = home, clock
        self._socket = environ.get("NOTIFY_SOCKET", "")
        given = environ.get("WATCHDOG_USEC", "")
        limit = int(given) / 1e6 if given.isdigit() and int(given) else BEAT_SECONDS * BEATS_PER_WATCHDOG
        self._every = every or min(BEAT_SECONDS, limit / BEATS_PER_WATCHDOG)
        self._quit = Event()
        self._thread: Thread | None = None
        self._trouble = "not started"
        self.beats = 0

    @property
    def name(self) -> str:
        return "Watchdog"

    def start(self, calls: Calls) -> None:
        self._trouble = "no beat yet"
        self._thread = Thread(target=self._watch, args=(calls,), name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """A shell that is stopped in good order leaves no beat behind, so that nobody is alarmed."""
        if self._quit.is_set():
            return
        self._quit.set()
        if self._thread is not None:
            self._tell_systemd("STOPPING=1")
            self._thread.join(STOP_SECONDS)
            with suppress(OSError):
                heartbeat_file(self._home).unlink(missing_ok=True)
        self._trouble = "stopped"

    def health(self) -> LinkHealth:
        return LinkHealth(name=self.name, ok=not self._trouble, sentence=self._trouble)

    def _watch(self, calls: Calls) -> None:
        while not self._quit.is_set():
            try:
                calls.ask(lambda _desk: None, seconds=max(self._every, 1.0))
            except (NotNow, OutcomeUnknown) as error:
                self._trouble = f"the trading thread did not answer: {error}"
            else:
                self._beat()
            self._quit.wait(self._every)

    def _beat(self) -> None:
        file = heartbeat_file(self._home)
        fresh = file.with_name(f".{file.name}.new")
        try:
            text = json.dumps({"at": self._clock.now().isoformat(), "pid": os.getpid()})
            fresh.write_text(text, encoding="utf-8")
            os.replace(fresh, file)
        except OSError as error:
            self._trouble = f"{file} cannot be written: {error.strerror}"
            return
        self._trouble = ""
        self._tell_systemd("WATCHDOG=1" if self.beats else "READY=1\nWATCHDOG=1")
        self.beats += 1

    def _tell_systemd(self, words: str) -> None:
        """One datagram; that nobody listens is no trouble of ours."""
        if not self._socket:
            return
        # An address that begins with @ is in the abstract namespace.
        address = "\0" + self._socket[1:] if self._socket.startswith("@") else self._socket
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.sendto(words.encode(), address)
