"""`brain report`: the HTML report of a home."""

from __future__ import annotations

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for


@command
def report(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Write the report of everything this home has done so far, one self-contained HTML file."""
    from deployments.reporting import write_stored_report

    path = write_stored_report(home_of(home))
    if as_json:
        answer({"report": str(path)})
    else:
        console_for(as_json).print(f"Report: [bold]{path}[/]", soft_wrap=True)
