"""Seeds that failed once, each with what was wrong: they are tried again every time, for ever."""

from __future__ import annotations

FAILED_STORMS: tuple[int, ...] = ()
FAILED_LIVES: tuple[int, ...] = ()
