"""Which provider a night uses. What cannot be had degrades to `local`, and the night says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shell.errors import BadInput, NotNow, UsageError
from shell.model_calls import CallState, ModelCall, Tier
from tasks.ai.budget import PaidPurse, RecordedPurse
from tasks.ai.connect import access_from, connected
from tasks.ai.dialogue import Reply, Role, Unusable
from tasks.ai.local import LocalProvider
from tasks.ai.model_provider import PLAN_SLOT, ModelProvider
from tasks.ai.provider import Provider
from tasks.ai.replies import Plan, read_plan
from tasks.client import ShellClient
from tasks.night import night_of

PROVIDERS = ("local", "anthropic", "vertex")


def provider_for(shell: ShellClient, now: datetime, asked: str = "", seed: int = 0) -> tuple[Provider, str]:
    """The provider `asked` for, else the settings', and a sentence when it is not the one, or not all of it.

    Raises UsageError for a provider there is not.
    """
    ai = shell.settings().ai
    name = asked or ai.provider
    if name not in PROVIDERS:
        raise UsageError(f"there is no provider {name!r}: {', '.join(PROVIDERS)}")
    if name == "local":
        return LocalProvider(), ""
    night = night_of(now)
    spending = shell.spending(night)
    if spending.tier is Tier.LOCAL:
        return LocalProvider(), f"the month's money is spent ({spending.sentence}): every role is local until the next month"
    try:
        models = connected(ai, name, access_from())
    except (NotNow, BadInput) as refusal:
        return LocalProvider(), f"{refusal}: every role is local tonight"
    purse = PaidPurse(shell, models, night=night, now=now, seed=seed)
    note = ""
    if spending.tier is Tier.THRIFTY:
        note = f"the month's money is short ({spending.sentence}): {ai.generate_model} for every role, no model revisions"
    return ModelProvider(purse=purse, ai=ai, tier=spending.tier, plan=plan_of(shell.model_calls(night))), note


class RecordedProvider(ModelProvider):
    """A night's provider out of its record: the same questions get the same replies, nothing is sent and nothing is paid.

    A question that the record does not hold is done without a model, as it would be without a connection; the sentence says so.
    """

    def __init__(self, shell: ShellClient, calls: Sequence[ModelCall], tier: Tier = Tier.FULL) -> None:
        super().__init__(purse=RecordedPurse(calls), ai=shell.settings().ai, tier=tier, plan=plan_of(calls))


def plan_of(calls: Sequence[ModelCall]) -> Plan | None:
    """The plan that a night's calls hold: that of the last usable answer. An author in a run of its own learns it so."""
    for call in reversed(calls):
        mine = call.asked.role == Role.ANALYSE.value and call.asked.slot.startswith(PLAN_SLOT)
        if mine and call.state is CallState.ANSWERED and call.reply is not None:
            try:
                return read_plan(Reply.of(call.reply).text)
            except Unusable:
                continue
    return None
