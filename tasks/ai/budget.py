"""A purse: asks a model only after the shell has reserved what the answer may cost, and settles from what it did cost.

The row is there before the request leaves. A crash in between leaves a reservation, which counts; a question that was answered
is never sent again that night, whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shell.model_calls import CallRequest, CallState, ModelCall
from tasks.ai.dialogue import CallFailed, Models, Question, Reply
from tasks.client import ShellClient


class Purse(Protocol):
    """Where replies are paid for. `slot` names the question's place in the night. `structured` as in `Models`."""

    name: str
    structured: bool

    def ask(self, slot: str, question: Question) -> Reply:
        """Raises NotNow when there is no money for it, CallFailed when there is no reply."""


class PaidPurse:
    """The shell's money, and a provider's models."""

    def __init__(self, shell: ShellClient, models: Models, *, night: str, now: datetime, seed: int = 0) -> None:
        self._shell, self._models = shell, models
        self._night, self._now, self._seed = night, now, seed
        self.name, self.structured = models.name, models.structured

    def ask(self, slot: str, question: Question) -> Reply:
        known = answered(self._shell.model_calls(self._night), slot)
        if known is not None:
            return known
        call = self._shell.reserve_call(self._request(slot, question), self._now)
        if call.state is CallState.ANSWERED and call.reply is not None:
            return Reply.of(call.reply)
        try:
            reply = self._models.ask(question)
        except CallFailed as failure:
            state = CallState.FREE if failure.free else CallState.LOST
            self._shell.settle_call(call.call_id, state, self._now, error=str(failure))
            raise
        self._shell.settle_call(
            call.call_id, CallState.ANSWERED, self._now, usage=reply.usage, reply=reply.as_dict()
        )
        return reply

    def _request(self, slot: str, question: Question) -> CallRequest:
        body = question.request()
        try:
            tokens = self._models.count(question)
        except CallFailed:
            # No token is shorter than a byte: a bound that is too high reserves too much, never too little.
            tokens = len(str(body).encode("utf-8", "replace"))
        return CallRequest(
            night=self._night, slot=slot, role=question.role.value, provider=self.name, model=question.model, request=body,
            request_hash=question.hash, input_tokens=tokens, output_tokens_max=question.output_tokens_max, seed=self._seed,
        )


def answered(calls: Sequence[ModelCall], slot: str) -> Reply | None:
    """The stored reply to a question of the night, if there is one."""
    for call in calls:
        if call.asked.slot == slot and call.state is CallState.ANSWERED and call.reply is not None:
            return Reply.of(call.reply)
    return None
