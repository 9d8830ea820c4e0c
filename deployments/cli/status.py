"""`brain status`, `brain kill`, `brain resume`: how a home stands, stopping it, and lifting what stopped it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for, table


@command
def status(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """The books as stored, checked against their own facts; works beside a running shell and after a crash.

    Exits 1 when the books do not agree with the fills they are made of.
    """
    from deployments.standing import standing_of

    place = home_of(home)
    with read_store(place) as store:
        facts = standing_of(place, store)
    if as_json:
        answer(facts)
    else:
        _show(facts)
    if facts["books_check"]:
        raise typer.Exit(FAILED)


@command
def kill(
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "asked for by the operator",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Emergency stop: no opening order leaves this home until `brain resume KILL_SWITCH`; positions keep their stops."""
    from shell.clock import SystemClock
    from shell.errors import NotNow
    from shell.home import HomeLock
    from shell.risk.halts import Halt, HaltKind
    from shell.service import MAIN_BOOK
    from shell.store.store import Store

    place = home_of(home).create()
    now = SystemClock().now()
    try:
        with HomeLock(place), Store.open(place.database) as store:
            store.halts.raise_(Halt(kind=HaltKind.KILL_SWITCH, book=MAIN_BOOK, sentence=reason, raised_at=now))
        running = False
    except NotNow:
        # A shell runs on this home and alone writes its database: it heeds this note before its next step.
        place.kill_file.write_text(reason, encoding="utf-8")
        running = True
    if as_json:
        answer({"halted": [HaltKind.KILL_SWITCH.value], "reason": reason, "shell_running": running})
    else:
        told = "the running shell stops at its next step" if running else "no opening order leaves"
        console_for(as_json).print(f"[bold red]killed[/]: {told}, until `brain resume KILL_SWITCH`")


@command
def resume(
    kind: Annotated[str, typer.Argument(help="The halt to lift, as `brain status` shows it.")],
    by: Annotated[str, typer.Option(help="Who lifts it; it is recorded.")] = "the operator",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Lift one halt. What tripped it is measured afresh from now."""
    from deployments.opening import settings_for
    from deployments.standing import lift_stored
    from shell.clock import SystemClock
    from shell.errors import UsageError
    from shell.home import HomeLock
    from shell.risk.halts import HaltKind
    from shell.store.store import Store

    known = [each.value for each in HaltKind]
    if kind.upper() not in known:
        raise UsageError(f"{kind!r} is not a halt: {', '.join(known)}")
    place = home_of(home).create()
    with HomeLock(place), Store.open(place.database) as store:
        left = lift_stored(store, HaltKind(kind.upper()), by, SystemClock().now(), settings_for(place))
    if as_json:
        answer({"lifted": kind.upper(), "halted": left})
    else:
        console_for(as_json).print(f"{kind.upper()} lifted" + (f"; still halted: {', '.join(left)}" if left else ""))


def _show(facts: dict[str, Any]) -> None:
    console = console_for(False)
    halted = ", ".join(facts["halted"]) or "no"
    rows = [
        ["mode", facts["mode"]], ["halted", halted], ["cash", f"{facts['cash']:,.2f}"],
        ["total value", f"{facts['total_value']:,.2f}"],
        ["strategy", f"{facts['strategy']['version']} ({facts['strategy']['hash']})"],
        ["last scan (UTC)", str(facts["last_scan"] or "none yet")],
        ["slot to signals", _scan_times(facts["scan_ms"])],
        ["Prefect", "reachable" if facts["prefect"]["reachable"] else "not running"],
        ["strategy's wall", facts["isolation_gap"] or "complete"],
        ["books", "consistent" if not facts["books_check"] else "; ".join(facts["books_check"])],
    ]
    console.print(table("Status", ["", ""], rows))
    if facts["positions"]:
        lines = [
            [each["symbol"], f"{each['qty']:.8g}", f"{each['avg_entry']:,.6g}", f"{each['current_price']:,.6g}",
             f"{each['unrealized_pnl']:,.2f}", f"{each['stop_loss']:,.6g}" if each["stop_loss"] else "none"]
            for each in facts["positions"]
        ]
        names = ["symbol", "quantity", "entry", "price", "unrealised", "stop"]
        console.print(table("Positions", names, lines, right=(1, 2, 3, 4, 5)))
    if facts["isolation"] and facts["isolation_gap"]:
        told = f"THE WALL AROUND STRATEGIES IS INCOMPLETE, paper only: {facts['isolation_gap']}"
        console.print(told, style="bold red", markup=False, soft_wrap=True)
    for caught in facts["quarantine"]:
        since = f"{caught['at']:%Y-%m-%d %H:%M} UTC"
        told = f"IN QUARANTINE since {since}: {caught['name']} ({caught['hash']}): {caught['sentence']}"
        console.print(told, style="bold red", markup=False, soft_wrap=True)


def _scan_times(times: dict[str, Any] | None) -> str:
    if times is None:
        return "no scans yet"
    return f"median {times['median']:.1f} ms, 95th percentile {times['p95']:.1f} ms ({times['count']} scans)"
