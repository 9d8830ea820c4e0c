"""`brain status`, `brain kill`, `brain resume`: how a home stands, stopping it, and lifting what stopped it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for, table

if TYPE_CHECKING:
    from shell.home import Home

_CENTURY_SECONDS = 3.2e9


@command
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Stay and follow, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="With --watch: seconds between two looks.")] = 5.0,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """The books as stored, checked against their own facts; works beside a running shell and after a crash.

    Exits 1 when the books do not agree with the fills they are made of.
    """
    from deployments.standing import standing_of
    from shell.errors import UsageError

    if watch and as_json:
        raise UsageError("--watch is for people: a program asks `brain status --json` again")
    place = home_of(home)
    if watch:
        _follow(place, every)
        return
    with read_store(place) as store:
        facts = standing_of(place, store)
    if as_json:
        answer(facts)
    else:
        console_for(False).print(_view(facts))
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
    from shell.store.place import open_store

    place = home_of(home).create()
    now = SystemClock().now()
    try:
        with HomeLock(place), open_store(place) as store:
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
    from shell.store.place import open_store

    known = [each.value for each in HaltKind]
    if kind.upper() not in known:
        raise UsageError(f"{kind!r} is not a halt: {', '.join(known)}")
    place = home_of(home).create()
    with HomeLock(place), open_store(place) as store:
        left = lift_stored(store, HaltKind(kind.upper()), by, SystemClock().now(), settings_for(place))
    if as_json:
        answer({"lifted": kind.upper(), "halted": left})
    else:
        console_for(as_json).print(f"{kind.upper()} lifted" + (f"; still halted: {', '.join(left)}" if left else ""))


def _follow(place: Home, every: float) -> None:
    """Draw the view anew every few seconds. A home that cannot be read just now says so and is tried again."""
    from threading import Event

    from rich.live import Live

    from deployments.standing import standing_of
    from shell.clock import SystemClock
    from shell.errors import BrainError

    never = Event()
    with Live(console=console_for(False), screen=False, auto_refresh=False) as shown:
        try:
            while True:
                try:
                    with read_store(place) as store:
                        drawn = _view(standing_of(place, store))
                except BrainError as error:
                    drawn = Group(Text(str(error), style="bold red"))
                at = f"{SystemClock().now():%Y-%m-%d %H:%M:%S} UTC, every {every:g} s; Ctrl-C ends it"
                shown.update(Group(drawn, Text(at, style="dim")), refresh=True)
                never.wait(every)
        except KeyboardInterrupt:
            return


def _view(facts: dict[str, Any]) -> Group:
    """What people see of a home."""
    halted = ", ".join(facts["halted"])
    rows = [
        ["mode", facts["mode"]],
        ["halted", f"YES: {halted}; `brain resume HALT` lifts one, once you know why" if halted else "no"],
        ["cash", f"{facts['cash']:,.2f}"],
        ["total value", f"{facts['total_value']:,.2f}"],
        ["strategy", f"{facts['strategy']['version']} ({facts['strategy']['hash']})"],
        *_stage_row(facts["capital_stage"]),
        ["last scan (UTC)", f"{facts['last_scan']:%Y-%m-%d %H:%M}" if facts["last_scan"] else "none yet"],
        ["slot to signals", _scan_times(facts["scan_ms"])],
        ["shell", _running(facts["shell"])],
        ["heartbeat", _beat(facts["heartbeat_age"])],
        *_live_rows(facts["shell"]),
        ["Prefect", _prefect(facts["prefect"])],
        ["strategy's wall", facts["isolation_gap"] or "complete"],
        ["books", "consistent" if not facts["books_check"] else "; ".join(facts["books_check"])],
    ]
    parts: list[RenderableType] = [table("Status", ["", ""], rows)]
    if facts["positions"]:
        lines = [
            [each["symbol"], f"{each['qty']:.8g}", f"{each['avg_entry']:,.6g}", f"{each['current_price']:,.6g}",
             f"{each['unrealized_pnl']:,.2f}", f"{each['stop_loss']:,.6g}" if each["stop_loss"] else "none"]
            for each in facts["positions"]
        ]
        names = ["symbol", "quantity", "entry", "price", "unrealised", "stop"]
        parts.append(table("Positions", names, lines, right=(1, 2, 3, 4, 5)))
    if facts["isolation"] and facts["isolation_gap"]:
        told = f"THE WALL AROUND STRATEGIES IS INCOMPLETE, paper only: {facts['isolation_gap']}"
        parts.append(Text(told, style="bold red"))
    for name in facts["approvals_waiting"]:
        told = f"{name} WAITS FOR YOUR WORD: `brain approve {name}` or `brain reject {name}`"
        parts.append(Text(told, style="bold yellow"))
    for caught in facts["quarantine"]:
        since = f"{caught['at']:%Y-%m-%d %H:%M} UTC"
        told = f"IN QUARANTINE since {since}: {caught['name']} ({caught['hash']}): {caught['sentence']}"
        parts.append(Text(told, style="bold red"))
    return Group(*parts)


def _stage_row(stage: dict[str, Any] | None) -> list[list[str]]:
    """In live mode, the part of the capital that the version has earned."""
    if not stage or "share" not in stage:
        return []
    earned = f"{stage['days']} of {stage['days_needed']} days without a breach"
    return [["capital in use", f"at most {float(stage['share']):.0%} ({earned})"]]


def _running(shell: dict[str, Any]) -> str:
    if not shell["running"]:
        return "not running"
    return f"process {shell['pid']}" if shell["pid"] else "running"


def _prefect(found: dict[str, Any]) -> str:
    if not found["reachable"]:
        return "not running"
    return f"reachable; `{found['password_command']}` shows what its pages ask for"


def _beat(seconds: float | None) -> str:
    """How long ago the trading thread proved that it answers."""
    from shell.watchdog import STALE

    if seconds is None:
        return "none: no shell trades here"
    if seconds <= STALE.total_seconds():
        return f"{seconds:.0f} s ago"
    since = f"{seconds:,.0f} s ago" if seconds < _CENTURY_SECONDS else "cannot be read"
    return f"OLD, {since}: the shell was killed or hangs; `brain doctor` says what to do"


def _live_rows(shell: dict[str, Any]) -> list[list[str]]:
    """What the running shell told of itself at its last look, every 30 seconds."""
    live = shell["live"]
    if not shell["running"] or live is None or not live["running"]:
        return []
    link, slots, errors = live["link"], live["slots"], live["errors"]
    state = f"up, connection {link['connections']}" if link.get("up") else f"down: {link.get('reason', 'unknown')}"
    if link.get("lag_seconds") is not None:
        state += f"; our clock less the exchange's {link['lag_seconds']:+.2f} s"
    ages = ", ".join(f"{symbol} {age:.0f} s" for symbol, age in sorted(live["price_age_s"].items())) or "none yet"
    missed = f"{slots['done']} scanned, {slots['missed']} missed, {slots['incomplete']} without all bars"
    rows = [
        ["as of (UTC)", str(live["at"])[:19].replace("T", " ")],
        ["market data", f"{state}; venue {link.get('system', 'unknown')}"],
        ["newest prices", ages], ["slots since start", missed],
        ["late and changed bars", f"{live['late_bars']} and {live['revised_bars']}"], ["errors caught", str(errors["count"])],
    ]
    rows += [[f"  {part}", f"{each['count']}, last: {each['sentence']}"] for part, each in errors["newest"].items()]
    return rows + [[each["name"], _beside(each)] for each in live["beside"]]


def _beside(each: dict[str, Any]) -> str:
    return ", ".join(filter(None, ["ok" if each["ok"] else "", each["sentence"]]))


def _scan_times(times: dict[str, Any] | None) -> str:
    if times is None:
        return "no scans yet"
    return f"median {times['median']:.1f} ms, 95th percentile {times['p95']:.1f} ms ({times['count']} scans)"
