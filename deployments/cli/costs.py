"""`brain report costs`: what models cost, night by night, against the caps."""

from __future__ import annotations

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table


@command
def costs(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """What models cost: every night by role and model, and this month's money against its cap."""
    from deployments.opening import settings_for
    from shell.clock import NEW_YORK, SystemClock, local_day
    from shell.model_costs import cost_lines, total_usd

    place = home_of(home)
    ai = settings_for(place).ai
    now = SystemClock().now()
    with read_store(place) as store:
        paid = store.model_calls.costs()
        spending = store.model_calls.spending(ai, local_day(now, NEW_YORK).isoformat(), now)
    lines = cost_lines(paid)
    total = total_usd(paid)
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
        titles = ["night", "role", "model", "calls", "lost", "read", "written", "USD"]
        rows = [[*(str(line[name]) for name in _COLUMNS), f"{line['usd']:.2f}"] for line in lines]
        title = "What models cost (lost: without an answer; read and written: tokens)"
        console.print(table(title, titles, rows, right=(3, 4, 5, 6, 7)))
    console.print(
        f"{spending.month}: ${spending.month_usd:.2f} of ${spending.month_usd_max:.2f}, {_LEFT[spending.tier.value]}; "
        f"${total:.2f} since the first night"
    )


_LEFT = {
    "full": "every role by its model", "thrifty": "the cheaper model does every role",
    "local": "spent: nights go on without a model",
}
_COLUMNS = ("night", "role", "model", "calls", "unanswered", "input_tokens", "output_tokens")
