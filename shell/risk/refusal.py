"""Refusals are data: a stable code for programs, a sentence with the numbers for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class RefusalCode(str, Enum):
    """Why a signal was refused. The names are stored and read by others: add, never rename."""

    KILL_SWITCH = "KILL_SWITCH"
    HALTED = "HALTED"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    NO_PRICE = "NO_PRICE"
    STALE_PRICE = "STALE_PRICE"
    BAD_SIZE = "BAD_SIZE"
    BAD_LIMIT_PRICE = "BAD_LIMIT_PRICE"
    PRICE_COLLAR = "PRICE_COLLAR"
    BAD_STOP = "BAD_STOP"
    BAD_TARGET = "BAD_TARGET"
    DUPLICATE_SIGNAL = "DUPLICATE_SIGNAL"
    ORDER_RATE = "ORDER_RATE"
    MAX_DAILY_TRADES = "MAX_DAILY_TRADES"
    MAX_POSITIONS = "MAX_POSITIONS"
    MAX_POSITION_PCT = "MAX_POSITION_PCT"
    NO_CASH = "NO_CASH"
    MIN_ORDER = "MIN_ORDER"
    MIN_COST = "MIN_COST"
    SHORT_REFUSED = "SHORT_REFUSED"
    NO_POSITION = "NO_POSITION"
    EXIT_PENDING = "EXIT_PENDING"
    NO_CHANGE = "NO_CHANGE"
    MARKET_CLOSED = "MARKET_CLOSED"
    EXIT_WAITING = "EXIT_WAITING"
    EXIT_GIVEN_UP = "EXIT_GIVEN_UP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A known no: nothing was sent."""

    code: RefusalCode
    sentence: str
