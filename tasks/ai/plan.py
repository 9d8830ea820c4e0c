"""A night's plan out of its calls: an author in a run of its own learns it so."""

from __future__ import annotations

from collections.abc import Sequence

from shell.model_calls import CallState, ModelCall
from tasks.ai.dialogue import Reply, Role, Unusable
from tasks.ai.model_provider import PLAN_SLOT
from tasks.ai.replies import Plan, read_plan


def plan_of(calls: Sequence[ModelCall]) -> Plan | None:
    """The plan that a night's calls hold: that of the last usable answer."""
    for call in reversed(calls):
        mine = call.asked.role == Role.ANALYSE.value and call.asked.slot.startswith(PLAN_SLOT)
        if mine and call.state is CallState.ANSWERED and call.reply is not None:
            try:
                return read_plan(Reply.of(call.reply).text)
            except Unusable:
                continue
    return None
