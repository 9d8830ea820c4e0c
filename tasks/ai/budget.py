"""A purse: asks a model only after the shell has reserved what the answer may cost, and settles from what it did cost.

The row is there before the request leaves. A crash in between leaves a reservation, which counts; a question that was answered
is never sent again that night, whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from shell.errors import NotNow
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


class RecordedPurse:
    """Replies from stored calls, found by the hash of the request: nothing is sent, nothing is paid."""

    def __init__(self, calls: Sequence[ModelCall], *, structured: bool = True) -> None:
        self._by_hash: Mapping[str, ModelCall] = {
            call.asked.request_hash: call for call in calls if call.state is CallState.ANSWERED
        }
        self._tried = {call.asked.slot: call for call in calls if call.state is not CallState.ANSWERED}
        self.name = calls[0].asked.provider if calls else "recorded"
        self.structured = structured if not calls else any("output_config" in call.asked.request for call in calls)

    def ask(self, slot: str, question: Question) -> Reply:
        """Raises CallFailed where the record has a failed call, NotNow where this was never asked."""
        call = self._by_hash.get(question.hash)
        if call is not None and call.reply is not None:
            return Reply.of(call.reply)
        failed = self._tried.get(slot)
        if failed is not None and failed.asked.request_hash == question.hash:
            raise CallFailed(failed.error or "cut short", free=failed.state is CallState.FREE)
        raise NotNow(f"the record holds no answer to {slot}: the question is another one now ({question.hash[:12]})")


def answered(calls: Sequence[ModelCall], slot: str) -> Reply | None:
    """The stored reply to a question of the night, if there is one."""
    for call in calls:
        if call.asked.slot == slot and call.state is CallState.ANSWERED and call.reply is not None:
            return Reply.of(call.reply)
    return None


def cheaper(question: Question, model: str) -> Question:
    """The same question to another model."""
    return replace(question, model=model)
