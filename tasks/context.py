"""Where a task finds its ShellClient: the composition root puts one in place, tasks ask for it.

Deliberately a plain module value and not a context variable: Prefect runs tasks in threads and event loops of its own
choosing, and a client must never be a flow parameter, because those are stored and shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from shell.errors import NotNow
from tasks.client import ShellClient
from tasks.socket_client import SocketClient

# Set by `brain up` for its worker: the socket of the shell, which a flow in a process of its own talks to.
SOCKET_VARIABLE = "TRADING_BRAIN_CONTROL"
_clients: list[ShellClient] = []
_reached: dict[str, ShellClient] = {}
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
    """The client in use, or the shell whose socket the environment names. Raises NotNow when there is neither."""
    with _lock:
        if _clients:
            return _clients[-1]
        path = os.environ.get(SOCKET_VARIABLE, "")
        if path:
            return _reached.setdefault(path, SocketClient(Path(path)))
    raise NotNow(
        "no shell is at hand for this flow: run it with `brain run FLOW`, which opens one or asks the one that is up, "
        "or call it inside tasks.context.use_client(...)"
    )
