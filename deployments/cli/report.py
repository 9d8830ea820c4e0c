"""`brain report`: the HTML report of a home, and the group of records beside it."""

from __future__ import annotations

import typer

from deployments.cli import report_books
from deployments.cli.costs import costs
from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for
from deployments.cli.worth import worth

app = typer.Typer(
    invoke_without_command=True,
    help="The HTML report of everything a home has done so far; with a name, one kind of record for books and tax.",
)
app.command("costs")(costs)
app.command("worth")(worth)
report_books.register(app)


@app.callback()
@command
def report(context: typer.Context, home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Write the report of everything this home has done so far, one self-contained HTML file.

    With a name after it: one kind of record for books and tax.
    """
    if context.invoked_subcommand is not None:
        return
    from deployments.reporting import write_stored_report

    path = write_stored_report(home_of(home))
    if as_json:
        answer({"report": str(path)})
    else:
        console_for(as_json).print(f"Report: [bold]{path}[/]", soft_wrap=True)
