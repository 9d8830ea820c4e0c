"""Which provider a night uses. What cannot be had degrades to `local`, and the night says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shell.config_ai import LOCAL
from shell.errors import BadInput, NotNow, UsageError
from shell.model_calls import Spending, Tier
from tasks.ai.budget import PaidPurse
from tasks.ai.connect import access_from, connected
from tasks.ai.local import LocalProvider
from tasks.ai.model_provider import ModelProvider
from tasks.ai.plan import plan_of
from tasks.ai.provider import Provider
from tasks.client import ShellClient
from tasks.night import night_of

PROVIDERS = (LOCAL, "anthropic", "vertex")
# Where a night asks for its provider; what each place was given is recorded under its name.
DECIDE = "decide"

# The provider of a place of the night, and a sentence when it is not the one asked for, or not all of it.
Providers = Callable[[str], tuple[Provider, str]]


def generate_place(ordinal: int) -> str:
    return f"generate:{ordinal}"


def review_place(candidate_id: str) -> str:
    return f"review:{candidate_id}"


def asked_for(shell: ShellClient, asked: str = "") -> str:
    """The provider `asked` for, else the settings'. Raises UsageError for one there is not."""
    name = asked or shell.settings().ai.provider
    if name not in PROVIDERS:
        raise UsageError(f"there is no provider {name!r}: {', '.join(PROVIDERS)}")
    return name


def providers_for(shell: ShellClient, now: datetime, asked: str = "", seed: int = 0) -> Providers:
    """Every place's provider: the models and the money there are at the moment each place asks."""
    return lambda place: provider_for(shell, now, asked, seed, place)


def provider_for(
    shell: ShellClient, now: datetime, asked: str = "", seed: int = 0, place: str = DECIDE
) -> tuple[Provider, str]:
    """The provider `asked` for, else the settings', and a sentence when it is not the one, or not all of it.

    What a model's place was given is recorded, so that the night can be run again. Raises UsageError for a provider there is
    not.
    """
    name = asked_for(shell, asked)
    if name == LOCAL:
        return LocalProvider(), ""
    night = night_of(now)
    spending = shell.spending(night)
    provider, note = _with_models(shell, now, name, seed, spending)
    told = {"provider": provider.name, "tier": spending.tier.value, "note": note}
    shell.record_role(night, place, told, now)
    return provider, note


def _with_models(
    shell: ShellClient, now: datetime, name: str, seed: int, spending: Spending
) -> tuple[Provider, str]:
    ai, night = shell.settings().ai, night_of(now)
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
