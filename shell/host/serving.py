"""The child's end of the conversation: requests from the socket, and in a replay steps from the lane."""

from __future__ import annotations

import os
import select
import signal
from typing import Any

import numpy as np

from shell.host.account import decode_tidings
from shell.host.answers import encode_signals
from shell.host.lane import (
    ANSWER,
    ANSWER_LENGTH,
    CHILD_BLOCKS,
    MESSAGE,
    MESSAGE_BYTES_MAX,
    NOW_MS,
    PARENT_BLOCKS,
    QUIET,
    REQUEST,
    REQUEST_BYTES,
    ROWS_D1,
    ROWS_H1,
    ROWS_M5,
    STATUS,
    TAPES_AT,
    Memory,
    Waiter,
)
from shell.host.session import Session
from shell.host.wire import CHUNK_BYTES, HEADER, Kind, StartFacts, frame, ready_soon
from shell.market.bars import TIERS, Tier
from shell.market.tape import Tape, width_of

# How often a strategy at work is seen by the alarm that ends it should its parent be dead.
ALARM_EVERY_STEPS = 256

Ends = tuple[Memory, Memory]


class LaneSession(Session):
    """A session whose tapes may lie in its parent's memory."""

    def __init__(self, isolation: dict[str, Any], ends: Ends | None) -> None:
        super().__init__(isolation)
        self.ends = ends

    def tapes_for(self, facts: StartFacts) -> dict[Tier, Tape]:
        plan = facts.replay
        if plan is None or not plan.lane or self.ends is None:
            return super().tapes_for(facts)
        return mapped_tapes(self.ends[0], len(facts.symbols), plan.rows)


def mapped_tapes(memory: Memory, symbols: int, rows: tuple[int, int, int]) -> dict[Tier, Tape]:
    """Tapes over the lane's memory, one behind the other, as `tape_offsets` lays them out."""
    tapes = {}
    for tier, capacity, offset in zip(TIERS, rows, tape_offsets(symbols, rows), strict=True):
        width = width_of(symbols)
        table = np.frombuffer(memory.view, dtype=np.float64, count=capacity * width, offset=offset)
        tapes[tier] = Tape(symbols, table.reshape(capacity, width))
    return tapes


def tape_offsets(symbols: int, rows: tuple[int, int, int]) -> tuple[int, int, int]:
    """Where each tape begins in the lane's memory, in bytes."""
    row_bytes = 8 * width_of(symbols)
    h1 = TAPES_AT + rows[0] * row_bytes
    return TAPES_AT, h1, h1 + rows[1] * row_bytes


def serve(descriptor: int, session: LaneSession) -> None:
    """Answer requests until the parent closes its end."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    while True:
        if session.plan is not None and session.plan.lane and session.ends is not None:
            _serve_lane(descriptor, session, session.ends, poller)
        ready_soon(poller)
        request = _read_frame(descriptor)
        if request is None:
            return
        request_id, kind, body = request
        if kind == Kind.SIGN:
            continue
        _alarm(session)
        reply = session.answer(kind, body)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        _write_all(descriptor, frame(request_id, *reply))


def _serve_lane(descriptor: int, session: LaneSession, ends: Ends, poller: select.poll) -> None:
    """Answer steps until the socket has something to read."""
    requests, answers = ends[0].words, ends[1].words
    tapes = [session.shelf.tapes[tier] for tier in TIERS]
    m5, h1, d1 = tapes
    number = answers[ANSWER]
    waiter = Waiter(requests, REQUEST, answers, CHILD_BLOCKS, poller)
    quiet_step, steps = session.quiet_step, 0
    while True:
        if requests[REQUEST] != number + 1 and not waiter.soon(number + 1):
            # The parent may take its time: nothing is at work here that an alarm would have to end.
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            steps = 0
            if not waiter.block(number + 1, _never):
                return
        number += 1
        if not steps % ALARM_EVERY_STEPS:
            _alarm(session)
        steps += 1
        m5.count, h1.count, d1.count = requests[ROWS_M5], requests[ROWS_H1], requests[ROWS_D1]
        length = requests[REQUEST_BYTES]
        kind = Kind.ANSWER
        body = b""
        try:
            if length:
                signals = session.step(requests[NOW_MS], decode_tidings(ends[0].message(length)))
            else:
                signals = quiet_step(requests[NOW_MS])
            if type(signals) is not list or signals:
                body = encode_signals(signals)
        except BaseException as error:  # noqa: BLE001  # SystemExit and polars' PanicException included: this is the wall
            kind, body = session.fault(error)
        if not body:
            answers[STATUS] = QUIET
        else:
            # What does not fit is cut and so unreadable: the parent refuses it.
            whole = bytes((kind,)) + body[: MESSAGE_BYTES_MAX - 1]
            ends[1].write_message(whole)
            answers[ANSWER_LENGTH] = len(whole)
            answers[STATUS] = MESSAGE
        answers[ANSWER] = number
        if requests[PARENT_BLOCKS]:
            _write_all(descriptor, frame(0, Kind.SIGN, b""))
        session.shelf.prepare()


def _never() -> bool:
    return False


def _alarm(session: Session) -> None:
    """The parent kills on its deadline. Should it be dead itself, this ends a strategy that never returns."""
    if session.call_seconds:
        signal.setitimer(signal.ITIMER_REAL, 2.0 * session.call_seconds + 5.0)


def _read_frame(descriptor: int) -> tuple[int, int, bytes] | None:
    """The next frame, None at the end. Signs that stand before a request are passed over."""
    data = os.read(descriptor, CHUNK_BYTES)
    while True:
        while len(data) < HEADER.size:
            chunk = os.read(descriptor, CHUNK_BYTES) if data else b""
            if not chunk:
                return None
            data += chunk
        length, request_id, kind = HEADER.unpack_from(data)
        if kind != Kind.SIGN or len(data) == HEADER.size:
            break
        data = data[HEADER.size :]
    parts, missing = [data[HEADER.size :]], HEADER.size + length - len(data)
    while missing > 0:
        chunk = os.read(descriptor, min(missing, 1 << 20))
        if not chunk:
            return None
        parts.append(chunk)
        missing -= len(chunk)
    return request_id, kind, parts[0] if len(parts) == 1 else b"".join(parts)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
