"""`brain report`: the HTML report of a home, and what else can be told of it."""

from __future__ import annotations

import typer

from deployments.cli import report_books
from deployments.cli.costs import costs
from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for

app = typer.Typer(
    invoke_without_command=True, help="Write the report of everything this home has done, or tell one part of it."
)
app.command("costs")(costs)
report_books.register(app)


@app.callback()
def report(context: typer.Context, home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Write the report of everything this home has done so far, one self-contained HTML file; or name a part of it."""
    if context.invoked_subcommand is None:
        write(home=home, as_json=as_json)


@command
def write(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """The whole report."""
    from deployments.reporting import write_stored_report

    path = write_stored_report(home_of(home))
    if as_json:
        answer({"report": str(path)})
    else:
        console_for(as_json).print(f"Report: [bold]{path}[/]", soft_wrap=True)
