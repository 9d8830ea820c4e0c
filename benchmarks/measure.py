"""One measurement in a process of its own, so that nothing is warm and the peak of memory means something.

    python benchmarks/measure.py ENGINE FOLDER SYMBOLS FAST,SLOW [TREE]      engines: certified, fast, backtesting

FOLDER holds one `.npy` a symbol; with a TREE the modules of ours come from that compiled copy, and the engine is kept under
its name there. The last line of stdout is one JSON object. Times begin when libraries are imported and
bars are loaded; ours contain the start of the strategy's process. CPU seconds are this process's and those of children
that ended meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from figures import ON_COMPILED
from numpy.typing import NDArray
from workload import SYMBOLS

Rows = list[NDArray[np.float64]]
Facts = dict[str, Any]
Averages = tuple[int, int]
# What the newest run of an engine found, every fill included.
KEPT_FILE = "kept-{engine}-{symbols}.json"


def main() -> None:
    engine, folder, symbols = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    fast, slow = map(int, sys.argv[4].split(","))
    # Nothing of ours is imported yet.
    sys.path[:0] = sys.argv[5:6]
    name = ON_COMPILED[engine] if sys.argv[5:] else engine
    rows = [np.load(folder / file_name(symbol)).T for symbol in SYMBOLS[:symbols]]
    prepared = {"certified": _certified, "fast": _fast, "backtesting": _backtesting}[engine](rows, (fast, slow))
    own, children, begun = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    finish = prepared()
    wall = time.perf_counter() - begun
    cpu = _cpu(resource.RUSAGE_SELF) - own + _cpu(resource.RUSAGE_CHILDREN) - children
    facts = {"wall": wall, "cpu": cpu, **finish()}
    (folder / KEPT_FILE.format(engine=name, symbols=symbols)).write_text(json.dumps(facts), encoding="utf-8")
    facts.pop("fills", None)
    sys.stdout.write(json.dumps(facts) + "\n")


def file_name(symbol: str) -> str:
    """The file that holds a symbol's bars, one row of `.npy` a column."""
    return f"{symbol.replace('/', '-')}.npy"


Prepared = Callable[[], Callable[[], Facts]]


def _certified(rows: Rows, averages: Averages) -> Prepared:
    from shell.backtest.driver import run_backtest

    return _ours(run_backtest, rows, averages)


def _fast(rows: Rows, averages: Averages) -> Prepared:
    from shell.backtest.fast import run_fast

    return _ours(run_fast, rows, averages)


def _ours(backtest: Callable[..., Any], rows: Rows, averages: Averages) -> Prepared:
    from workload import account, ema_cross

    from shell.market.frames import to_frame
    from shell.market.history import History

    source, settings = ema_cross(averages), account()
    history = History(m5={symbol: to_frame(each) for symbol, each in zip(SYMBOLS, rows, strict=False)})

    def run() -> Callable[[], Facts]:
        result = backtest(source, history, settings=settings)
        return lambda: _outcome(result)

    return run


def _outcome(result: Any) -> Facts:
    from shell.compiled import core

    fills = [
        [fill.filled_at.isoformat(), fill.symbol, fill.side.value, *map(str, (fill.qty, fill.price, fill.fee)), fill.fill_id,
         fill.intent.intent_id]
        for fill in result.fills
    ]
    return {
        "trades": len(result.trades),
        "final_value": float(result.final_value),
        "bars": result.bars,
        "core": core(),
        "equity_hash": result.equity_hash,
        "faults": len(result.faults),
        "refusals": dict(result.refusals),
        "fills": fills,
        "fills_count": len(fills),
        "fills_hash": hashlib.sha256(json.dumps(fills).encode()).hexdigest(),
    }


def _backtesting(rows: Rows, averages: Averages) -> Prepared:
    import peer

    tests = peer.tests_of(rows)

    def run() -> Callable[[], Facts]:
        trades, value = peer.run(tests, averages)
        return lambda: {
            "trades": trades, "final_value": value, "bars": sum(map(len, rows)), "version": peer.VERSION
        }

    return run


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
