"""How tasks are declared: reads may be retried, writes are tried once, and Prefect caches and keeps nothing.

Tasks carry no tags; flow runs do. For each tagged task run Prefect asks the server for a concurrency slot, which costs
a round trip and, on a SQLite server, now and then a lock and two seconds.
"""

from __future__ import annotations

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from shell.errors import Transient

READ_RETRIES = 2


def is_transient(task: Any, task_run: Any, state: Any) -> bool:
    """Retry only what may pass by itself; a refusal or a fault would merely be repeated."""
    return isinstance(state.data, Transient)


# For tasks that only read. The jitter keeps several waiting runs from asking at the same moment.
READ: dict[str, Any] = {
    "retries": READ_RETRIES,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}

# For tasks that change state, order or promote: the conductor never sends one twice.
WRITE: dict[str, Any] = {"retries": 0, "cache_policy": NO_CACHE, "persist_result": False}
