"""What strategies may use besides polars, imported and used once, because behind the wall nothing can be opened.

What is listed here besides the policy's modules was found by running ordinary strategies inside the wall: what numpy
imports only when it is first needed.
"""

from __future__ import annotations

import gc
import importlib

import numpy as np

from shell.host.allowed import LIBRARY_MODULES, STANDARD_MODULES
from shell.host.frames import LIBRARY
from shell.indicators import ema_of

# Imported late by: datetime.strptime, masked arrays and text arrays, characters by their names ("\\N{BULLET}").
_LATE_MODULES = frozenset({"_strptime", "numpy.char", "numpy.ma", "numpy.rec", "unicodedata"})
PRELOADED = STANDARD_MODULES | {name for name in LIBRARY_MODULES if name.split(".")[0] != LIBRARY} | _LATE_MODULES


def preload() -> None:
    """Import and use once what would otherwise be looked for inside the wall."""
    for name in sorted(PRELOADED):
        importlib.import_module(name)
    np.linalg.lstsq(np.eye(3), np.ones(3), rcond=None)
    np.fft.rfft(np.ones(8))
    ema_of([1.0, 2.0, 3.0], 2)


def keep() -> None:
    """What is here now stays. The collector was off so far, and one run over it would take a tenth of the start."""
    gc.freeze()
    gc.enable()
