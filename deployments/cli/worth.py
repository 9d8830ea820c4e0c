"""`brain report worth`: what each proposer tried, what came through, what that earned, and what it cost."""

from __future__ import annotations

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table


@command
def worth(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """What each proposer (local search, models, people) is worth: trials, gate passers, survivors, results, dollars."""
    from shell.report.memory_rows import store_worth

    with read_store(home_of(home)) as store:
        rows = store_worth(store)
    if as_json:
        answer({"proposers": [row.as_dict() for row in rows]})
        return
    console = console_for(as_json)
    console.print(
        table(
            "What each proposer is worth",
            ["proposer", "proposed", "trials", "passed", "true share", "survived", "promoted", "result since", "USD"],
            [
                [
                    row.provider, str(row.proposed), str(row.trials), str(row.passed),
                    "no trial" if row.passed_interval is None else "{:.0%} to {:.0%}".format(*row.passed_interval),
                    str(row.survived), str(row.promoted), str(row.pnl), f"{row.usd:.2f}",
                ]
                for row in rows
            ],
            right=(1, 2, 3, 4, 5, 6, 7, 8),
        )
    )
