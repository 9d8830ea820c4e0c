"""The fast path: one backtest whose history and engine live in the strategy's own locked process (D8).

For searches. Nothing crosses a wall at each step, so a run takes a fraction of the certified one's time and gives the same
books; but the future lies in the strategy's memory and the books within its reach, so its result is never evidence for the
gate. The strategy's code does not come into this process, and nothing its process says is believed before it is checked.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Self

from shell.backtest.fast_wire import (
    BEAT_BYTES,
    FINISHING,
    REFUSAL_BYTES_MAX,
    STARTING,
    decode_beat,
    decode_refusal,
    encode_source,
    encode_terms,
)
from shell.backtest.ground import Ground, write_ground
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.result_expected import Expected
from shell.backtest.result_stream import ReceivedRows
from shell.backtest.result_wire import answer_bytes_max, decode_result
from shell.backtest.run import Progress, onwards, uncollected
from shell.backtest.window import Window, ground_of, window_of
from shell.clock import from_ms, monotonic, to_ms
from shell.errors import StrategyFault
from shell.host.frames import FramesWanted, touches_frames
from shell.host.isolation import attested, isolation_is_complete, read_isolation
from shell.host.policy import require_policy
from shell.host.port import StrategySource
from shell.host.process import COMMON_HASH_SEED, ChildProcess
from shell.host.spawn import CHILD_FOLDERS, CHILD_PACKAGES, Program
from shell.host.validate import MESSAGE_CHARS_MAX, harmless
from shell.host.wire import HEADER, Kind
from shell.log import get_logger
from shell.market.bars import Tier
from shell.market.history import History

FAST_BACKTEST = Program(
    entry="shell.backtest.fast_framed",
    folders=(
        *CHILD_FOLDERS, "shell/backtest", "shell/exchange", "shell/execution", "shell/portfolio", "shell/risk",
    ),
    packages=(*CHILD_PACKAGES, "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
)
# For a strategy that touches no frame (`shell.host.frames`).
FRAMELESS_BACKTEST = FAST_BACKTEST._replace(entry="shell.backtest.fast_frameless", frames=False)
# On top of a call's limit: beats come some tenths of a second apart, and a busy machine is late with them.
GRACE_SECONDS = 1.0
WAIT_SECONDS = 0.25
CHUNK_BYTES = 1 << 20
# Honest beats of one slot: a start, a scan, the same again after a library's panic, the end.
BEATS_A_SLOT_MAX = 16
_CALL = "the backtest"


def run_fast(
    source: StrategySource,
    history: History,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    settings: BacktestSettings,
    progress: Progress | None = None,
    check_policy: bool = True,
) -> BacktestResult:
    """What `run_backtest` answers, fill for fill, with `certified` false; one fresh process a run.

    Raises as `run_backtest` does, and StrategyFault ("timeout", "killed", "attempt", "bad_reply") for what ends the
    strategy's process, which here ends the run.
    """
    with FastBench(history, start=start, end=end, settings=settings) as bench:
        return bench.run(source, progress, check_policy=check_policy)


class FastBench:
    """One history, account and period; one process, in which strategies are run one after the other.

    For one strategy it is `run_fast`. Several save the start of a process each, and share one: a hostile one could then reach
    those that come after it. So several only where every source is our own and nothing that comes out is evidence.
    """

    def __init__(
        self, history: History, *, start: datetime | None, end: datetime | None, settings: BacktestSettings
    ) -> None:
        self._history = history
        self._settings = settings
        self._start, self._end = start, end
        self._held = contextlib.ExitStack()
        self._child: ChildProcess | None = None
        self._ground: Ground | None = None

    def run(
        self, source: StrategySource, progress: Progress | None = None, *, check_policy: bool = True
    ) -> BacktestResult:
        """As `run_fast`. A fault that leaves the process in doubt ends it; the next run begins another one."""
        begun = monotonic()
        if check_policy:
            require_policy(source)
        window = window_of(self._history, self._start, self._end)
        expected = Expected(symbols=self._history.symbols, start=window.start, end=window.end)
        progress = onwards(progress)
        try:
            result = self._asked(source, window, expected, progress, frames=touches_frames(source))
        except FramesWanted:
            # Its text did not show it. All of that run is forgotten, and nothing of it was seen by anybody.
            self.close()
            result = self._asked(source, window, expected, progress, frames=True)
        return replace(result, seconds=monotonic() - begun)

    def close(self) -> None:
        """End the process and let go of the history. A later run begins anew."""
        self._child = None
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(
        self, source: StrategySource, window: Window, expected: Expected, progress: Progress | None, *, frames: bool
    ) -> BacktestResult:
        """The result from a process that has what the strategy needs, the last one if that does."""
        try:
            if frames and self._child is not None and not self._child.program.frames:
                self.close()
            child = self._child or self._started(window, FAST_BACKTEST if frames else FRAMELESS_BACKTEST)
            return _Conversation(child, expected, self._settings, progress).result(source)
        except StrategyFault as fault:
            raise self._ended_by(fault) from None
        except BaseException:
            # No ground, no room for it, a caller who gave up: the next run must not take the process for one that waits.
            self.close()
            raise

    def _started(self, window: Window, program: Program) -> ChildProcess:
        file = self._held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        handed = self._held.enter_context(read_only(file.fileno()))
        child = self._child = self._held.enter_context(_child(handed, program))
        # Laid out while the process starts: it looks into the file when it has the terms.
        if self._ground is None:
            self._ground = ground_of(self._history, window, float(self._settings.paper.taker_fee_pct))
        write_ground(self._ground, file)
        seconds = self._settings.host.start_timeout.total_seconds()
        reply = child.exchange(Kind.START, encode_terms(self._settings), seconds, "start")
        _judge(reply, child.pid)
        return child

    def _ended_by(self, fault: StrategyFault) -> StrategyFault:
        child = self._child
        self.close()
        return fault if child is None else _with_last_words(fault, child)


@contextlib.contextmanager
def read_only(descriptor: int) -> Iterator[int]:
    """The same file, opened for reading: what is mapped through it cannot be made writable again by who is in there."""
    try:
        handed = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # No such folder: macOS. There the file is this run's alone.
        handed = os.dup(descriptor)
    try:
        yield handed
    finally:
        os.close(handed)


@contextlib.contextmanager
def _child(ground: int, program: Program) -> Iterator[ChildProcess]:
    try:
        child = ChildProcess(COMMON_HASH_SEED, program, (ground,))
    except OSError as error:
        raise StrategyFault("killed", f"no process could be started for the backtest: {error.strerror}") from error
    try:
        yield child
    finally:
        child.kill()


def _judge(reply: bytes, pid: int) -> None:
    """Say once if the wall is incomplete. No key, ledger or file is behind it, so the run goes on. The strategy's code has
    not been sent yet, so the reply is our own."""
    isolation = read_isolation(json.loads(reply))
    if isolation is None:
        raise StrategyFault("bad_reply", "the answer to start tells of the wall in another form")
    missing = isolation_is_complete(attested(isolation, pid))
    if missing:
        _warn_once(missing)


@functools.cache
def _warn_once(missing: str) -> None:
    get_logger().warning("fast backtests run, as other backtesters do, without a whole wall", missing=missing)


def _with_last_words(fault: StrategyFault, child: ChildProcess) -> StrategyFault:
    """The fault, and of a process that died what it said last: an engine's mistake in there shows nowhere else."""
    lines = child.last_words.strip().splitlines()
    if fault.kind != "killed" or not lines:
        return fault
    return StrategyFault("killed", f"{fault}: {harmless(lines[-1], MESSAGE_CHARS_MAX)}", fault.line)


class _Conversation:
    """One run's beats, rows and answer, under the deadlines that a hosted strategy's calls have. Rows extend none of them."""

    def __init__(
        self, child: ChildProcess, expected: Expected, settings: BacktestSettings, progress: Progress | None
    ) -> None:
        self._child = child
        self._expected = expected
        self._call_seconds = settings.host.call_timeout.total_seconds()
        self._start_seconds = settings.host.start_timeout.total_seconds()
        self._progress = progress
        self._buffer = bytearray()
        self._received = ReceivedRows(expected)
        self._finishing = False
        self._request_id = -1
        self._allowed = self._deadline = 0.0
        self._slot = self._beats = 0

    def result(self, source: StrategySource) -> BacktestResult:
        """What the run comes to; how long it took is for the caller to say. Raises what the run raised, or StrategyFault."""
        self._request_id = self._child.send(Kind.RUN, encode_source(source), self._start_seconds, _CALL)
        self._allow(self._start_seconds)
        while True:
            kind, body = self._frame()
            if kind == Kind.BEAT:
                self._heard(*decode_beat(body))
            elif kind == Kind.TABLE:
                self._take(body)
            elif kind == Kind.FAULT:
                raise decode_refusal(body)
            else:
                return self._answered(body)

    def _take(self, block: bytes) -> None:
        if self._finishing:
            raise StrategyFault("bad_reply", "the backtest's process sent rows after the end of the run")
        with uncollected():
            self._received.add(block)

    def _answered(self, body: bytes) -> BacktestResult:
        if self._buffer:
            raise StrategyFault("bad_reply", "the backtest's process said more after its answer")
        self._tell(self._expected.steps)
        with uncollected():
            return decode_result(body, self._expected, 0.0, self._received)

    def _heard(self, slot: int, phase: int) -> None:
        steps = self._expected.steps
        self._beats = self._beats + 1 if slot == self._slot else 0
        if not self._slot <= slot <= steps or self._beats > BEATS_A_SLOT_MAX:
            raise StrategyFault("bad_reply", "the backtest's process tells of a progress that is none")
        self._slot = slot
        self._finishing |= phase == FINISHING
        # First: how long the caller takes to hear of it is not the strategy's time.
        self._tell(slot)
        self._allow(self._start_seconds if phase in (STARTING, FINISHING) else self._call_seconds)

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self._expected.steps)

    def _allow(self, seconds: float) -> None:
        self._allowed = seconds
        self._deadline = monotonic() + seconds + GRACE_SECONDS

    def _frame(self) -> tuple[int, bytes]:
        length, request_id, kind = HEADER.unpack(self._read(HEADER.size))
        most = {
            Kind.BEAT: BEAT_BYTES, Kind.FAULT: REFUSAL_BYTES_MAX, Kind.TABLE: self._received.block_bytes_max,
            Kind.ANSWER: answer_bytes_max(self._expected, self._received),
        }.get(kind)
        if request_id != self._request_id or most is None:
            raise StrategyFault("bad_reply", "the backtest's process answered something that was not asked")
        if length > most:
            raise StrategyFault("bad_reply", f"the backtest's process answered {length} bytes; at most {most} are allowed")
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        buffer = self._buffer
        while len(buffer) < length:
            left = self._deadline - monotonic()
            if left <= 0:
                heard = from_ms(to_ms(self._expected.start) + self._slot * Tier.M5.ms)
                raise StrategyFault(
                    "timeout", f"{_CALL} did not go on for {self._allowed:g} s; it was last heard of at {heard:%Y-%m-%d %H:%M}"
                )
            buffer += self._child.receive(CHUNK_BYTES, min(left, WAIT_SECONDS), _CALL)
        data = bytes(buffer[:length])
        del buffer[:length]
        return data
