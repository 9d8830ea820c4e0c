"""Runs hostile modules without walls, each process thrown away after its first damage: shows that an attack really works."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Self

from shell.host.wire import HEADER, Kind, frame
from tests.hostile.breaches import breaches_of_signals, breaches_of_state
from tests.hostile.catalogue import FOLDER, Attack, source_of
from tests.hostile.observer import Observer
from tests.hostile.prizes import Prize
from tests.hostile.walled import START_SECONDS, Outcome, forged, fresh_mark
from tests.hostile.world import World
from tests.shell.host.sources import SYMBOLS

# A trusting caller reads what it is sent; past this it would have been flooded.
REPLY_BYTES_MAX = 1 << 20
PATIENCE_SECONDS = 20.0
# Attacks for these may not answer at all, because what they talk to does not answer them.
_WAITED_FOR = {Prize.LATE, Prize.PROCESS, Prize.RECEIVED}
# Without walls a bomb goes off, so here it is a small one.
SMALL_BOMB_BYTES = 400 << 20


class Late(Exception):
    """No reply in time."""


class Died(Exception):
    """The process is gone."""


class Unwalled:
    """One `unwalled.py`, spoken to in good faith: replies are taken in the order in which they come."""

    def __init__(self, mark: str) -> None:
        self._socket, theirs = socket.socketpair()
        root = str(FOLDER.parents[1])
        environment = {**os.environ, "PYTHONHASHSEED": mark, "POLARS_MAX_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", str(FOLDER / "unwalled.py"), root, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd="/",
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._count = 0
        self.pid = self._process.pid

    def ask(self, kind: Kind, body: bytes, seconds: float) -> tuple[int, bytes]:
        """(kind, body) of the next reply. Raises Late, Died; OverflowError for a reply of absurd length."""
        self._count += 1
        until = time.monotonic() + seconds
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(frame(self._count, kind, body))
            length, _, answered = HEADER.unpack(self._read(HEADER.size, until))
            if length > REPLY_BYTES_MAX:
                raise OverflowError(f"{length} bytes")
            return answered, self._read(length, until)
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Died from None

    def _read(self, count: int, until: float) -> bytes:
        data = b""
        while len(data) < count:
            if time.monotonic() > until:
                raise Late
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise Died
            data += piece
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()


# Won at no cost to the process that won it: it may go on to the next attack.
_UNHURT = {Prize.TOLD, Prize.FILES, Prize.RECEIVED, Prize.VICTIM, Prize.SIGNALLED, Prize.MEMORY_OF_OTHERS, Prize.KERNEL_OBJECT,
           Prize.DESCRIPTOR, Prize.CODE, Prize.CONTRACT, Prize.CRASH, Prize.THREAD}  # fmt: skip
# Won without changing anything in the world.
_UNCHANGED = {Prize.TOLD, Prize.DESCRIPTOR, Prize.CODE, Prize.CONTRACT, Prize.CRASH, Prize.THREAD}


def run_unwalled(attacks: Iterable[Attack], world: World) -> Iterator[Outcome]:
    """Each attack in turn; another process once one has been changed or taken down."""
    waiting = deque(attacks)
    while waiting:
        mark = fresh_mark()
        with Unwalled(mark) as process:
            observer = Observer(world, process.pid, mark, SMALL_BOMB_BYTES)
            spoilt, first = False, waiting[0]
            while waiting and not spoilt:
                attack = waiting.popleft()
                source = source_of(attack.module)
                state = {"plan": [attack.name], "world": world.facts() | {"bomb_bytes": SMALL_BOMB_BYTES}}
                start = {"code": source.code, "skills": dict(source.skills), "state": state}
                try:
                    process.ask(Kind.START, json.dumps(start).encode(), START_SECONDS)
                except (Died, Late):
                    # The attack before did more damage than it showed; a process that never worked is another matter.
                    if attack is first:
                        raise
                    waiting.appendleft(attack)
                    spoilt = True
                    break
                outcome = _run(attack, process, observer)
                yield outcome
                # An answered fault is a crash only for whoever runs strategies in the process that trades.
                spoilt = attack.alone or attack.spoils or outcome.how != "answered" or not outcome.won <= _UNHURT
                if not spoilt and not outcome.won <= _UNCHANGED:
                    world.renew()
            observer.end_descendants()
        if spoilt:
            world.renew()


def _run(attack: Attack, process: Unwalled, observer: Observer) -> Outcome:
    observer.before()
    said: list[str] = []
    won: set[Prize] = set()
    how = "answered"
    seconds = attack.seconds if attack.prize in _WAITED_FOR else PATIENCE_SECONDS
    try:
        for step in range(1, attack.steps + 1):
            kind, reply = process.ask(Kind.ANALYZE, b"", seconds)
            said.append(reply.decode("utf-8", "replace"))
            won |= {Prize.CRASH} if kind == Kind.FAULT else _won_by(json.loads(reply), step)
            time.sleep(attack.pause if step < attack.steps else 0.0)
        if attack.asks == "state":
            kind, reply = process.ask(Kind.STATE, b"", seconds)
            broken = kind != Kind.FAULT and breaches_of_state(json.loads(reply))
            won |= {Prize.CRASH} if kind == Kind.FAULT else {Prize.CONTRACT} if broken else set()
    except Late:
        how, won = "timeout", won | {Prize.LATE}
    except Died:
        how, won = "killed", won | {Prize.CRASH}
    except (OverflowError, ValueError):
        how, won = "bad_reply", won | {Prize.CONTRACT}
    won |= observer.after(" ".join(said), attack.prize)
    return Outcome(attack=attack, won=frozenset(won), how=how, text=" ".join(said)[:500])


def _won_by(rows: Any, step: int) -> set[Prize]:
    tags = [row[-1] for row in rows if isinstance(row, list) and row] if isinstance(rows, list) else []
    return ({Prize.CONTRACT} if breaches_of_signals(rows, SYMBOLS) else set()) | forged(tags, step)
