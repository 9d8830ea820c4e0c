"""Seeds that failed once, each with what was wrong: they are tried again every time, for ever."""

from __future__ import annotations

FAILED_STORMS: tuple[int, ...] = ()
FAILED_LIVES: tuple[int, ...] = ()
# 23: an entry and its stop filled in one instant, and the sale was booked before its purchase. 15: an older copy of the
# database had forgotten the kill switch, and no order that it lacked betrayed its age.
FAILED_COPIES: tuple[int, ...] = (15, 23)
