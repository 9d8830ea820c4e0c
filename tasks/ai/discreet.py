"""Whoever answers knows the key it was asked with, and may say it again: nothing of an answer or a failure keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from shell.secrets import MASK, Secret
from tasks.ai.dialogue import CallFailed, Models, Question, Reply

T = TypeVar("T")

# No key is shorter, and a short stand-in for one, such as "test", would be cut out of honest code.
SECRET_CHARACTERS_MIN = 16


class LivingModels(Models, Protocol):
    """Models that can be asked whether they are on their way out."""

    def lifecycle(self, model: str) -> str: ...


class DiscreetModels:
    """`inner`, with `secrets` masked in every reply and every sentence of a failure, which loses the cause that quotes it."""

    def __init__(self, inner: LivingModels, secrets: tuple[Secret, ...]) -> None:
        self.name, self.structured = inner.name, inner.structured
        self._inner = inner
        self._secrets = tuple(secret for secret in secrets if len(secret.reveal()) >= SECRET_CHARACTERS_MIN)

    def count(self, question: Question) -> int:
        """As `Models.count`."""
        return self._asked(lambda: self._inner.count(question))

    def ask(self, question: Question) -> Reply:
        """As `Models.ask`."""
        reply = self._asked(lambda: self._inner.ask(question))
        return replace(
            reply, text=self._masked(reply.text), stop_reason=self._masked(reply.stop_reason), model=self._masked(reply.model),
            request_id=self._masked(reply.request_id), content=tuple(self._masked(block) for block in reply.content),
        )

    def lifecycle(self, model: str) -> str:
        """A sentence when the model is on its way out or unknown, "" when all is well. Raises CallFailed."""
        return str(self._masked(self._asked(lambda: self._inner.lifecycle(model))))

    def _asked(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except CallFailed as error:
            failure = CallFailed(self._masked(str(error)), free=error.free)
        raise failure

    def _masked(self, value: Any) -> Any:
        """JSON values, keys included, without the secrets."""
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret.reveal(), MASK)
            return value
        if isinstance(value, dict):
            return {self._masked(name): self._masked(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._masked(each) for each in value]
        return value
