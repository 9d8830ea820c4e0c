"""Answers that a model might give, and sources it might write."""

from __future__ import annotations

import json
from typing import Any

from shell.host.port import StrategySource
from tests.tasks.ai.messages_server import Say

PLAN = {
    "decision": "restructure", "reasoning": "fees eat a third of the gain", "hypothesis": "a quicker trend earns more than it pays",
    "direction": "a faster average", "metric": "fees", "refuted_if": "above", "bound": 100.0, "due_days": 3,
}
OPINION = {"class": "tweak", "findings": [], "summary": "nothing to object to"}


def plan(**changes: Any) -> Say:
    return Say(text=json.dumps({**PLAN, **changes}))


def opinion(**changes: Any) -> Say:
    return Say(text=json.dumps({**OPINION, **changes}))


def finding(**changes: Any) -> dict[str, Any]:
    return {
        "file": "strategy.py", "line": 12, "code": "RISK", "severity": "blocking", "sentence": "the stop is above the price",
        **changes,
    }


def manuscript(source: StrategySource, hypothesis: str = "trends last", **changes: Any) -> Say:
    text = f"<hypothesis>\n{hypothesis}\n</hypothesis>\n<strategy>\n```python\n{source.code}```\n</strategy>\n"
    for name, code in source.skills.items():
        text += f'<skill name="{name}">\n{code}</skill>\n'
    return Say(text=text, **changes)
