"""`brain run FLOW`: any flow, now: in the system that is up, else by itself."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for

if TYPE_CHECKING:
    from rich.console import Console

    from deployments.prefect_api import PrefectApi
    from shell.home import Home


@command
def run(
    flow: Annotated[str, typer.Argument(help="scan, fees, snapshot, orchestrate, evolve, aggregate, reconcile, ...")],
    param: Annotated[list[str] | None, typer.Option("--param", help="A parameter, key=value; repeatable.")] = None,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Run one flow: where `brain up` runs, as a run of its deployment, whose log is shown as it comes.

    Else in this process, over a shell on this home and a private Prefect server; the market is what the home has stored then,
    and `now` defaults to the newest stored moment.
    """
    from deployments.prefect_api import PrefectApi
    from deployments.prefect_password import password_of
    from deployments.supervisor.note import is_up, read_note
    from flows.registry import find_flow

    find_flow(flow)
    given = dict(_pair(text) for text in param or [])
    place = home_of(home).create()
    note = read_note(place) if is_up(place) else None
    if note is not None:
        api = PrefectApi(url=note.api, password=password_of(place))
        _run_deployed(flow, given, api, note.ui, as_json=as_json)
    else:
        _run_here(flow, given, place, as_json=as_json)


def _run_deployed(flow: str, given: dict[str, str], api: PrefectApi, ui: str, *, as_json: bool) -> None:
    from deployments.supervisor.deployed_run import SUSPENDED, follow, require_completed, start

    console = console_for(as_json)
    run_id = start(api, flow, given)
    console.print(f"{flow}: {ui}/runs/flow-run/{run_id}", soft_wrap=True)
    done = follow(api, ui, run_id, lambda line: console.print(line, markup=False, soft_wrap=True, style="dim"))
    require_completed(done)
    if as_json:
        answer({"flow": flow, "run": done.name, "state": done.state, "link": done.link, "result": done.answer})
    else:
        console.print()
        _show(console, flow, done.answer)
        ending = "waits, and goes on by itself" if done.state == SUSPENDED else "is done"
        console.print(f"{done.name} {ending}: {done.link}", markup=False, soft_wrap=True, style="dim")


def _run_here(flow: str, given: dict[str, str], place: Home, *, as_json: bool) -> None:
    from deployments.opening import last_stored, open_stored, settings_for
    from deployments.prefect_password import password_of
    from deployments.prefect_server import PrefectServer, using
    from flows.registry import run_flow
    from shell.clock import parse_moment
    from shell.desk import Desk
    from shell.errors import UsageError
    from shell.log import configure
    from tasks.context import use_client

    settings = settings_for(place)
    console = console_for(as_json)
    newest = last_stored(place, settings.account.symbols)
    try:
        now = parse_moment(given["now"]) if "now" in given else newest
    except ValueError as error:
        raise UsageError(f"--param now: {error}") from None
    if now > newest:
        raise UsageError(f"--param now={now:%Y-%m-%dT%H:%M}Z lies after the newest stored candle, {newest:%Y-%m-%d %H:%M} UTC")
    given["now"] = now.isoformat()
    configure(place, settings.log.level, console=False)
    console.print(f"{flow} at {now:%Y-%m-%d %H:%M} UTC on stored candles; no exchange is asked")
    opened = open_stored(place, settings, now)
    try:
        with PrefectServer(place.prefect, password_of(place)) as server:
            for sentence in opened.shell.start(now):
                console.print(sentence, markup=False, soft_wrap=True)
            server.wait()
            with using(server, place.prefect), use_client(Desk(opened.shell)):
                result = run_flow(flow, given)
            opened.shell.pause()
    finally:
        opened.close()
    if as_json:
        answer({"flow": flow, "now": now, "result": _plain(result)})
    else:
        console.print()
        _show(console, flow, result)


def _show(console: Console, flow: str, result: Any) -> None:
    from deployments.cli.run_view import view_of

    console.print(view_of(flow, result))


def _pair(text: str) -> tuple[str, str]:
    from shell.errors import UsageError

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--param {text!r} is not key=value")
    return key.strip(), value.strip()


def _plain(result: Any) -> Any:
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
