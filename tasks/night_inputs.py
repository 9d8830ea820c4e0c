"""A night's inputs as JSON values and back: numbers, names and seeds by value, what is large by its hash. No secret is in them.

Settings hold no secret by their type: those are read from the environment and never enter `Settings`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from shell.clock import parse_moment
from shell.config import Settings
from shell.program import program_identity
from shell.store.canonical import canonical
from shell.trials.budget import Budget
from shell.trials.segments import Segment, SegmentName
from tasks.client import ShellClient
from tasks.night import Decision, NightContext

_PLAIN = (
    "night", "provider", "candidates_per_night", "paper_trials_max", "paper_trials", "submissions", "candidates_tonight",
    "history_refusal", "rested", "rest_needed",
)


def inputs_of(
    shell: ShellClient, context: NightContext, decision: Decision, now: datetime, seed: int, provider: str = "",
    truth: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Any]:
    """Everything a night's decision and its candidates are made from, but for what the ledger and the candles hold. `truth`
    is what a model is told of the account, or would have been."""
    active = shell.active_strategy()
    return {
        "at": now.isoformat(), "seed": seed, "provider": provider or context.provider,
        "context": json.loads(canonical(_context_values(context))),
        "decision": json.loads(canonical({"kind": decision.kind, "reasons": decision.reasons, "items": decision.items})),
        "settings": shell.settings().model_dump(mode="json"), "active": {"version": active.version, "hash": active.hash},
        "truth": dict(truth),
        "document": hashlib.sha256(shell.document().encode()).hexdigest()[:16], "program": program_identity(),
    }


def settings_of(inputs: Mapping[str, Any], provider: str = "") -> Settings:
    """The settings of that night, with another provider if one is named."""
    settings = Settings.model_validate(inputs["settings"])
    if not provider:
        return settings
    return settings.model_copy(update={"ai": settings.ai.model_copy(update={"provider": provider})})


def context_of(inputs: Mapping[str, Any]) -> NightContext:
    """What that night was decided on."""
    told = inputs["context"]
    return NightContext(
        **{name: told[name] for name in _PLAIN}, halted=tuple(told["halted"]), interrupted=tuple(told["interrupted"]),
        segments={SegmentName(name): _segment(values) for name, values in told["segments"].items()},
        budget=None if told["budget"] is None else _budget(told["budget"]),
    )


def _context_values(context: NightContext) -> dict[str, Any]:
    return {
        **{name: getattr(context, name) for name in _PLAIN}, "halted": context.halted, "interrupted": context.interrupted,
        "segments": {name.value: segment for name, segment in context.segments.items()}, "budget": context.budget,
    }


def _segment(values: Mapping[str, Any]) -> Segment:
    return Segment(name=SegmentName(values["name"]), start=_moment(values["start"]), end=_moment(values["end"]))


def _budget(values: Mapping[str, Any]) -> Budget:
    return Budget(**{**values, "renewed_at": _moment(values["renewed_at"])})


def _moment(text: str) -> datetime:
    return parse_moment(text)
