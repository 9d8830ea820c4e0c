"""Where a replay with another provider pays: the same caps, prices and rows as a night, under a name of the replay's own.

Everything else of a replay writes nothing. What it spends is booked, in the running shell if there is one, else in the home's
own database while nobody else has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from shell.clock import Clock, SystemClock
from shell.config_ai import AiConfig
from shell.home import Home, HomeLock
from shell.model_calls import CallRequest, CallState, ModelCall, Spending, Usage
from shell.store.place import open_store
from shell.store.store import Store
from tasks.socket_client import SocketClient

HASH_DIGITS = 12


class Till(Protocol):
    """The part of a ShellClient that money passes through."""

    def spending(self, night: str) -> Spending: ...

    def model_calls(self, night: str) -> Sequence[ModelCall]: ...

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall: ...

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall: ...


class ReplayTill:
    """Another till under the name of a replay. A question is asked once, however often the night is replayed; another
    question in the same place, of a program that has changed since, is another call."""

    def __init__(self, till: Till, provider: str) -> None:
        self._till, self._provider = till, provider

    def spending(self, night: str) -> Spending:
        return self._till.spending(self._named(night))

    def model_calls(self, night: str) -> Sequence[ModelCall]:
        return self._till.model_calls(self._named(night))

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall:
        slot = f"{asked.slot}#{asked.request_hash[:HASH_DIGITS]}"
        return self._till.reserve_call(replace(asked, night=self._named(asked.night), slot=slot), now)

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        return self._till.settle_call(call_id, state, now, usage=usage, reply=reply, error=error)

    def _named(self, night: str) -> str:
        return f"{night} replay {self._provider}"


class OwnTill:
    """The home's own database, open for writing and held."""

    def __init__(self, store: Store, ai: AiConfig, wall: Clock) -> None:
        self._calls, self._ai, self._wall = store.model_calls, ai, wall

    def spending(self, night: str) -> Spending:
        return self._calls.spending(self._ai, night, self._wall.now())

    def model_calls(self, night: str) -> Sequence[ModelCall]:
        return self._calls.list(night)

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall:
        return self._calls.reserve(self._ai, asked, now, self._wall.now())

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        return self._calls.settle(self._ai, call_id, state, now, usage=usage, reply=reply, error=error)


@contextmanager
def till_of(home: Home, ai: AiConfig, provider: str) -> Iterator[Till]:
    """The till of a home: the running shell's, else its database's."""
    if HomeLock.writer_of(home):
        with closing(SocketClient(home.control_socket)) as client:
            yield ReplayTill(client, provider)
        return
    with HomeLock(home), open_store(home) as store:
        yield ReplayTill(OwnTill(store, ai, SystemClock()), provider)
