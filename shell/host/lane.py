"""The lane: two pieces of shared memory through which a backtest and its strategy's process meet at every step (D8).

The parent writes rows of the tape and a sequence number into the one, which the child can only read; the child writes its
answers into the other, of which the parent believes nothing but what `shell.host.validate` lets pass. Both sides look at
the other's number some hundred times before they block on the socket: a handover costs a fraction of a microsecond instead
of two system calls and a wake-up. Plain stores are ordered on x86-64 only, so other processors use the socket alone.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import platform
import select
import sys
from collections.abc import Callable

WORDS = 64
MESSAGE_AT = 4096
MESSAGE_BYTES_MAX = 256 * 1024
TAPES_AT = 1 << 20
LANE_BYTES = 1 << 29
ANSWER_BYTES = MESSAGE_AT + MESSAGE_BYTES_MAX

# Words of the parent's memory.
REQUEST, NOW_MS, ROWS_M5, ROWS_H1, ROWS_D1, REQUEST_BYTES, PARENT_BLOCKS = range(7)
# Words of the child's memory.
ANSWER, STATUS, ANSWER_LENGTH, CHILD_BLOCKS = range(4)
# `STATUS`: the strategy wants nothing, or the answer is a message whose first byte is its kind.
QUIET, MESSAGE = 0, 1

LOOKS_MIN, LOOKS_MAX = 32, 2048
YIELDS_MIN, YIELDS_MAX = 16, 4096
BLOCK_MS = 2
LONG_AFTER, LONG_BLOCK_MS = 100, 20
# Only where `available` are there waiters; Windows and macOS have no such call.
_sched_yield: Callable[[], object] = getattr(os, "sched_yield", bool)
_SEALS = 0x0001 | 0x0002 | 0x0004  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW
_SEAL_FUTURE_WRITE = 0x0010


def available() -> bool:
    """True where the lane works: Linux on x86-64, with memfd."""
    return sys.platform == "linux" and platform.machine() == "x86_64" and hasattr(os, "memfd_create")


class Memory:
    """One shared mapping with 64-bit words at its head and room for a message behind them."""

    __slots__ = ("_map", "numbers", "view", "words")

    def __init__(self, descriptor: int, length: int, *, writable: bool) -> None:
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self._map = mmap.mmap(descriptor, length, flags=mmap.MAP_SHARED, prot=access)
        self.view = memoryview(self._map)
        self.words = self.view[: 8 * WORDS].cast("q")
        self.numbers = self.view.cast("d")

    def message(self, length: int) -> bytes:
        """A copy of the message, at most as long as there is room: the other side may change the original."""
        return bytes(self.view[MESSAGE_AT : MESSAGE_AT + min(max(length, 0), MESSAGE_BYTES_MAX)])

    def write_message(self, body: bytes) -> None:
        """Put `body` where messages stand. Raises ValueError if it does not fit."""
        self.view[MESSAGE_AT : MESSAGE_AT + len(body)] = body

    def close(self) -> None:
        """Unmap, if nothing shows parts of it any more."""
        self.words.release()
        self.numbers.release()
        self.view.release()
        self._map.close()


class LaneEnds:
    """The two memories as the parent makes them, and the descriptors that the child is to map and close."""

    __slots__ = ("answers", "descriptors", "requests")

    def __init__(self) -> None:
        requests = os.memfd_create("requests", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        answers = os.memfd_create("answers", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(requests, LANE_BYTES)
        os.ftruncate(answers, ANSWER_BYTES)
        self.requests = Memory(requests, LANE_BYTES, writable=True)
        self.answers = Memory(answers, ANSWER_BYTES, writable=True)
        # From here on the sizes stand, and nobody else can map the requests to write.
        fcntl.fcntl(requests, fcntl.F_ADD_SEALS, _SEALS | _SEAL_FUTURE_WRITE)
        fcntl.fcntl(answers, fcntl.F_ADD_SEALS, _SEALS)
        self.descriptors = (requests, answers)

    def release_descriptors(self) -> None:
        """Close the descriptors, once the child has its own."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = (-1, -1)

    def close(self) -> None:
        """Give the memory back."""
        if self.descriptors[0] >= 0:
            self.release_descriptors()
        self.requests.close()
        self.answers.close()


def child_ends(requests: int, answers: int) -> tuple[Memory, Memory]:
    """The child's mappings of the two memories; their descriptors are closed."""
    ends = Memory(requests, LANE_BYTES, writable=False), Memory(answers, ANSWER_BYTES, writable=True)
    os.close(requests)
    os.close(answers)
    return ends


class Waiter:
    """Waits for the other side's word: looks at it a while, then between looks lets others have the processor, then blocks on
    the socket.

    How long it looks follows what that was worth lately: on a quiet machine the answer is there within microseconds, or, when
    something is traded, within a millisecond, and to block would cost a wake-up more; where processes compete for a processor,
    to look is to keep the other from answering.
    """

    __slots__ = ("_flag", "_flag_word", "_poller", "_word", "_words", "looks", "yields")

    def __init__(
        self, words: memoryview, word: int, flag: memoryview, flag_word: int, poller: select.poll
    ) -> None:
        self._words, self._word = words, word
        self._flag, self._flag_word = flag, flag_word
        self._poller = poller
        self.looks, self.yields = LOOKS_MAX, YIELDS_MAX

    def soon(self, wanted: int) -> bool:
        """True when the word became `wanted` while it was looked at."""
        words, word = self._words, self._word
        for _ in range(self.looks):
            if words[word] == wanted:
                self.looks = min(2 * self.looks, LOOKS_MAX)
                return True
        self.looks = max(self.looks // 2, LOOKS_MIN)
        for _ in range(self.yields):
            _sched_yield()
            if words[word] == wanted:
                self.yields = min(2 * self.yields, YIELDS_MAX)
                return True
        self.yields = max(self.yields // 2, YIELDS_MIN)
        return False

    def block(self, wanted: int, expired: Callable[[], bool]) -> bool:
        """Block until the word is `wanted`: True then, False when the socket has something to read or `expired()` says so.

        `flag_word` meanwhile asks the other side for a sign on the socket. The flag may be seen late, so no single wait is
        longer than some milliseconds.
        """
        words, word, flag = self._words, self._word, self._flag
        flag[self._flag_word] = 1
        try:
            waits = 0
            while words[word] != wanted:
                if self._poller.poll(BLOCK_MS if waits < LONG_AFTER else LONG_BLOCK_MS):
                    return words[word] == wanted
                if expired():
                    return False
                waits += 1
            return True
        finally:
            flag[self._flag_word] = 0
