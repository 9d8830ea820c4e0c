"""`brain report costs`: what models cost, night by night, against the caps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table

if TYPE_CHECKING:
    from shell.model_calls import ModelCall


@command
def costs(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """What models cost: every night by role and model, and this month's money against its cap."""
    from deployments.opening import settings_for
    from shell.clock import NEW_YORK, SystemClock, local_day

    place = home_of(home)
    ai = settings_for(place).ai
    now = SystemClock().now()
    with read_store(place) as store:
        calls = store.model_calls.list()
        spending = store.model_calls.spending(ai, local_day(now, NEW_YORK).isoformat(), now)
    lines = cost_lines(calls)
    total = sum((call.counted_usd for call in calls), Decimal(0))
    if as_json:
        answer({
            "nights": lines, "total_usd": total, "month": spending.month, "month_usd": spending.month_usd,
            "month_usd_max": spending.month_usd_max, "night_usd_max": spending.night_usd_max, "tier": spending.tier,
        })
        return
    console = console_for(as_json)
    if not lines:
        console.print("No model was asked in this home yet.")
    else:
        titles = ["night", "role", "model", "calls", "no answer", "tokens in", "tokens out", "USD"]
        rows = [[str(line[name]) for name in _COLUMNS] for line in lines]
        console.print(table("What models cost", titles, rows, right=(3, 4, 5, 6, 7)))
    console.print(
        f"{spending.month}: ${spending.month_usd:.2f} of ${spending.month_usd_max:.2f}, tier {spending.tier.value}; "
        f"${total:.2f} since the first night"
    )


_COLUMNS = ("night", "role", "model", "calls", "unanswered", "input_tokens", "output_tokens", "usd")


def cost_lines(calls: Sequence[ModelCall]) -> list[dict[str, Any]]:
    """One line a night, role and model. A call without a known usage counts with its reservation."""
    from shell.model_calls import CallState, Usage

    grouped: dict[tuple[str, str, str], list[ModelCall]] = defaultdict(list)
    for call in calls:
        grouped[(call.asked.night, call.asked.role, call.asked.model)].append(call)
    lines = []
    for (night, role, model), group in sorted(grouped.items()):
        used = [call.usage or Usage() for call in group]
        lines.append({
            "night": night, "role": role, "model": model, "calls": len(group),
            "unanswered": sum(call.state is not CallState.ANSWERED for call in group),
            "input_tokens": sum(
                each.input_tokens + each.cache_read_tokens + each.cache_write_5m_tokens + each.cache_write_1h_tokens
                for each in used
            ),
            "output_tokens": sum(each.output_tokens for each in used),
            "usd": sum((call.counted_usd for call in group), Decimal(0)),
        })
    return lines
