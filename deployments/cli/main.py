"""`brain`: the whole product from one command."""

from __future__ import annotations

import typer

from deployments.cli import (
    approval,
    backtest,
    backup,
    biases,
    capital,
    certificate,
    data,
    doctor,
    init,
    night,
    null_test,
    page,
    prefect_password,
    rehearse,
    report,
    run,
    sandbox,
    search,
    shell,
    simulate,
    status,
    strategy,
    up,
    walk_forward,
)
from shell.undumpable import make_undumpable

app = typer.Typer(
    name="brain", no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False,
    help="A rigid trading shell around a strategy that an AI may replace: rarely, and only on evidence.",
)
app.command("rehearse")(rehearse.rehearse)
app.command("backtest")(backtest.backtest)
app.command("search")(search.search)
app.command("walk-forward")(walk_forward.walk_forward)
app.command("biases")(biases.biases)
app.command("null-test")(null_test.null_test)
app.command("sandbox")(sandbox.sandbox)
app.command("simulate-kraken")(simulate.simulate_kraken)
app.command("run", context_settings={"allow_interspersed_args": True})(run.run)
app.command("shell")(shell.shell)
app.command("up")(up.up)
app.command("down")(up.down)
app.command("status")(status.status)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("page")(page.page)
app.command("prefect-password")(prefect_password.prefect_password)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("kill")(status.kill)
app.command("resume")(status.resume)
app.command("approve")(approval.approve)
app.command("reject")(approval.reject)
app.add_typer(report.app, name="report")
app.command("certificate")(certificate.certificate)
app.add_typer(data.app, name="data")
app.add_typer(capital.app, name="capital")
app.add_typer(strategy.app, name="strategy")
app.add_typer(night.app, name="night")


@app.callback()
def prepare() -> None:
    """Before any command: this process may hold keys, from its environment on."""
    make_undumpable()


if __name__ == "__main__":
    app()
