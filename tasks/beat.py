"""Whether the shell still proves that it trades: its beat is a file, so that it is seen from a run while nothing answers."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from shell.clock import SystemClock
from shell.errors import NotNow
from shell.watchdog import STALE, beat_age

# Set by `brain up` for its worker: the file of the shell's beat.
BEAT_VARIABLE = "TRADING_BRAIN_HEARTBEAT"


def require_beat() -> timedelta | None:
    """How old the beat is; None where there is none to watch, or the shell was stopped in good order.

    Raises NotNow with what to do when it is old: the shell was killed, or its trading thread hangs.
    """
    named = os.environ.get(BEAT_VARIABLE, "")
    age = beat_age(Path(named), SystemClock().now()) if named else None
    if age is not None and age > STALE:
        since = "cannot be read" if age == timedelta.max else f"is {age.total_seconds():.0f} s old"
        raise NotNow(
            f"the shell's heartbeat {since}: it was killed or hangs, and nobody watches targets and stops but the exchange. "
            "`brain status` and `brain doctor` say more; `brain up` starts it again"
        )
    return age
