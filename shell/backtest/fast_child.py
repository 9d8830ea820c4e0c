"""The locked process of a fast backtest: history and engine beside the strategy, and no key, ledger or file (D2, D8).

The same walls in the same order as around a hosted strategy. The ground is mapped and the account's terms are read before
the last of them stand; the strategy's code comes after. What this process says is checked in `shell.backtest.result_wire`.
"""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Callable
from functools import partial

from shell.backtest.fast_wire import FINISHING, GOING, STARTING, decode_source, decode_terms, encode_beat, encode_refusal
from shell.backtest.ground import Ground, read_ground
from shell.backtest.result import BacktestSettings
from shell.backtest.result_wire import encode_result
from shell.backtest.run import run_over
from shell.clock import monotonic
from shell.errors import BrainError
from shell.host.child import work_apart
from shell.host.inline import InlineHost
from shell.host.lockdown import Enclosure, lock_down
from shell.host.wire import HEADER, Kind, frame

BEAT_SECONDS = 0.1
# The cycle collector is off during a run. What little garbage needs it is looked for at each beat among what is young,
# and at each so many beats among everything.
WHOLE_EVERY_BEATS = 64
READ_BYTES = 1 << 20


def work(
    descriptor: int, enclosure: Enclosure, ground: int, prepare: Callable[[], None], shut: Callable[[], None]
) -> None:
    """Run backtests for whoever holds the other end of `descriptor`, over the ground behind `ground`, until it is closed.
    `prepare` is called before anything is read, `shut` once nothing is to be imported any more."""
    work_apart(partial(_work, descriptor, enclosure, ground, prepare, shut))


class Heart:
    """Implements `shell.host.inline.Pulse`: tells the parent how far the run is, at least `BEAT_SECONDS` apart."""

    def __init__(self, descriptor: int, request_id: int, terms: BacktestSettings) -> None:
        self._descriptor = descriptor
        self._request_id = request_id
        # Should the parent be dead itself, this ends a strategy that never returns.
        self._alarm_seconds = 2.0 * max(terms.host.call_timeout, terms.host.start_timeout).total_seconds() + 5.0
        self._beats = 0
        self.due = 0.0

    def beat(self, slot: int, *, starting: bool = False) -> None:
        """See `Pulse`. After a start the very next beat is wanted."""
        self._send(slot, STARTING if starting else GOING)
        self.due = 0.0 if starting else monotonic() + BEAT_SECONDS

    def progress(self, done: int, _total: int) -> None:
        """The driver's own word, for stretches in which the strategy is not asked."""
        if monotonic() >= self.due:
            self.beat(done)

    def finish(self, slots: int) -> None:
        """The strategy is not asked any more; the result is being put together."""
        self._send(slots, FINISHING)

    def _send(self, slot: int, phase: int) -> None:
        signal.setitimer(signal.ITIMER_REAL, self._alarm_seconds)
        _write(self._descriptor, frame(self._request_id, Kind.BEAT, encode_beat(slot, phase)))
        self._beats += 1
        gc.collect(1 if self._beats % WHOLE_EVERY_BEATS else 2)


def _work(
    descriptor: int, enclosure: Enclosure, ground_descriptor: int, prepare: Callable[[], None], shut: Callable[[], None]
) -> None:
    prepare()
    request_id, body = _read(descriptor)
    terms = decode_terms(body)
    ground = read_ground(ground_descriptor)
    os.close(ground_descriptor)
    shut()
    isolation = lock_down(enclosure, (descriptor,))
    _write(descriptor, frame(request_id, Kind.ANSWER, json.dumps(isolation).encode()))
    while True:
        try:
            request_id, body = _read(descriptor)
        except EOFError:
            return
        kind, parts = _run(body, terms, ground, Heart(descriptor, request_id, terms))
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        _write(descriptor, HEADER.pack(sum(map(len, parts)), request_id, kind))
        for part in parts:
            _write(descriptor, part)
        # What the run left behind goes before the next one comes, if there is any.
        del parts
        gc.collect()


def _run(body: bytes, terms: BacktestSettings, ground: Ground, heart: Heart) -> tuple[Kind, list[bytes]]:
    source = decode_source(body)
    gc.disable()
    try:
        result = run_over(
            ground, InlineHost(source, heart), settings=terms, progress=heart.progress, begun=monotonic()
        )
    except BrainError as error:
        return Kind.FAULT, [encode_refusal(error)]
    heart.finish(result.steps)
    return Kind.ANSWER, encode_result(result, ground.recording.symbols)


def _read(descriptor: int) -> tuple[int, bytes]:
    """The next request's id and body. Raises EOFError when the parent is gone."""
    length, request_id, _ = HEADER.unpack(_exactly(descriptor, HEADER.size))
    return request_id, _exactly(descriptor, length)


def _exactly(descriptor: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.read(descriptor, min(length, READ_BYTES))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
