"""Two faults that are no mistakes to be mended: an attempt to get out, and a panic of a library for want of a thread.

polars starts threads of its own when it thinks fit; behind the wall none can be started, and in rare moments it panics
instead of going on without. The same question asked of a fresh process is answered.
"""

from __future__ import annotations

import re

from shell.errors import StrategyFault

# `StrategyFault.kind` of what ends a version at once.
ATTEMPT = "attempt"
_PANIC = re.compile(r"(?:line \d+: )?(?:strategy/skills/\w+\.py line \d+: )?PanicException\b")


def attempt_of(fault: object) -> str:
    """What the strategy tried that honest code never does, empty for every other fault."""
    return str(fault) if isinstance(fault, StrategyFault) and fault.kind == ATTEMPT else ""


def panicked(fault: BaseException | None) -> bool:
    """Whether a fault is such a panic, after which asking once more is worth it."""
    return isinstance(fault, StrategyFault) and fault.kind == "error" and _PANIC.match(str(fault)) is not None
