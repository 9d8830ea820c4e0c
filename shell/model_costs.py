"""What models cost, added up for people: one line a night, role and model, and one sum a calendar month. Arithmetic only.

`store.model_calls.costs` reads the rows; `brain report costs`, Telegram's /costs and the page show the same of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shell.model_calls import CallState, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """The money of one call: `usd` is what the caps count, `month` ("2026-11") the one it was paid in, New York's."""

    night: str
    month: str
    role: str
    model: str
    state: CallState
    usd: Decimal
    usage: Usage


def cost_lines(costs: Sequence[CallCost]) -> list[dict[str, Any]]:
    """One line a night, role and model. A call without a known usage counts with its reservation."""
    grouped: dict[tuple[str, str, str], list[CallCost]] = defaultdict(list)
    for cost in costs:
        grouped[(cost.night, cost.role, cost.model)].append(cost)
    lines = []
    for (night, role, model), group in sorted(grouped.items()):
        used = [cost.usage for cost in group]
        lines.append({
            "night": night, "role": role, "model": model, "calls": len(group),
            "unanswered": sum(cost.state is not CallState.ANSWERED for cost in group),
            "input_tokens": sum(
                each.input_tokens + each.cache_read_tokens + each.cache_write_5m_tokens + each.cache_write_1h_tokens
                for each in used
            ),
            "output_tokens": sum(each.output_tokens for each in used), "usd": total_usd(group),
        })
    return lines


def by_month(costs: Sequence[CallCost]) -> list[tuple[str, int, Decimal]]:
    """Month, number of calls and their money, oldest first."""
    return _summed((cost.month, cost) for cost in costs)


def by_night(costs: Sequence[CallCost]) -> list[tuple[str, int, Decimal]]:
    """Night, number of calls and their money, oldest first."""
    return _summed((cost.night, cost) for cost in costs)


def total_usd(costs: Sequence[CallCost]) -> Decimal:
    return sum((cost.usd for cost in costs), Decimal(0))


def _summed(named: Iterable[tuple[str, CallCost]]) -> list[tuple[str, int, Decimal]]:
    grouped: dict[str, list[CallCost]] = defaultdict(list)
    for name, cost in named:
        grouped[name].append(cost)
    return [(name, len(group), total_usd(group)) for name, group in sorted(grouped.items())]
