"""`brain`: the whole product from one command."""

from __future__ import annotations

import typer

from deployments.cli import backtest, data, night, rehearse, report, run, sandbox, status, strategy

app = typer.Typer(
    name="brain", no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False,
    help="A rigid trading shell around a strategy that an AI may replace: rarely, and only on evidence.",
)
app.command("rehearse")(rehearse.rehearse)
app.command("backtest")(backtest.backtest)
app.command("sandbox")(sandbox.sandbox)
app.command("run", context_settings={"allow_interspersed_args": True})(run.run)
app.command("status")(status.status)
app.command("kill")(status.kill)
app.command("resume")(status.resume)
app.command("report")(report.report)
app.add_typer(data.app, name="data")
app.add_typer(strategy.app, name="strategy")
app.add_typer(night.app, name="night")

if __name__ == "__main__":
    app()
