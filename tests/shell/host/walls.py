"""A report of a wall that stands, for tests of those who judge one."""

from __future__ import annotations

from typing import Any

from shell.host.probes import PROBES

COMPLETE: dict[str, Any] = {
    "seccomp": True,
    "landlock_abi": 7,
    "network_namespace": True,
    "uid": 65534,
    "memory_limit": True,
    "core_dumps": False,
    "filter_length": 300,
    "probes": dict.fromkeys(PROBES, "denied"),
    "absent": "",
}
