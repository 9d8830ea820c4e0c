"""A throw-away process that runs a hostile module with nothing around it: the positive control, and what the walls replace.

It shares the whole history with the strategy, believes whatever it returns, and inherits the test's environment. Run as
`python -P -s unwalled.py ROOT DESCRIPTOR`; speaks the host's frames, so that forgeries have something to forge.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

sys.path.insert(0, sys.argv[1])

from shell.contract import SymbolData  # noqa: E402
from shell.host import answers  # noqa: E402
from shell.host.loader import load_strategy  # noqa: E402
from shell.host.wire import HEADER, Kind, frame  # noqa: E402
from shell.market.bars import Tier  # noqa: E402
from shell.market.columns import to_frame  # noqa: E402
from tests.hostile.breaches import FIELDS  # noqa: E402
from tests.hostile.market import BARS, HISTORY, requests  # noqa: E402
from tests.shell.host.sources import LIMITS, SYMBOLS  # noqa: E402

FRAMES = {key: to_frame(rows) for key, rows in HISTORY.items()}


def markets_at(number: int) -> dict[str, SymbolData]:
    """Windows cut out of frames that hold the future, as a simple backtester does it."""
    shown = {Tier.M5: number, Tier.H1: number // 12, Tier.D1: 0}
    return {
        symbol: SymbolData(
            symbol=symbol,
            current_price=100.0,
            spread=0.1,
            volume_24h=500.0,
            **{f"candles_{tier.value}": FRAMES[symbol, tier].slice(0, BARS[tier] + shown[tier]) for tier in Tier},
        )
        for symbol in SYMBOLS
    }


def believed(result: object) -> bytes:
    """An answer as a host would send it that trusts its strategy."""
    try:
        return answers.encode_signals(result)
    except (answers.AnswerError, TypeError, ValueError, OverflowError):
        rows = [[getattr(item, name) for name in FIELDS] for item in result]  # type: ignore[attr-defined]
        return json.dumps(rows, default=str).encode()


def serve(descriptor: int) -> None:
    """START (a strategy's text), then scans and states until the other side closes."""
    strategy = None
    scans = iter(requests(10_000))
    number = 0
    while True:
        header = os.read(descriptor, HEADER.size)
        if len(header) < HEADER.size:
            return
        length, request_id, kind = HEADER.unpack(header)
        body = b""
        while len(body) < length:
            body += os.read(descriptor, length - len(body))
        try:
            if kind == Kind.START:
                told, number, scans = json.loads(body), 0, iter(requests(10_000))
                strategy = load_strategy(told["code"], told["skills"], "strategy.py")
                strategy.initialize(LIMITS, list(SYMBOLS))  # type: ignore[attr-defined]
                strategy.load_state(told["state"])  # type: ignore[attr-defined]
                reply = json.dumps(getattr(strategy, "scan_interval_minutes", 5), default=str).encode()
            elif kind == Kind.STATE:
                reply = json.dumps(strategy.get_state(), default=str).encode()  # type: ignore[union-attr]
            else:
                number += 1
                scan = next(scans)
                reply = believed(strategy.analyze(markets_at(number), scan.portfolio, scan.now))  # type: ignore[union-attr]
            answer = frame(request_id, Kind.ANSWER, reply)
        except Exception:  # noqa: BLE001  # as trusting as the rest: the whole text of whatever was raised
            answer = frame(request_id, Kind.FAULT, traceback.format_exc().encode(errors="replace"))
        written = 0
        while written < len(answer):
            written += os.write(descriptor, answer[written:])


if __name__ == "__main__":
    serve(int(sys.argv[2]))
