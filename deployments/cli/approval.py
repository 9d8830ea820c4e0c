"""`brain approve`, `brain reject`: a person's word about a candidate that passed everything, as Telegram takes it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for, table

if TYPE_CHECKING:
    from shell.home import Home
    from shell.trials.candidate import Candidate

ByOption = Annotated[str, typer.Option(help="Who decides; it is recorded.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Decide without asking once more.")]
OPERATOR = "the operator"


@command
def approve(
    candidate: Annotated[str | None, typer.Argument(help="A candidate (c0001); without one: who waits for your word.")] = None,
    by: ByOption = OPERATOR,
    yes: YesOption = False,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Let a candidate that passed its paper trial be promoted; it trades the account from then on.

    The same word as `/approve` in Telegram, with the shell running or not. Until the promotion another word takes its place.
    """
    if candidate is None:
        _list_waiting(home_of(home), as_json=as_json)
    else:
        _decide(home_of(home), candidate, approved=True, by=by, sure=yes or as_json, as_json=as_json)


@command
def reject(
    candidate: Annotated[str, typer.Argument(help="A candidate (c0001).")],
    by: ByOption = OPERATOR,
    yes: YesOption = False,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Refuse a candidate: its work is kept, and it is not promoted. The same word as `/reject` in Telegram."""
    _decide(home_of(home), candidate, approved=False, by=by, sure=yes or as_json, as_json=as_json)


def waiting_rows(place: Home) -> list[dict[str, Any]]:
    """The candidates that wait for a person, oldest first, and when the question becomes a no by itself."""
    from deployments.opening import settings_for
    from shell.promotion.permission import lapses_at, waiting_for_a_person

    settings = settings_for(place)
    with read_store(place) as store:
        return [
            {"candidate": each.candidate_id, "hypothesis": each.proposal.hypothesis, "reasons": list(each.reasons),
             "class": each.change_class.value if each.change_class else "", "provider": each.proposal.provider,
             "refused_at": lapses_at(store, settings, each.candidate_id)}
            for each in waiting_for_a_person(store, settings, store.candidates.list())
        ]


def _list_waiting(place: Home, *, as_json: bool) -> None:
    rows = waiting_rows(place)
    if as_json:
        answer({"waiting": rows})
        return
    console = console_for(as_json)
    if not rows:
        console.print("Nobody waits for your word.")
        return
    lines = [
        [each["candidate"], each["class"], each["hypothesis"], "; ".join(each["reasons"]),
         f"{each['refused_at']:%Y-%m-%d %H:%M}" if each["refused_at"] else ""]
        for each in rows
    ]
    console.print(table("Waiting for your word", ["id", "change", "hypothesis", "paper trial", "refused at (UTC)"], lines))
    console.print("`brain approve ID` or `brain reject ID`; `brain strategy show ID` has the code and every stage", style="dim")


def _decide(place: Home, name: str, *, approved: bool, by: str, sure: bool, as_json: bool) -> None:
    from shell.errors import BadInput, UsageError
    from shell.promotion.permission import require_pending

    by = " ".join(by.split())
    if not by:
        raise UsageError("--by needs a name: it is recorded")
    with read_store(place) as store:
        found = require_pending(store.candidates.get(name.lower()))
    console = console_for(as_json)
    if not sure:
        _show(console, found)
        question = "Let it be promoted? It trades the account within minutes" if approved else "Refuse it?"
        if not typer.confirm(question, err=True):
            raise BadInput("nothing was decided")
    told, running = _recorded(place, found.candidate_id, approved, by)
    if as_json:
        answer({"candidate": found.candidate_id, "approved": approved, "by": by, "told": told, "shell_running": running})
        return
    said = "[green]approved[/]" if approved else "[yellow]rejected[/]"
    console.print(f"{found.candidate_id} is {said}: {told}", soft_wrap=True)
    if not running:
        console.print("No shell runs on this home: nothing happens before `brain up` has started one.", style="dim")


def _recorded(place: Home, candidate_id: str, approved: bool, by: str) -> tuple[str, bool]:
    """What follows from the word, and whether a running shell took it: it alone writes its database (D11)."""
    from deployments.opening import settings_for
    from shell.clock import SystemClock
    from shell.errors import NotNow
    from shell.home import HomeLock
    from shell.promotion.permission import decide
    from shell.store.place import open_store
    from tasks.socket_client import SocketClient

    lock = HomeLock(place)
    try:
        lock.acquire()
    except NotNow:
        with closing(SocketClient(place.control_socket)) as client:
            return client.person_decides(candidate_id, approved, by).told, True
    with lock, open_store(place) as store:
        return decide(store, settings_for(place), candidate_id, approved, by, SystemClock().now()), False


def _show(console: Console, found: Candidate) -> None:
    """What a person decides about."""
    kind = f", a {found.change_class.value}" if found.change_class is not None else ""
    console.print(
        f"{found.candidate_id} by {found.proposal.provider}{kind}: {found.proposal.hypothesis}", markup=False, soft_wrap=True
    )
    console.print(f"  {found.verdict.value} at {found.stage.value}", markup=False)
    for reason in found.reasons:
        console.print(f"  {reason}", markup=False, soft_wrap=True)
