"""What a flow run by hand came to, for people: a night as sentences, anything else as names and values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shell.store.canonical import canonical

VALUE_CHARS_MAX = 200


def told(result: Any) -> list[str]:
    """Lines for a terminal. `result` is a flow's answer, as itself or as the JSON values it is kept as."""
    values = json.loads(canonical(result))
    if isinstance(values, dict) and isinstance(values.get("decision"), dict):
        return _night(values)
    if isinstance(values, dict) and {"candidate_id", "verdict", "stage"} <= values.keys():
        return [_outcome(values)]
    if isinstance(values, dict):
        return [f"{name}: {_short(value)}" for name, value in values.items()] or ["nothing to tell"]
    return ["done" if values is None else _short(values)]


def _night(values: Mapping[str, Any]) -> list[str]:
    decision = values["decision"]
    lines = [f"night of {values['night']}: {decision['kind']}; {values['active_version']} is active"]
    lines += [f"  {sentence}" for sentence in (*decision["reasons"], *decision["remarks"])]
    lines += [_settled(each) for each in values["settlements"]]
    lines += [_outcome(each) for each in values["outcomes"]]
    lines += [values["costs"]] if values["costs"] else []
    return [*lines, f"the whole night: reports/night-{values['night']}.md in the home's folder"]


def _outcome(values: Mapping[str, Any]) -> str:
    reasons = "; ".join(values["reasons"])
    if values["candidate_id"] is None:
        return f"no candidate: {reasons}"
    return f"{values['candidate_id']}: {values['verdict']} at {values['stage']}: {reasons}"


def _settled(values: Mapping[str, Any]) -> str:
    promotion = values["promotion"]
    if promotion is not None:
        return f"{values['candidate_id']}: its paper trial passed, active as {promotion['version']}"
    reason = values["refusal"] or "; ".join(values["conformance"]["reasons"])
    return f"{values['candidate_id']}: its paper trial is judged: {reason}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]} ..."
