"""What a strategy's process says of its wall, read strictly, and whether that is enough to trade with real money.

The report is written before the strategy's code is loaded, but it arrives in an answer that the code could forge. So
`attested` asks the kernel about the process as well, and believes a wall only if both say that it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shell.host.probes import ALLOWED, DENIED, PROBES

TEXT_CHARS_MAX = 500
NUMBER_MAX = 1 << 32
# What every report holds and of which type.
KEYS: Final[dict[str, type]] = {
    "seccomp": bool,
    "landlock_abi": int,
    "network_namespace": bool,
    "uid": int,
    "memory_limit": bool,
    "core_dumps": bool,
    "filter_length": int,
    "probes": dict,
    "absent": str,
}
# /proc/<pid>/status, "Seccomp": 2 is a filter (linux/seccomp.h); one filter denies, one kills.
_FILTER_MODE, _FILTERS = "2", 2


def read_isolation(value: object) -> dict[str, Any] | None:
    """The report if it has exactly the form of one, else None."""
    if not isinstance(value, dict) or set(value) != set(KEYS):
        return None
    for name, kind in KEYS.items():
        item = value[name]
        if type(item) is not kind or (isinstance(item, int) and not 0 <= item < NUMBER_MAX):
            return None
    outcomes, absent = value["probes"], value["absent"]
    if not set(outcomes) <= set(PROBES) or not all(outcome in (DENIED, ALLOWED) for outcome in outcomes.values()):
        return None
    if len(absent) > TEXT_CHARS_MAX or not absent.isprintable():
        return None
    return value


def isolation_is_complete(isolation: Mapping[str, Any]) -> str:
    """Empty if the wall stands as live trading needs it, else the sentence that says what is missing.

    Needed are the system call filter, Landlock, every probe denied, bounded memory, no core dumps and not being root.
    A network namespace is one more layer where it can be had, and never missed: the filter knows no sockets at all.
    """
    if not isolation:
        return "nothing is known of the strategy's wall yet: no strategy has been started"
    missing = [reason for reason in (str(isolation.get("absent", "")),) if reason]
    if not isolation.get("seccomp") and not missing:
        missing.append("the system call filter (seccomp) does not hold")
    if not isolation.get("landlock_abi") and not missing:
        missing.append("file access is not restricted by Landlock")
    outcomes = isolation.get("probes") or {}
    allowed = sorted(name for name, outcome in outcomes.items() if outcome != DENIED)
    if allowed:
        missing.append(f"from inside the wall these were possible: {', '.join(allowed)}")
    elif set(outcomes) != set(PROBES) and isolation.get("seccomp"):
        missing.append("the wall was not tried from inside")
    if not isolation.get("memory_limit"):
        missing.append("its memory is not bounded")
    if isolation.get("core_dumps", True):
        missing.append("it may leave core dumps")
    if isolation.get("uid", 0) == 0:
        missing.append("it runs as root")
    return f"the wall around the strategy's process is incomplete: {'; '.join(missing)}" if missing else ""


def attested(isolation: Mapping[str, Any], pid: int) -> dict[str, Any]:
    """The report with `seccomp` true only if the kernel too says that process `pid` is filtered."""
    if not isolation.get("seccomp") or _filtered(pid):
        return dict(isolation)
    reasons = filter(None, (isolation.get("absent"), "the kernel does not confirm the system call filter"))
    return {**isolation, "seccomp": False, "absent": "; ".join(reasons)}


def _filtered(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    facts = dict(re.findall(r"^(\w+):[ \t]*(.*)$", status, re.MULTILINE))
    # Kernels before 5.9 do not count the filters.
    count = facts.get("Seccomp_filters", str(_FILTERS))
    return facts.get("Seccomp") == _FILTER_MODE and count.isdecimal() and int(count) >= _FILTERS
