"""A strategy that leaves notes for its next process wherever it can, and looks for them; MARK is the note's name."""

import builtins
import ctypes
import os
import sys

from shell.contract import Signal

FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
KEY = 12345


def quietly(function, *arguments):
    """The result of a function, None if it raised: most of these are refused."""
    try:
        return function(*arguments)
    except Exception:  # noqa: BLE001
        return None


def hide():
    import math

    math.MARK = 1
    builtins.MARK = 1
    Signal.MARK = 1
    quietly(os.environ.__setitem__, "MARK", "1")
    for folder in FOLDERS:
        quietly(lambda place: open(place, "w").close(), f"{folder}/MARK")
    library = ctypes.CDLL(None)
    quietly(library.shmget, KEY, 4096, 0o1600)
    quietly(library.msgget, KEY, 0o1600)
    quietly(sys.modules.__setitem__, "MARK", math)


def seek():
    import math

    found = [name for name, holder in (("module", math), ("builtins", builtins), ("class", Signal)) if hasattr(holder, "MARK")]
    found += ["environment"] if "MARK" in os.environ else []
    found += ["import"] if "MARK" in sys.modules else []
    found += [folder for folder in FOLDERS if os.path.exists(f"{folder}/MARK")]
    library = ctypes.CDLL(None)
    found += ["segment"] if library.shmget(KEY, 0, 0) >= 0 else []
    found += ["queue"] if library.msgget(KEY, 0) >= 0 else []
    return "found: " + (" ".join(found) or "nothing")


class Strategy:
    def initialize(self, risk_limits, symbols):
        self.symbols = symbols

    def analyze(self, markets, portfolio, timestamp):
        said = seek()
        hide()
        return [Signal(self.symbols[0], "BUY", reasoning=said)]

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
