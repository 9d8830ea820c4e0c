"""Looks for tomorrow's prices: behind the end of its columns, in what they are views of, in everything the process holds."""

from strategy.skills.kit import Strategy, attack

__all__ = ["Strategy"]

# Bars ahead of the window's end. The first ones may have been shown by the time the test looks.
NEAR, FAR = 5, 25


def window(scene):
    return scene.markets[scene.symbols[0]].candles_5m


def told(values):
    """Prices written so that the test finds the ones it planted."""
    return " ".join(repr(float(value)) for value in values)


def at_address(address):
    """The numbers that lie at an address, as the bars after a window's end would."""
    import ctypes

    return told((ctypes.c_double * FAR).from_address(address)[NEAR:])


@attack("told")
def behind_a_column(scene):
    """A numpy view that is longer than its memory."""
    import numpy as np

    closes = window(scene)["close"].to_numpy()
    further = np.lib.stride_tricks.as_strided(closes, (len(closes) + FAR,), closes.strides)
    return told(further[len(closes) + NEAR :])


@attack("told")
def behind_a_pointer(scene):
    closes = window(scene)["close"].to_numpy()
    return at_address(closes.ctypes.data + closes.nbytes)


@attack("told")
def behind_an_address_that_polars_tells(scene):
    column = window(scene)["close"]
    return at_address(column._s.as_single_ptr() + 8 * len(column))


@attack("told")
def behind_an_exported_column(scene):
    """The interface to other libraries hands out the whole allocation, with an offset and a length."""
    import ctypes

    array, schema = (ctypes.c_int64 * 10)(), (ctypes.c_int64 * 9)()
    column = window(scene)["close"]
    column._s._export_arrow_to_c(ctypes.addressof(array), ctypes.addressof(schema))
    length, _, offset = array[:3]
    values = (ctypes.c_int64 * 2).from_address(array[5])[1]
    return at_address(values + 8 * (offset + length))


@attack("told")
def behind_a_list_of_its_own(scene):
    """What lies in memory next to the newest bar, whatever that is."""
    import ctypes

    open_ = window(scene)["open"].to_numpy()
    close = window(scene)["close"].to_numpy()
    texts = []
    for column in (open_, close):
        texts.append(told((ctypes.c_double * 12).from_address(column.ctypes.data + column.nbytes + 8 * NEAR)))
    return " ".join(texts)


@attack("told")
def what_arrays_are_views_of(scene):
    """From every array of the process along `.base` to the array that it is a part of."""
    last = _last(scene)
    for array in _arrays():
        while array is not None:
            found = _after(array, last)
            if found:
                return found
            array = _array_base(array)
    return None


@attack("told")
def every_frame(scene):
    """All frames of the process, longer ones than the window."""
    import gc

    import polars as pl

    height = window(scene).height
    for item in gc.get_objects():
        for held in gc.get_referents(item) if type(item) is dict else [item]:
            if isinstance(held, pl.DataFrame) and held.height > height and "close" in held.columns:
                found = held["close"].to_list()
                if _last(scene) in found and found.index(_last(scene)) + FAR < len(found):
                    return told(found[found.index(_last(scene)) + NEAR :][: FAR - NEAR])
    return None


@attack("told")
def frames_of_the_call_stack(scene):
    """The host's own variables, one call after another."""
    import sys

    assert window(scene).height

    frame = sys._getframe()
    while frame is not None:
        for space in (frame.f_locals, frame.f_globals):
            for value in list(space.values()):
                for held in list(value.values()) if type(value) is dict else [value]:
                    found = _in_a_table(held, scene)
                    if found:
                        return found
        frame = frame.f_back
    return None


@attack("told")
def candle_store_of_the_host(scene):
    """From the data's own methods to the columns behind them, reference by reference."""
    import gc

    seen, waiting = set(), [scene.markets, type(scene.markets[scene.symbols[0]]), window(scene)]
    import sys

    waiting += [vars(module) for name, module in sys.modules.items() if name.startswith(("shell", "tests", "__main__"))]
    while waiting and len(seen) < 60_000:
        item = waiting.pop(0)
        if id(item) not in seen:
            seen.add(id(item))
            found = _in_a_table(item, scene)
            if found:
                return found
            waiting += gc.get_referents(item)
    return None


@attack("told")
def own_memory_byte_by_byte(scene):
    """The newest close as bytes, searched in the allocations around its column."""
    import ctypes
    import struct

    closes = window(scene)["close"].to_numpy()
    start, size = closes.ctypes.data, closes.nbytes + 8 * FAR
    data = ctypes.string_at(start, size)
    at = data.rfind(struct.pack("<d", _last(scene)))
    return at_address(start + at + 8) if at >= 0 else None


@attack("told")
def bars_that_are_still_open(scene):
    """The newest bars of all tiers and all that follows them in memory."""
    data = scene.markets[scene.symbols[0]]
    texts = []
    for frame in (data.candles_5m, data.candles_1h, data.candles_1d):
        closes = frame["close"].to_numpy()
        texts.append(at_address(closes.ctypes.data + closes.nbytes)[:150])
    return " ".join(texts)


def _last(scene):
    return float(window(scene)["close"][-1])


def _arrays():
    import gc

    import numpy as np

    for item in gc.get_objects():
        for held in gc.get_referents(item):
            if isinstance(held, np.ndarray) and held.dtype == np.float64:
                yield held


def _array_base(array):
    import numpy as np

    base = array.base
    return base if isinstance(base, np.ndarray) and base.dtype == np.float64 else None


def _after(array, last):
    """What follows a price in an array, along its columns."""
    import numpy as np

    columns = [array] if array.ndim == 1 else list(array.T) + list(array) if array.ndim == 2 else []
    for column in columns[:200]:
        at = np.flatnonzero(column == last)
        if len(at) and at[0] + FAR < len(column):
            return told(column[at[0] + NEAR : at[0] + FAR])
    return None


def _in_a_table(item, scene):
    import numpy as np
    import polars as pl

    if isinstance(item, pl.DataFrame) and "close" in item.columns:
        return _after(item["close"].to_numpy(), _last(scene))
    if isinstance(item, np.ndarray) and item.dtype == np.float64:
        return _after(item, _last(scene))
    return None
