"""Durations as people write them: a whole number and a unit, such as "90s", "10m", "24h" or "7d"."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WRITTEN = re.compile(r"\s*(\d{1,9})\s*([smhd])\s*", re.ASCII)

DURATION_EXAMPLES = '"90s", "10m", "24h" or "7d"'


def parse_duration(text: str) -> timedelta:
    """The duration that `text` names: seconds, minutes, hours or days. Raises ValueError with a sentence."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a whole number with a unit, such as {DURATION_EXAMPLES}")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def format_duration(duration: timedelta) -> str:
    """The shortest text that reads back as `duration`. Raises ValueError for parts of a second or below zero."""
    seconds, rest = divmod(duration, timedelta(seconds=1))
    if rest or seconds < 0:
        raise ValueError(f"{duration} is not a whole number of seconds from 0 up")
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
