"""What crosses between a fast backtest's parent and its child besides the result: terms, code, beats, refusals."""

from __future__ import annotations

import json
import struct
from typing import Any
from zoneinfo import ZoneInfo

from shell.backtest.result import BacktestSettings
from shell.config_book import HostConfig, PaperConfig, RiskConfig
from shell.errors import BrainError, DataError, StrategyFault, UsageError
from shell.host.port import StrategySource
from shell.host.validate import FAULT_KINDS, harmless
from shell.money import QuoteAmount

# What a beat tells of: the strategy is asked, is started, or is not asked any more.
GOING, STARTING, FINISHING = 0, 1, 2
REFUSAL_BYTES_MAX = 8 * 1024
SENTENCE_CHARS_MAX = 500
_BEAT = struct.Struct("<qB")
BEAT_BYTES = _BEAT.size
# What a person wrote that cannot be run. Everything else that can go wrong in there is within the strategy's reach, so it
# comes out as the strategy's fault: a broken invariant of an engine that a strategy shares a process with proves nothing.
_REFUSALS: dict[str, type[BrainError]] = {"data": DataError, "usage": UsageError}


def encode_terms(settings: BacktestSettings) -> bytes:
    """The body of the first request: the terms of a run, which is all but its code and its ground."""
    return json.dumps({
        "cash": str(settings.cash), "zone": settings.zone.key, "paper": settings.paper.model_dump_json(),
        "risk": settings.risk.model_dump_json(), "host": settings.host.model_dump_json(),
    }).encode()


def decode_terms(body: bytes) -> BacktestSettings:
    """The inverse of `encode_terms`, for what the parent sent. Opens the zone's file."""
    said = json.loads(body)
    return BacktestSettings(
        cash=QuoteAmount(said["cash"]), zone=ZoneInfo(said["zone"]), paper=PaperConfig.model_validate_json(said["paper"]),
        risk=RiskConfig.model_validate_json(said["risk"]), host=HostConfig.model_validate_json(said["host"]),
    )


def encode_source(source: StrategySource) -> bytes:
    """The body of the second request."""
    return json.dumps({"code": source.code, "skills": dict(source.skills), "origin": source.origin}).encode()


def decode_source(body: bytes) -> StrategySource:
    """The inverse of `encode_source`, for what the parent sent."""
    return StrategySource(**json.loads(body))


def encode_beat(slot: int, phase: int) -> bytes:
    return _BEAT.pack(slot, phase)


def decode_beat(body: bytes) -> tuple[int, int]:
    """(slot, phase) as the child claims them. Raises StrategyFault for a body of another length."""
    if len(body) != BEAT_BYTES:
        raise StrategyFault("bad_reply", "a word of how far the run is has another form")
    slot, phase = _BEAT.unpack(body)
    return slot, phase


def encode_refusal(error: BrainError) -> bytes:
    """An error of the run, for `decode_refusal`."""
    kinds = [kind for kind, known in _REFUSALS.items() if type(error) is known]
    if isinstance(error, StrategyFault):
        kinds, line = [error.kind], error.line
    else:
        line = None
    return json.dumps({"kind": kinds[0] if kinds else "error", "message": str(error), "line": line}).encode()


def decode_refusal(body: bytes) -> BrainError:
    """The error a child reports, its text made harmless: DataError, UsageError, or a StrategyFault, also of the form."""
    try:
        report: Any = json.loads(body)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict) or set(report) != {"kind", "message", "line"}:
        return StrategyFault("bad_reply", "the report of why the run ended has another form")
    kind, line = report["kind"], report["line"]
    message = harmless(report["message"], SENTENCE_CHARS_MAX)
    if isinstance(kind, str) and kind in _REFUSALS:
        return _REFUSALS[kind](message)
    if type(line) is not int or not 0 < line < 10_000_000:
        line = None
    return StrategyFault(kind if kind in FAULT_KINDS else "error", message, line)
