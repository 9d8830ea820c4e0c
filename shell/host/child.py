"""The strategy's process: reads requests, calls the strategy, answers. No key, ledger, file or future bar (D2, D6)."""

from __future__ import annotations

import gc
import importlib
import os
import resource
import select
import signal
import sys
import threading
from collections import deque

import polars as pl

from shell.contract import DEFAULT_SCAN_INTERVAL_MINUTES, RECENT_TRADES_MAX, ClosedTrade
from shell.host.allowed import LIBRARY_MODULES, STANDARD_MODULES
from shell.host.answers import encode_fault, encode_signals, encode_started, encode_state
from shell.host.candles import CandleShelf
from shell.host.loader import load_strategy, skill_file
from shell.host.port import FillNotice
from shell.host.wire import CHUNK_BYTES, HEADER, Kind, decode_scan, decode_start, frame, micros_of, portfolio_of, ready_soon
from shell.indicators import ema_of

STACK_BYTES = 64 << 20
# Above the address space in use after warm-up: polars and OpenBLAS reserve far more than they touch.
ADDRESS_SPACE_BUDGET_BYTES = 2 << 30
# Imported before the strategy runs, because once the process is locked down nothing can be.
PRELOADED = STANDARD_MODULES | LIBRARY_MODULES | {"zoneinfo"}


class Session:
    """One strategy from START to the end of the process."""

    def __init__(self, isolation: dict[str, bool | int]) -> None:
        self._isolation = isolation
        self._strategy: object = None
        self._shelf = CandleShelf((), {})
        self._trades: deque[ClosedTrade] = deque(maxlen=RECENT_TRADES_MAX)
        self._origin = "strategy.py"
        self._files: frozenset[str] = frozenset()
        self._alarm_seconds = 0.0

    def answer(self, kind: int, body: bytes) -> tuple[Kind, bytes]:
        """The reply to one request, a fault if the strategy raised anything at all."""
        if self._alarm_seconds:
            # The parent kills on its deadline. Should it be dead itself, this ends a strategy that never returns.
            signal.setitimer(signal.ITIMER_REAL, self._alarm_seconds)
        try:
            return Kind.ANSWER, self._handle(kind, body)
        except BaseException as error:  # noqa: BLE001  # SystemExit and polars' PanicException included: this is the wall
            return Kind.FAULT, encode_fault(error, self._files, self._origin)
        finally:
            if self._alarm_seconds:
                signal.setitimer(signal.ITIMER_REAL, 0.0)

    def _handle(self, kind: int, body: bytes) -> bytes:
        match kind:
            case Kind.ANALYZE:
                return self._analyze(body)
            case Kind.STATE:
                return encode_state(self._strategy.get_state())  # type: ignore[attr-defined]
            case Kind.START:
                return self._start(body)
            case _:
                raise ValueError(f"request of unknown kind {kind}")

    def _start(self, body: bytes) -> bytes:
        facts, windows = decode_start(body)
        self._alarm_seconds = 2.0 * facts.call_seconds + 5.0
        self._origin = facts.origin
        self._files = frozenset({facts.origin, *(skill_file(name) for name in facts.skills)})
        self._shelf = CandleShelf(facts.symbols, windows)
        self._trades.extend(facts.recent_trades)
        strategy = self._strategy = load_strategy(facts.code, facts.skills, facts.origin)
        strategy.initialize(facts.limits, list(facts.symbols))  # type: ignore[attr-defined]
        if facts.state is not None:
            strategy.load_state(facts.state)  # type: ignore[attr-defined]
        interval = getattr(strategy, "scan_interval_minutes", DEFAULT_SCAN_INTERVAL_MINUTES)
        return encode_started(interval, self._isolation)

    def _analyze(self, body: bytes) -> bytes:
        scan = decode_scan(body)
        self._shelf.feed(scan.bars)
        self._trades.extend(scan.new_trades)
        strategy = self._strategy
        for notice in scan.notices:
            if isinstance(notice, FillNotice):
                strategy.on_fill(*notice)  # type: ignore[attr-defined]
            else:
                strategy.on_position_closed(*notice)  # type: ignore[attr-defined]
        markets = self._shelf.markets(micros_of(scan.now) // 1000, scan.facts)
        portfolio = portfolio_of(scan, self._trades)
        return encode_signals(strategy.analyze(markets, portfolio, scan.now))  # type: ignore[attr-defined]


def serve(descriptor: int) -> None:
    """Answer requests until the parent closes its end."""
    preload()
    session = Session(lock_down())
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    while True:
        ready_soon(poller)
        request = _read_frame(descriptor)
        if request is None:
            return
        request_id, kind, body = request
        _write_all(descriptor, frame(request_id, *session.answer(kind, body)))


def preload() -> None:
    """Import and use once what strategies may use, so that nothing is loaded or started while they run."""
    for name in sorted(PRELOADED):
        importlib.import_module(name)
    table = pl.DataFrame({"at": [1, 2, 3], "value": [1.0, 2.0, 3.0]})
    table.lazy().with_columns(pl.col("value").rolling_mean(2)).sort("at").collect()
    ema_of([1.0, 2.0, 3.0], 2)
    gc.collect()
    gc.freeze()


def lock_down() -> dict[str, bool | int]:
    """Give up what a strategy does not need, and say what now holds.

    Resource limits only: no core dumps, no file growth, a bounded address space. The kernel's filters (seccomp,
    Landlock) are reported as absent because they are.
    """
    limited = True
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[0])
        budget = pages * resource.getpagesize() + ADDRESS_SPACE_BUDGET_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (budget, budget))
    except OSError:
        limited = False
    return {
        "seccomp": False,
        "landlock_abi": 0,
        "network_namespace": False,
        "memory_limit": limited,
        "core_dumps": False,
    }


def main(descriptor: int) -> None:
    """Serve on `descriptor` in a thread with its own stack (polars looks for the main thread's in /proc), then exit."""
    os.set_blocking(2, False)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.stack_size(STACK_BYTES)
    worker = threading.Thread(target=serve, args=(descriptor,), daemon=True)
    worker.start()
    worker.join()
    sys.stderr.flush()
    os._exit(0)


def _read_frame(descriptor: int) -> tuple[int, int, bytes] | None:
    data = os.read(descriptor, CHUNK_BYTES)
    while len(data) < HEADER.size:
        chunk = os.read(descriptor, CHUNK_BYTES) if data else b""
        if not chunk:
            return None
        data += chunk
    length, request_id, kind = HEADER.unpack_from(data)
    if len(data) == HEADER.size + length:
        return request_id, kind, data[HEADER.size :]
    parts, missing = [data[HEADER.size :]], HEADER.size + length - len(data)
    while missing:
        chunk = os.read(descriptor, min(missing, 1 << 20))
        if not chunk:
            return None
        parts.append(chunk)
        missing -= len(chunk)
    return request_id, kind, b"".join(parts)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
