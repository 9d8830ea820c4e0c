"""Where a task finds its ShellClient: the composition root puts one in place, tasks ask for it.

Deliberately a plain module value and not a context variable: Prefect runs tasks in threads and event loops of its own
choosing, and a client must never be a flow parameter, because those are stored and shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from shell.errors import NotNow
from tasks.client import ShellClient

_clients: list[ShellClient] = []
_lock = Lock()


@contextmanager
def use_client(client: ShellClient) -> Iterator[ShellClient]:
    """Let every task of this process talk to `client` until the block ends. The innermost block counts."""
    with _lock:
        _clients.append(client)
    try:
        yield client
    finally:
        with _lock:
            # By identity: two clients may compare equal, and blocks of other threads may have ended in between.
            index = max(position for position, known in enumerate(_clients) if known is client)
            del _clients[index]


def client() -> ShellClient:
    """The client in use. Raises NotNow when there is none."""
    with _lock:
        if _clients:
            return _clients[-1]
    raise NotNow(
        "no shell is at hand for this flow: run it with `brain run FLOW`, which opens one, "
        "or call it inside tasks.context.use_client(...)"
    )
