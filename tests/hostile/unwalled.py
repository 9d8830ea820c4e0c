"""A throw-away process that runs a hostile module with nothing around it: the positive control, and what the walls replace.

It shares the whole history with the strategy, believes whatever it returns, and inherits the test's environment. Run as
`python -P -s unwalled.py ROOT DESCRIPTOR`; speaks the host's frames, so that forgeries have something to forge. Numpy and
polars are imported when an attack first looks at the market: most never do, and there are many of these processes.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import traceback
from collections.abc import Mapping
from typing import Any

sys.path.insert(0, sys.argv[1])

from shell.host.loader import load_strategy

# As in shell.host.wire.
HEADER = struct.Struct("<IIB")
START, ANALYZE, STATE, ANSWER, FAULT = 1, 2, 3, 10, 11
FIELDS = ("symbol", "action", "size_pct", "order_type", "limit_price", "stop_loss", "take_profit", "intent", "confidence",
          "reasoning", "tag")  # fmt: skip
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")
FRAMES: dict[Any, Any] = {}


class Markets(dict[str, Any]):
    """Windows cut out of frames that hold the future, as a simple backtester does it; made when looked at."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def __missing__(self, symbol: str) -> Any:
        from shell.contract import SymbolData
        from shell.market.bars import Tier
        from shell.market.frames import to_frame
        from tests.hostile.market import BARS, HISTORY

        if not FRAMES:
            FRAMES.update({key: to_frame(rows) for key, rows in HISTORY.items()})
        shown = {Tier.M5: self._number, Tier.H1: self._number // 12, Tier.D1: 0}
        windows = {f"candles_{tier.value}": FRAMES[symbol, tier].slice(0, BARS[tier] + shown[tier]) for tier in Tier}
        made = SymbolData(symbol=symbol, current_price=100.0, spread=0.1, volume_24h=500.0, **windows)
        self[symbol] = made
        return made


def believed(result: object) -> bytes:
    """An answer as a host would send it that trusts its strategy; in the product's encoding if that has been loaded."""
    answers = sys.modules.get("shell.host.answers")
    if answers is not None:
        try:
            return bytes(answers.encode_signals(result))
        except (answers.AnswerError, TypeError, ValueError, OverflowError):
            pass
    rows = [[getattr(item, name) for name in FIELDS] for item in result]  # type: ignore[attr-defined]
    return json.dumps(rows, default=str).encode()


class Careless:
    """One strategy, called with whatever comes."""

    def __init__(self) -> None:
        self._strategy: Any = None
        self._code = ""
        self._number = 0

    def reply(self, kind: int, body: bytes) -> bytes:
        """The answer to one request. Raises whatever the strategy raises."""
        if kind == START:
            return self._start(json.loads(body))
        if kind == STATE:
            return json.dumps(self._strategy.get_state(), default=str).encode()
        self._number += 1
        return believed(self._strategy.analyze(Markets(self._number), None, None))

    def _start(self, told: Mapping[str, Any]) -> bytes:
        self._number = 0
        if told["code"] == self._code:
            self._strategy = type(self._strategy)()
        else:
            self._strategy = load_strategy(told["code"], told["skills"], "strategy.py")
            self._code = told["code"]
        self._strategy.initialize(None, list(SYMBOLS))
        self._strategy.load_state(told["state"])
        return json.dumps(getattr(self._strategy, "scan_interval_minutes", 5), default=str).encode()


def serve(descriptor: int) -> None:
    """Answer until the other side closes."""
    careless = Careless()
    while True:
        header = os.read(descriptor, HEADER.size)
        if len(header) < HEADER.size:
            return
        length, request_id, kind = HEADER.unpack(header)
        body = b""
        while len(body) < length:
            body += os.read(descriptor, length - len(body))
        try:
            answered, reply = ANSWER, careless.reply(kind, body)
        except Exception:  # noqa: BLE001  # as trusting as the rest: the whole text of whatever was raised
            answered, reply = FAULT, traceback.format_exc().encode(errors="replace")
        answer = HEADER.pack(len(reply), request_id, answered) + reply
        written = 0
        while written < len(answer):
            written += os.write(descriptor, answer[written:])


if __name__ == "__main__":
    serve(int(sys.argv[2]))
