"""A strategy that attacks the memory it shares with a backtest. CHOSEN names what it does, SEED makes it do it differently.

Read as text, like every hostile module. It knows the host's code as well as its authors do.
"""

import ctypes
import gc
import random
import struct

import numpy as np

from shell.contract import Action, Signal

LOOK_BYTES = 24 << 20
FOUND = []


def shared():
    """(requests, answers): the two memories, found among all objects; None where there is no such memory."""
    if not FOUND:
        gc.unfreeze()
        FOUND.extend(item.ends for item in gc.get_objects() if type(item).__name__ == "LaneSession")
    return FOUND[0] if FOUND else None


def address_of(memory):
    return np.frombuffer(memory.view, dtype=np.uint8).ctypes.data


def look_ahead(strategy, markets):
    """Searches the shared memory, as far as it reaches, for whatever follows the newest known close."""
    if strategy.count % 60 or shared() is None:
        return []
    closes = markets[strategy.symbols[0]].candles_5m["close"]
    # A copy, for the parent writes there while it waits, and numpy does not count what changes meanwhile.
    table = np.frombuffer(shared()[0].view, dtype=np.float64, count=LOOK_BYTES // 8).copy()
    found = [repr(float(table[at + 1 + ahead])) for at in np.flatnonzero(table == closes[-1])[:3] for ahead in range(40)]
    later = np.flatnonzero(table)
    found += [repr(float(table[at])) for at in later[-30:]]
    text = " ".join(found)
    return [
        Signal(strategy.symbols[0], Action.CLOSE, reasoning=text[at : at + 480]) for at in range(0, min(len(text), 20_000), 480)
    ]


def write_the_tape(strategy, markets):
    """Makes what it is shown writable, by the C library, and changes it."""
    if strategy.count % 60:
        return []
    requests, _ = shared()
    address = address_of(requests)
    library = ctypes.CDLL(None, use_errno=True)
    library.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    removed = library.madvise(address, 4096, 9)
    if library.mprotect(address, 4096, 3) == 0 or removed == 0:
        return [Signal(strategy.symbols[0], Action.BUY, reasoning="written")]
    return []


def scribble(strategy, markets):
    """Random words, lengths, flags and messages, before every answer."""
    _, answers = shared()
    rng = strategy.rng
    for _ in range(rng.randrange(4)):
        at = rng.choice([1, 2, 3, 4, 7, rng.randrange(64)])
        answers.words[at] = rng.choice([0, 1, 2, -1, 7, 1 << 62, -(1 << 63), rng.randrange(1 << 20)])
    answers.write_message(rng.randbytes(rng.randrange(200)))
    return []


def server_of_its_own(strategy, markets):
    """Takes over the conversation: answers every question itself, now right, now early, now in a form of its own."""
    requests, answers = shared()
    rng, number = strategy.rng, answers.words[0]
    row = '["BTC/USD", "BUY", %s, "MARKET", null, null, null, "SWING", 0.5, "", "OWN"]'
    while True:
        number += 1
        while requests.words[0] != number:
            answers.words[3] = 1
        body = rng.choice(
            [b"[]", b"[" + (row % "1e999").encode() + b"]", b"{}", b"[" + (row % "0.1").encode() + b"]", rng.randbytes(9)]
        )
        kind = rng.choice([10, 10, 10, 11, 99])
        answers.write_message(bytes([kind]) + body)
        answers.words[2], answers.words[1] = len(body) + 1, rng.choice([0, 1, 1, 5])
        answers.words[0] = number + rng.choice([0, 0, 0, 0, 1, -1])


def signs_without_end(strategy, markets):
    """Fills the socket with frames that mean: look at the memory."""
    import os
    import sys

    frame = struct.pack("<IIB", 0, 0, int(sys.modules["shell.host.wire"].Kind.SIGN))
    for number in range(3, 64):
        try:
            os.set_blocking(number, False)
        except OSError:
            pass
        try:
            for _ in range(3):
                os.write(number, frame * 200)
        except OSError:
            continue
    return []


class Strategy:
    scan_interval_minutes = 5

    def initialize(self, risk_limits, symbols):
        self.symbols, self.count, self.rng = list(symbols), 0, random.Random(SEED)

    def analyze(self, markets, portfolio, timestamp):
        self.count += 1
        return CHOSEN(self, markets)

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass


SEED = 0
CHOSEN = scribble
