"""What the record of a night holds of its models, as a source of replies: nothing is sent, nothing is paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shell.config_ai import LOCAL, AiConfig
from shell.errors import NotNow
from shell.model_calls import CallState, ModelCall, Tier
from tasks.ai.dialogue import CallFailed, Question, Reply
from tasks.ai.local import LocalProvider
from tasks.ai.model_provider import ModelProvider
from tasks.ai.plan import plan_of
from tasks.ai.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleTold:
    """What one place of the night had to work with: `provider` is "local" where no model could be had, `note` says why."""

    provider: str
    tier: Tier = Tier.FULL
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """One attempt at a night. `calls` are those made until it ended, `before` the slots that an earlier attempt had answered,
    `refusals` why a slot was not paid for, `roles` what each place was told."""

    provider: str
    calls: Sequence[ModelCall] = ()
    before: frozenset[str] = frozenset()
    refusals: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, RoleTold] = field(default_factory=dict)


class RecordedPurse:
    """Replies from stored calls, found by the hash of the request.

    An attempt that found a slot answered took that answer whatever it asked: `before` names those slots. `unknown` lists the
    slots whose question is not the recorded one.
    """

    def __init__(
        self, calls: Sequence[ModelCall], *, name: str = "", structured: bool = True, before: frozenset[str] = frozenset(),
        refusals: Mapping[str, str] | None = None,
    ) -> None:
        answered = [call for call in calls if call.state is CallState.ANSWERED]
        self._by_hash: Mapping[str, ModelCall] = {call.asked.request_hash: call for call in answered}
        self._by_slot = {call.asked.slot: call for call in answered if call.asked.slot in before}
        self._tried = {call.asked.slot: call for call in calls if call.state is not CallState.ANSWERED}
        self._refusals = refusals or {}
        self.name = name or (calls[0].asked.provider if calls else "recorded")
        self.structured = structured if not calls else any("output_config" in call.asked.request for call in calls)
        self.unknown: list[str] = []

    def ask(self, slot: str, question: Question) -> Reply:
        """Raises CallFailed where the record has a failed call, NotNow where there was no money or this was never asked."""
        call = self._by_slot.get(slot) or self._by_hash.get(question.hash)
        if call is not None and call.reply is not None:
            return Reply.of(call.reply)
        failed = self._tried.get(slot)
        if failed is not None and failed.asked.request_hash == question.hash:
            raise CallFailed(failed.error or "cut short", free=failed.state is CallState.FREE)
        if slot in self._refusals:
            raise NotNow(self._refusals[slot])
        self.unknown.append(slot)
        raise NotNow(f"the record holds no answer to {slot}: the question is another one now ({question.hash[:12]})")


class RecordedModels:
    """Every place's provider out of one attempt's record: the same questions get the same replies.

    A question that the record does not hold is done without a model, as it would be without a connection; `unknown` names it.
    """

    def __init__(self, record: ModelRecord, ai: AiConfig) -> None:
        self._record, self._ai = record, ai
        self._purse = RecordedPurse(
            record.calls, name=record.provider, before=record.before, refusals=record.refusals
        )

    @property
    def unknown(self) -> Sequence[str]:
        """The slots whose question is not the recorded one, in the order they were asked."""
        return tuple(self._purse.unknown)

    def __call__(self, place: str) -> tuple[Provider, str]:
        """The provider of `place` and its note. A place the record says nothing of had every model."""
        told = self._record.roles.get(place, RoleTold(provider=self._record.provider))
        if told.provider == LOCAL:
            return LocalProvider(), told.note
        plan = plan_of(self._record.calls)
        return ModelProvider(purse=self._purse, ai=self._ai, tier=told.tier, plan=plan), told.note
