"""One child process and the socket to it: spawned clean, spoken to in lockstep under a deadline, killed for good."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import socket
from collections.abc import Iterator
from threading import Lock

from shell.clock import monotonic
from shell.errors import StrategyFault
from shell.host.frames import FRAMES_WANTED, FramesWanted
from shell.host.lane import LaneEnds, available
from shell.host.spawn import STRATEGY_HOST, Handed, Program, spawn
from shell.host.validate import decode_fault
from shell.host.wire import CHUNK_BYTES, HEADER, REPLY_BYTES_MAX, Kind, frame, ready_soon

STDERR_BYTES_MAX = 64 * 1024
COMMON_HASH_SEED = "0"
_SIGN = frame(0, Kind.SIGN, b"")


class ChildProcess:
    """A running child. After any StrategyFault raised here it must be killed; what it says later means nothing. Where a
    StrategyFault is raised because the process has ended, one without polars that was asked for it raises FramesWanted."""

    def __init__(self, hash_seed: str, program: Program = STRATEGY_HOST, extra: tuple[int, ...] = ()) -> None:
        ours, theirs = socket.socketpair()
        self.lane = LaneEnds() if program.lane and available() else None
        self.program = program
        with theirs:
            try:
                lane = self.lane.descriptors if self.lane else ()
                self._process = spawn(Handed(theirs.fileno(), lane, extra), hash_seed, program)
            except OSError:
                ours.close()
                raise
            finally:
                if self.lane is not None:
                    self.lane.release_descriptors()
        self._socket = ours
        self.poller = select.poll()
        self.poller.register(ours, select.POLLIN)
        self._request_id = 0
        self.last_words = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def exchange(self, kind: Kind, body: bytes, seconds: float, call: str) -> bytes:
        """Send one request and return the body of its answer.

        Raises StrategyFault: "timeout" after `seconds`, "killed" when the process ended, "attempt" when the kernel ended it
        for a call that honest code never makes, "bad_reply" when the reply is not this request's, and whatever fault the
        child reports of itself.
        """
        self._request_id = _unforeseen()
        deadline = monotonic() + seconds
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(frame(self._request_id, kind, body))
            answered, reply = self._receive(deadline)
        except TimeoutError:
            raise StrategyFault("timeout", f"{call} did not answer within {seconds:g} s") from None
        except OSError:
            raise self._epitaph(call) from None
        if answered == Kind.FAULT:
            raise decode_fault(reply)
        return reply

    def send(self, kind: Kind, body: bytes, seconds: float, call: str) -> int:
        """Send a request whose answer is more than one frame, to be read by `receive`; returns the request's id.

        Raises StrategyFault as `exchange` does.
        """
        self._request_id = _unforeseen()
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(frame(self._request_id, kind, body))
        except TimeoutError:
            raise StrategyFault("timeout", f"{call} was not taken in within {seconds:g} s") from None
        except OSError:
            raise self._epitaph(call) from None
        return self._request_id

    def receive(self, bytes_max: int, seconds: float, call: str) -> bytes:
        """Some bytes, empty if none come within `seconds`. Raises StrategyFault when the process has ended."""
        if not self.poller.poll(max(0.0, seconds) * 1000):
            return b""
        try:
            self._socket.setblocking(False)
            data = self._socket.recv(bytes_max)
        except OSError:
            raise self._epitaph(call) from None
        if not data:
            raise self._epitaph(call)
        return data

    def sign(self) -> None:
        """Tell a child that waits on the socket to look at the lane. A child that is gone is noticed when its answer is."""
        with contextlib.suppress(OSError):
            self._socket.send(frame(0, Kind.SIGN, b""), socket.MSG_DONTWAIT)

    def read_signs(self, call: str) -> None:
        """Take the child's signs off the socket. Raises StrategyFault if it is gone or said anything else."""
        try:
            self._socket.setblocking(False)
            data = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            raise self._epitaph(call) from None
        if not data:
            raise self._epitaph(call)
        if data.replace(_SIGN, b""):
            raise StrategyFault("bad_reply", "the strategy's process answered something that was not asked")

    def kill(self) -> None:
        """End the child and everything in its session, and reap it. Never raises."""
        if self._process.returncode is None:
            # Until it is reaped its id cannot belong to anybody else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._socket.close()
        self._process.wait()
        if self.lane is not None:
            self.lane.close()
            self.lane = None
        stderr = self._process.stderr
        if stderr is not None and not stderr.closed:
            os.set_blocking(stderr.fileno(), False)
            with contextlib.suppress(OSError):
                self.last_words = os.read(stderr.fileno(), STDERR_BYTES_MAX).decode(errors="replace")
            stderr.close()

    def _receive(self, deadline: float) -> tuple[int, bytes]:
        data = self._read(deadline)
        while len(data) < HEADER.size or data[: HEADER.size] == _SIGN:
            # A sign that was not needed any more when it came.
            data = data[HEADER.size :] if data[: HEADER.size] == _SIGN else data + self._read(deadline)
        length, request_id, kind = HEADER.unpack_from(data)
        if request_id != self._request_id or kind not in (Kind.ANSWER, Kind.FAULT):
            raise StrategyFault("bad_reply", "the strategy's process answered something that was not asked")
        if length > REPLY_BYTES_MAX:
            raise StrategyFault("bad_reply", f"the answer has {length} bytes; at most {REPLY_BYTES_MAX} are allowed")
        end = HEADER.size + length
        if len(data) < end:
            parts, missing = [data], end - len(data)
            while missing > 0:
                parts.append(self._read(deadline))
                missing -= len(parts[-1])
            data = b"".join(parts)
        if len(data) > end:
            raise StrategyFault("bad_reply", "the strategy's process answered more than was asked")
        return kind, data[HEADER.size :]

    def _read(self, deadline: float) -> bytes:
        ready_soon(self.poller)
        data = self._socket.recv(CHUNK_BYTES)
        if not data:
            raise ConnectionResetError
        # Each read has the whole timeout, so a trickle of bytes is cut off here.
        if monotonic() > deadline:
            raise TimeoutError
        return data

    def _epitaph(self, call: str) -> StrategyFault:
        self.kill()
        code = self._process.returncode
        if code == FRAMES_WANTED and not self.program.frames:
            raise FramesWanted
        if code == -signal.SIGSYS:
            return StrategyFault("attempt", f"the strategy tried during {call} what only an attack does, and was killed for it")
        if code is not None and code < 0 and -code != signal.SIGKILL:
            return StrategyFault("killed", f"the strategy's process died during {call} ({signal.Signals(-code).name})")
        return StrategyFault("killed", f"the strategy's process ended during {call}")


def _unforeseen() -> int:
    """A request's number that cannot be guessed: a reply written before its request came does not bear it."""
    return secrets.randbits(32)


class Spares:
    """Children started ahead of need, for callers that run many strategies in a row; each still serves one strategy.

    A start takes 0.4 s on an idle processor, most of it importing; inside `kept()` it passes while the run before works.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._keeping = 0
        self._ready: ChildProcess | None = None

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep one child ahead until the block ends."""
        with self._lock:
            self._keeping += 1
        try:
            yield
        finally:
            with self._lock:
                self._keeping -= 1
                left, self._ready = (self._ready, None) if not self._keeping else (None, self._ready)
            if left is not None:
                left.kill()

    def take(self, hash_seed: str, program: Program = STRATEGY_HOST) -> ChildProcess:
        """A child that has served nobody and runs `program`, and the next one of that kind on its way."""
        if hash_seed != COMMON_HASH_SEED:
            return ChildProcess(hash_seed, program)
        with self._lock:
            child, self._ready = self._ready, None
            if self._keeping:
                self._ready = ChildProcess(COMMON_HASH_SEED, program)
        if child is not None and child.program is not program:
            child.kill()
            child = None
        return child or ChildProcess(COMMON_HASH_SEED, program)


SPARES = Spares()
