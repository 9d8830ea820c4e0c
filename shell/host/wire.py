"""Frames between the supervisor and the child: a fixed header, float64 numbers and JSON. Never pickle, never Arrow.

One request is answered by one reply with the same id (lockstep). Requests are built by the parent and trusted by the
child; replies are bytes of unknown origin, capped here and checked in `shell.host.validate`.
"""

from __future__ import annotations

import json
import select
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from shell.contract import Action, ClosedTrade, Intent, OpenPosition, Portfolio, RiskLimits
from shell.host.port import BarArray, ClosedNotice, FillNotice, ScanRequest
from shell.market.bars import TIERS, Tier

HEADER = struct.Struct("<IIB")
REPLY_BYTES_MAX = 256 * 1024
CHUNK_BYTES = 1 << 16
ROW_WIDTH = 6
SPINS_MAX = 600

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COUNT = struct.Struct("<I")
_STEP = struct.Struct("<qIII")
_SCAN_HEAD = 8
_FACT_WIDTH = 7
_BAR_WIDTH = 8


class Kind(IntEnum):
    """What a frame carries. START, ANALYZE, STATE, STEP and RUN are requests, ANSWER and FAULT replies; SIGN says nothing
    but that the lane has something to read, and is not answered. A RUN is a whole backtest, whose child tells with BEAT
    frames how far it is, and with TABLE frames rows of its result that are done."""

    START = 1
    ANALYZE = 2
    STATE = 3
    STEP = 4
    SIGN = 5
    RUN = 6
    ANSWER = 10
    FAULT = 11
    BEAT = 12
    TABLE = 13


class ReplayPlan(NamedTuple):
    """A replay's terms: bars come as rows of three tapes with at most `rows` rows each (5m, 1h, 1d), through shared memory
    if `lane`; quotes are closes with `half_spread` (a fraction) on either side; `fees` are (maker, taker) by symbol."""

    rows: tuple[int, int, int]
    half_spread: float
    fees: tuple[tuple[float, float], ...]
    lane: bool


class StartFacts(NamedTuple):
    """Everything a child needs before its first scan; `replay` only where history is replayed to it."""

    code: str
    skills: Mapping[str, str]
    origin: str
    symbols: Sequence[str]
    limits: RiskLimits
    state: Mapping[str, Any] | None
    recent_trades: Sequence[ClosedTrade]
    call_seconds: float
    replay: ReplayPlan | None = None


class ScanNumbers(NamedTuple):
    """A decoded ScanRequest; `facts` rows are (symbol index, bid, ask, last, volume_24h, maker, taker) and `bars` rows
    (symbol index, tier index, open_ms, open, high, low, close, volume)."""

    now: datetime
    portfolio: tuple[float, float, float, float, float]
    facts: list[tuple[float, ...]]
    bars: list[tuple[float, ...]]
    positions: list[OpenPosition]
    notices: list[FillNotice | ClosedNotice]
    new_trades: list[ClosedTrade]


def ready_soon(poller: select.poll) -> None:
    """Look for the other side's bytes a few hundred times before the caller blocks for them.

    A process that blocks takes 50 us and more to wake, and a lockstep of a hundred thousand scans is mostly that. Bounded
    to some tenths of a millisecond a message, so that a process which waits for minutes costs nothing.
    """
    for _ in range(SPINS_MAX):
        if poller.poll(0):
            return


def frame(request_id: int, kind: Kind, body: bytes) -> bytes:
    """One frame: body length, request id, kind, body."""
    return HEADER.pack(len(body), request_id, kind) + body


def encode_start(facts: StartFacts, windows: Mapping[tuple[str, Tier], BarArray]) -> bytes:
    """A START body: JSON, then each window's six columns in the order the JSON lists them."""
    tables = [(symbol, tier.ordinal, len(rows)) for (symbol, tier), rows in windows.items()]
    head = {
        "code": facts.code,
        "skills": dict(facts.skills),
        "origin": facts.origin,
        "symbols": list(facts.symbols),
        "limits": [getattr(facts.limits, name) for name in facts.limits.__slots__],
        "state": None if facts.state is None else dict(facts.state),
        "trades": [_trade_row(trade) for trade in facts.recent_trades],
        "call_seconds": facts.call_seconds,
        "replay": facts.replay,
        "tables": tables,
    }
    text = json.dumps(head, allow_nan=False).encode()
    columns = [np.ascontiguousarray(rows.T, dtype=np.float64).tobytes() for rows in windows.values()]
    return b"".join((_COUNT.pack(len(text)), text, *columns))


def decode_start(body: bytes) -> tuple[StartFacts, dict[tuple[str, Tier], BarArray]]:
    """The inverse of `encode_start`; the windows are views of `body`."""
    (length,) = _COUNT.unpack_from(body)
    head = json.loads(body[_COUNT.size : _COUNT.size + length])
    offset = _COUNT.size + length
    windows: dict[tuple[str, Tier], BarArray] = {}
    for symbol, tier_index, rows in head["tables"]:
        values = np.frombuffer(body, dtype=np.float64, count=ROW_WIDTH * rows, offset=offset)
        windows[symbol, TIERS[tier_index]] = values.reshape(ROW_WIDTH, rows).T
        offset += values.nbytes
    limits = RiskLimits(**dict(zip(RiskLimits.__slots__, head["limits"], strict=True)))
    trades = [_trade(row) for row in head["trades"]]
    facts = StartFacts(
        head["code"],
        head["skills"],
        head["origin"],
        head["symbols"],
        limits,
        head["state"],
        trades,
        head["call_seconds"],
        _plan(head["replay"]),
    )
    return facts, windows


def encode_step(now_ms: int, blocks: Sequence[BarArray], tidings: bytes) -> bytes:
    """A STEP body: the rows of the three tapes that are new at `now_ms`, and what happened (empty: nothing)."""
    head = _STEP.pack(now_ms, *(len(block) for block in blocks))
    return b"".join((head, *(np.ascontiguousarray(block, dtype=np.float64).tobytes() for block in blocks), tidings))


def decode_step(body: bytes, width: int) -> tuple[int, list[BarArray], bytes]:
    """The inverse of `encode_step`, for tapes of `width` numbers a row."""
    now_ms, *counts = _STEP.unpack_from(body)
    offset, blocks = _STEP.size, []
    for count in counts:
        block = np.frombuffer(body, dtype=np.float64, count=count * width, offset=offset)
        blocks.append(block.reshape(count, width))
        offset += block.nbytes
    return now_ms, blocks, body[offset:]


def encode_scan(request: ScanRequest, symbol_index: Mapping[str, int]) -> bytes:
    """An ANALYZE body: a count, that many float64 numbers, and JSON only when there is more than numbers to say.

    Raises KeyError for a symbol the child was not started with."""
    account = request.portfolio
    numbers: list[float] = [
        micros_of(request.now),
        account.cash,
        account.total_value,
        account.daily_pnl,
        account.total_pnl,
        account.fees,
        len(request.facts),
        len(request.new_bars),
    ]
    for symbol, facts in request.facts.items():
        _, bid, ask, last, _ = facts.quote
        numbers += (symbol_index[symbol], bid, ask, last, facts.volume_24h, facts.maker_fee_pct, facts.taker_fee_pct)
    for symbol, tier, open_ms, open_, high, low, close, volume in request.new_bars:
        numbers += (symbol_index[symbol], tier.ordinal, open_ms, open_, high, low, close, volume)
    tail = b""
    if account.positions or request.notices or request.new_trades:
        rows = (
            [_position_row(position) for position in account.positions],
            [_notice_row(notice) for notice in request.notices],
            [_trade_row(trade) for trade in request.new_trades],
        )
        tail = json.dumps(rows).encode()
    return _COUNT.pack(len(numbers)) + _numbers(len(numbers)).pack(*numbers) + tail


def decode_scan(body: bytes) -> ScanNumbers:
    """The inverse of `encode_scan`."""
    (count,) = _COUNT.unpack_from(body)
    numbers = _numbers(count).unpack_from(body, _COUNT.size)
    facts_end = _SCAN_HEAD + _FACT_WIDTH * int(numbers[6])
    facts = [numbers[at : at + _FACT_WIDTH] for at in range(_SCAN_HEAD, facts_end, _FACT_WIDTH)]
    bars = [numbers[at : at + _BAR_WIDTH] for at in range(facts_end, count, _BAR_WIDTH)]
    tail = body[_COUNT.size + 8 * count :]
    positions, notices, trades = json.loads(tail) if tail else ((), (), ())
    return ScanNumbers(
        moment_of(int(numbers[0])),
        numbers[1:6],
        facts,
        bars,
        [_position(row) for row in positions],
        [_notice(row) for row in notices],
        [_trade(row) for row in trades],
    )


def micros_of(moment: datetime) -> int:
    """Microseconds since the epoch, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(micros: int) -> datetime:
    """The aware UTC datetime of `micros` microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=micros)


def portfolio_of(numbers: ScanNumbers, recent_trades: Iterable[ClosedTrade]) -> Portfolio:
    """The Portfolio a strategy is given at this scan."""
    cash, total_value, daily_pnl, total_pnl, fees = numbers.portfolio
    return Portfolio(
        cash=cash,
        total_value=total_value,
        positions=numbers.positions,
        recent_trades=list(recent_trades),
        daily_pnl=daily_pnl,
        total_pnl=total_pnl,
        fees=fees,
    )


@lru_cache(maxsize=256)
def _numbers(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}d")


def _plan(row: list[Any] | None) -> ReplayPlan | None:
    if row is None:
        return None
    rows, half_spread, fees, lane = row
    return ReplayPlan((rows[0], rows[1], rows[2]), half_spread, tuple((maker, taker) for maker, taker in fees), lane)


def _position_row(position: OpenPosition) -> list[Any]:
    opened = None if position.opened_at is None else micros_of(position.opened_at)
    return [
        position.symbol,
        position.side,
        position.qty,
        position.avg_entry,
        position.current_price,
        position.unrealized_pnl,
        position.unrealized_pnl_pct,
        position.intent.value,
        position.stop_loss,
        position.take_profit,
        opened,
        position.tag,
    ]


def _position(row: list[Any]) -> OpenPosition:
    return OpenPosition(
        symbol=row[0],
        side=row[1],
        qty=row[2],
        avg_entry=row[3],
        current_price=row[4],
        unrealized_pnl=row[5],
        unrealized_pnl_pct=row[6],
        intent=Intent(row[7]),
        stop_loss=row[8],
        take_profit=row[9],
        opened_at=None if row[10] is None else moment_of(row[10]),
        tag=row[11],
    )


def _notice_row(notice: FillNotice | ClosedNotice) -> list[Any]:
    if isinstance(notice, FillNotice):
        return ["fill", notice.symbol, notice.action.value, notice.qty, notice.price, notice.intent.value]
    return ["closed", notice.symbol, notice.pnl, notice.pnl_pct]


def _notice(row: list[Any]) -> FillNotice | ClosedNotice:
    if row[0] == "fill":
        return FillNotice(row[1], Action(row[2]), row[3], row[4], Intent(row[5]))
    return ClosedNotice(row[1], row[2], row[3])


def _trade_row(trade: ClosedTrade) -> list[Any]:
    return [
        trade.symbol,
        trade.side,
        trade.qty,
        trade.entry_price,
        trade.exit_price,
        trade.pnl,
        trade.pnl_pct,
        trade.intent.value,
        micros_of(trade.opened_at),
        micros_of(trade.closed_at),
        trade.fees,
        trade.tag,
    ]


def _trade(row: list[Any]) -> ClosedTrade:
    return ClosedTrade(
        symbol=row[0],
        side=row[1],
        qty=row[2],
        entry_price=row[3],
        exit_price=row[4],
        pnl=row[5],
        pnl_pct=row[6],
        intent=Intent(row[7]),
        opened_at=moment_of(row[8]),
        closed_at=moment_of(row[9]),
        fees=row[10],
        tag=row[11],
    )
