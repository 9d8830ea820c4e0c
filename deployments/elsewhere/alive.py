"""Whether the shell of this project proved lately that it trades: exit code and sentence, for a container's health check."""

from __future__ import annotations

import sys
from datetime import timedelta

from shell.clock import SystemClock
from shell.home import Home
from shell.watchdog import STALE, heartbeat_age


def verdict(age: timedelta | None) -> tuple[int, str]:
    """Exit code and sentence for the age of the newest beat."""
    if age is None:
        return 1, "no shell has started, or it was stopped"
    if age > STALE:
        return 1, f"the shell's last beat is {age} old: it hangs or died"
    return 0, f"the shell's last beat is {age.total_seconds():.0f} s old"


if __name__ == "__main__":
    code, sentence = verdict(heartbeat_age(Home.project(), SystemClock().now()))
    print(sentence)  # noqa: T201
    sys.exit(code)
