"""A replay as the parent drives it: rows of the tapes revealed slot by slot, each answered before the next (D6, D8).

Through the lane where there is one, else over the socket; the strategy's process is shown the same rows either way.
"""

from __future__ import annotations

from typing import Protocol

from shell.clock import monotonic
from shell.errors import StrategyFault
from shell.host.account import encode_tidings
from shell.host.lane import (
    ANSWER,
    ANSWER_LENGTH,
    CHILD_BLOCKS,
    LANE_BYTES,
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
    LaneEnds,
    Waiter,
)
from shell.host.port import Replay, Tidings
from shell.host.process import ChildProcess
from shell.host.serving import tape_offsets
from shell.host.validate import decode_fault
from shell.host.wire import Kind, ReplayPlan, encode_step
from shell.market.bars import TIERS, Tier

STEP_MS = Tier.M5.ms
NO_SIGNALS = b"[]"


def plan_of(replay: Replay, symbols: int, lane: LaneEnds | None) -> ReplayPlan:
    """What the child is told of a replay at its start; the lane is used where there is one and the tapes fit."""
    tapes = [replay.book.tapes[tier] for tier in TIERS]
    rows = (tapes[0].count, tapes[1].count, tapes[2].count)
    end = tape_offsets(symbols, rows)[2] + 8 * tapes[2].count * tapes[2].width
    return ReplayPlan(rows, replay.book.half_spread, tuple(replay.fees), lane is not None and end <= LANE_BYTES)


class Roll(Protocol):
    """Steps of a replay. `step` raises StrategyFault; `roll` tells it, with the slot it happened at."""

    def step(self, slot: int, tidings: Tidings | None) -> bytes:
        """The answer to one step: a body for `decode_signals`."""

    def roll(self, first: int, stop: int, every: int) -> tuple[int, bytes, StrategyFault | None]:
        """Quiet steps at first, first + every ... below `stop`: the slot of the first answer with signals, or fault, and
        that answer; or the first slot that was not asked, and nothing."""


class SocketRoll:
    """Steps of a replay over the socket."""

    def __init__(self, child: ChildProcess, replay: Replay, seconds: float) -> None:
        self._child, self._book, self._seconds = child, replay.book, seconds
        self._shown = replay.book.counts(replay.book.slot)

    def step(self, slot: int, tidings: Tidings | None) -> bytes:
        book, counts = self._book, self._book.counts(slot)
        blocks = [book.tapes[tier].table[begin:end] for tier, begin, end in zip(TIERS, self._shown, counts, strict=True)]
        self._shown = counts
        body = encode_step(book.start_ms + slot * STEP_MS, blocks, b"" if tidings is None else encode_tidings(tidings))
        return self._child.exchange(Kind.STEP, body, self._seconds, "analyze")

    def roll(self, first: int, stop: int, every: int) -> tuple[int, bytes, StrategyFault | None]:
        for slot in range(first, stop, every):
            try:
                body = self.step(slot, None)
            except StrategyFault as fault:
                return slot, NO_SIGNALS, fault
            if body != NO_SIGNALS:
                return slot, body, None
        return first + -(-(stop - first) // every) * every, NO_SIGNALS, None


class LaneRoll:
    """Steps of a replay through shared memory."""

    def __init__(self, child: ChildProcess, lane: LaneEnds, replay: Replay, plan: ReplayPlan, seconds: float) -> None:
        self._child, self._lane, self._book, self._seconds = child, lane, replay.book, seconds
        self._words, self._answers, self._numbers = lane.requests.words, lane.answers.words, lane.requests.numbers
        self._waiter = Waiter(self._answers, ANSWER, self._words, PARENT_BLOCKS, child.poller)
        self._number = 0
        self._base = replay.book.counts(replay.book.slot)
        self._shown = list(self._base)
        self._next_higher = replay.book.next_counts(replay.book.slot)
        width = replay.book.tapes[Tier.M5].width
        # A row that the child's windows do not hold yet is row 0 of its tapes.
        self._at = [
            offset // 8 - base * width
            for offset, base in zip(tape_offsets(len(replay.book.symbols), plan.rows), self._base, strict=True)
        ]
        self._width = width
        self._m5 = replay.book.tapes[Tier.M5].flat

    def step(self, slot: int, tidings: Tidings | None) -> bytes:
        body = b"" if tidings is None else encode_tidings(tidings)
        if len(body) > MESSAGE_BYTES_MAX:
            raise StrategyFault("error", "more happened since the last scan than can be told at once")
        self._reveal(slot)
        words, answers = self._words, self._answers
        words[NOW_MS] = self._book.start_ms + slot * STEP_MS
        words[REQUEST_BYTES] = len(body)
        if body:
            self._lane.requests.write_message(body)
        self._number = number = self._number + 1
        self._not_answered_yet(number)
        words[REQUEST] = number
        if answers[CHILD_BLOCKS]:
            self._child.sign()
        self._wait(number)
        return NO_SIGNALS if answers[STATUS] == QUIET else self._message()

    def roll(self, first: int, stop: int, every: int) -> tuple[int, bytes, StrategyFault | None]:
        words, answers, start_ms = self._words, self._answers, self._book.start_ms
        soon, shown, base = self._waiter.soon, self._shown, self._base[0]
        numbers, m5, width, ahead = self._numbers, self._m5, self._width, self._at[0]
        slot, number = first, self._number
        words[REQUEST_BYTES] = 0
        try:
            while slot < stop:
                if shown[0] == slot - 1 and slot < self._next_higher:
                    # `_reveal` of the one row that nearly every step shows, written out: this loop is a backtest's hottest.
                    begin, end = (slot - 1) * width, slot * width
                    numbers[ahead + begin : ahead + end] = m5[begin:end]
                    shown[0] = slot
                    words[ROWS_M5] = slot - base
                else:
                    self._reveal(slot)
                words[NOW_MS] = start_ms + slot * STEP_MS
                number += 1
                if answers[ANSWER] == number:
                    self._not_answered_yet(number)
                words[REQUEST] = number
                if answers[CHILD_BLOCKS]:
                    self._child.sign()
                if not soon(number):
                    self._block(number)
                if answers[STATUS] != QUIET:
                    body = self._message()
                    if body != NO_SIGNALS:
                        return slot, body, None
                slot += every
        except StrategyFault as fault:
            return slot, NO_SIGNALS, fault
        finally:
            self._number = number
        return slot, NO_SIGNALS, None

    def _reveal(self, slot: int) -> None:
        """Write the rows that are new at `slot`: nothing later is in the child's reach."""
        shown = self._shown
        begin, width = shown[0], self._width
        if begin < slot:
            at, stop = self._at[0], slot * width
            self._numbers[at + begin * width : at + stop] = self._m5[begin * width : stop]
            shown[0] = slot
            self._words[ROWS_M5] = slot - self._base[0]
        if slot >= self._next_higher:
            self._reveal_higher(slot)

    def _reveal_higher(self, slot: int) -> None:
        counts, width = self._book.counts(slot), self._width
        for rank, word in ((1, ROWS_H1), (2, ROWS_D1)):
            begin, end, at = self._shown[rank], counts[rank], self._at[rank]
            if begin < end:
                self._numbers[at + begin * width : at + end * width] = (
                    self._book.tapes[TIERS[rank]].flat[begin * width : end * width]
                )
                self._shown[rank] = end
                self._words[word] = end - self._base[rank]
        self._next_higher = self._book.next_counts(slot)

    def _not_answered_yet(self, number: int) -> None:
        if self._answers[ANSWER] == number:
            raise StrategyFault("bad_reply", "the strategy's process answered before it was asked")

    def _wait(self, number: int) -> None:
        """Wait for an answer. Raises StrategyFault."""
        if not self._waiter.soon(number):
            self._block(number)

    def _block(self, number: int) -> None:
        deadline = monotonic() + self._seconds
        while not self._waiter.block(number, lambda: monotonic() > deadline):
            if monotonic() > deadline:
                raise StrategyFault("timeout", f"analyze did not answer within {self._seconds:g} s")
            self._child.read_signs("analyze")

    def _message(self) -> bytes:
        answers = self._answers
        whole = self._lane.answers.message(answers[ANSWER_LENGTH]) if answers[STATUS] == MESSAGE else b""
        if not whole or whole[0] not in (Kind.ANSWER, Kind.FAULT):
            raise StrategyFault("bad_reply", "the strategy's process answered in a form that does not exist")
        if whole[0] == Kind.FAULT:
            raise decode_fault(whole[1:])
        return whole[1:]
