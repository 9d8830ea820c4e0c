"""Seeds that failed once, each with what was wrong: they are tried again every time, for ever."""

from __future__ import annotations

FAILED_STORMS: tuple[int, ...] = ()
# 107: a process died between sending a waiting exit and writing its answer, the next one found the order and died, too: the third
# gave the same intent its name again, and could do nothing else any more.
FAILED_LIVES: tuple[int, ...] = (107,)
# 23: an entry and its stop filled in one instant, and the sale was booked before its purchase. 15: an older copy of the
# database had forgotten the kill switch, and no order that it lacked betrayed its age. 7004: three looks lacked a trade of ours
# whose time the exchange told differently, and the one after that did not look back to before them.
FAILED_COPIES: tuple[int, ...] = (15, 23, 7004)
