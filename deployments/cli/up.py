"""`brain up`, `brain down`: the whole system on this machine, started, kept running and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for
from shell.clock import monotonic

if TYPE_CHECKING:
    from deployments.supervisor.note import UpNote
    from shell.home import Home

# Above what the parts may take one after the other: it is they who give up, with their reason.
DETACH_SECONDS_MAX = 1_200.0
DOWN_SECONDS_MAX = 180.0
POLL_SECONDS = 0.3


@command
def up(
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Trade on the local Kraken; needs no network and no key.")
    ] = False,
    prefect_port: Annotated[
        int | None, typer.Option("--prefect-port", help="Port of Prefect's pages on 127.0.0.1; default: [prefect] port.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once everything is up and leave it running.")] = False,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Start the shell, then Prefect's database, server and worker, deploy every flow, and keep all of it running.

    Stays in the foreground, because whoever starts it (a terminal, systemd, a container) then also knows when it ends and can
    stop it: Ctrl-C and SIGTERM run the shutdown sequence. With --detach it returns, and `brain down` stops it.
    """
    from deployments.opening import settings_for
    from deployments.prefect_password import password_command, password_of
    from deployments.standing import page_of
    from deployments.supervisor.system import Plan, System
    from shell.home import Home
    from shell.log import configure

    place = _place(home, simulated=simulated).create()
    settings = settings_for(place)
    port = prefect_port if prefect_port is not None else settings.prefect.port
    if detach:
        _detach(place, port, simulated=simulated, as_json=as_json)
        return
    password = password_of(place)
    configure(place, settings.log.level, console=False, name="up", secrets=[password.secret])
    plan = Plan(
        home=place, settings=settings, root=Home.project().root, port=port, password=password, simulated=simulated,
        shell=(sys.executable, "-m", "deployments.cli.main", "shell", *_options(place, simulated=simulated)),
    )
    console = console_for(as_json)
    begun = monotonic()
    with _Told(console) as tell:
        system = System(plan, tell)
        with system.running():
            tell("", "")
            facts = system.facts() | {"seconds": round(monotonic() - begun, 1), "page": page_of(place)}
            facts["password_command"] = password_command(place)
            _show(console, facts)
            if as_json:
                answer({"up": True, **facts})
            system.watch()
            console.print("stopping: the shell keeps positions and their stops")
    console.print("everything is stopped")
    if as_json:
        answer({"up": False, "home": facts["home"], "stopped": True})


@command
def down(
    simulated: Annotated[bool, typer.Option("--simulated", help="The system that `brain up --simulated` started.")] = False,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop everything `brain up` started on this home, also what an `up` that was killed left behind."""
    from deployments.supervisor.note import end, is_alive, is_up, leftovers, read_note, remove_note

    place, console = _place(home, simulated=simulated), console_for(as_json)
    note = read_note(place)
    found: list[str] = sorted(note.children) if note else []
    was_up = is_up(place)
    if was_up and note is not None:
        console.print(f"stopping {', '.join(found)}: the shell keeps positions and their stops")
        os.kill(note.supervisor.pid, signal.SIGTERM)
        deadline = monotonic() + DOWN_SECONDS_MAX
        while is_alive(note.supervisor) and monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if is_alive(note.supervisor):
            # It would start again what is stopped below.
            console.print(f"the supervisor (process {note.supervisor.pid}) does not end: ending it by force")
            os.kill(note.supervisor.pid, signal.SIGKILL)
    left = leftovers(place) if place.run.is_dir() else {}
    if left:
        console.print(f"an earlier start left {', '.join(f'{name} ({each.pid})' for name, each in left.items())}: stopping it")
        end(left, 90.0)
    if place.run.is_dir():
        remove_note(place)
    console.print("everything is stopped" if was_up or left else "nothing was running on this home")
    if as_json:
        answer({"stopped": sorted({*found, *left}) if was_up or left else [], "was_up": was_up, "leftovers": sorted(left)})


def _place(folder: Path | None, *, simulated: bool) -> Home:
    """The home to run; an invented market has its own, the one `brain shell --simulated` takes."""
    from shell.home import Home

    if folder is None and simulated:
        return Home.private(Home.project().root / "data" / "simulated")
    return home_of(folder, new=True)


def _options(place: Home, *, simulated: bool) -> list[str]:
    """What names the home and its market to a command."""
    from shell.home import Home

    named = [] if place == Home.project() else ["--home", str(place.root)]
    return [*named, *(["--simulated"] if simulated else [])]


def _detach(place: Home, port: int, *, simulated: bool, as_json: bool) -> None:
    """The same command in a session of its own; waits until it is up, or shows why it is not."""
    from deployments.prefect_password import password_command
    from deployments.standing import page_of
    from deployments.supervisor.note import is_up
    from shell.errors import NotNow

    if is_up(place):
        raise NotNow(f"the system is up already on {place.root}: `brain down` stops it")
    words = [sys.executable, "-m", "deployments.cli.main", "up", "--prefect-port", str(port)]
    words += _options(place, simulated=simulated)
    log = place.logs / "up.out"
    with log.open("wb") as file:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    console, deadline = console_for(as_json), monotonic() + DETACH_SECONDS_MAX
    with _Told(console) as tell:
        tell("system", "starting")
        while (note := _note_of(place, process.pid)) is None:
            if process.poll() is not None:
                raise NotNow(f"it did not come up:\n{log.read_text(errors='replace').strip()[-1500:]}")
            if monotonic() > deadline:
                process.terminate()
                raise NotNow(f"it was not up within {DETACH_SECONDS_MAX:.0f} s and is stopped; {log} tells how far it came")
            time.sleep(POLL_SECONDS)
        tell("system", "ready")
    facts: dict[str, Any] = {
        "home": str(place.root), "ui": note.ui, "api": note.api, "simulated": note.simulated, "supervisor": process.pid,
        "children": {name: each.pid for name, each in note.children.items()}, "page": page_of(place),
        "password_command": password_command(place),
    }
    _show(console, facts)
    if as_json:
        answer({"up": True, **facts})


def _note_of(place: Home, pid: int) -> UpNote | None:
    from deployments.supervisor.note import read_note

    note = read_note(place)
    return note if note is not None and note.phase == "up" and note.supervisor.pid == pid else None


class _Told:
    """One line a part on a terminal, drawn while it changes; elsewhere a line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = monotonic()

    def __enter__(self) -> Any:
        self._status = self._console.status("starting") if self._console.is_terminal else None
        if self._status is not None:
            self._status.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def _tell(self, part: str, told: str) -> None:
        if not part:
            if self._status is not None:
                self._status.stop()
            return
        seconds = monotonic() - self._begun
        if self._status is not None and told not in ("ready", "stopped") and part != "earlier start":
            self._status.update(f"{part}: {told}")
        else:
            style = "green" if told == "ready" else "dim"
            self._console.print(f"[{style}]{seconds:6.1f} s[/]  {part}: {told}", soft_wrap=True)


def _show(console: Console, facts: dict[str, Any]) -> None:
    page = facts["ui"]
    console.print(f"[bold]up[/]: Prefect's pages at [link={page}]{page}[/link], home {facts['home']}", soft_wrap=True)
    console.print(f"  they ask for a password: `{facts['password_command']}` shows it", soft_wrap=True)
    if facts["page"]:
        console.print(f"  the shell's own page at {facts['page']}", soft_wrap=True)
    for name, pid in facts["children"].items():
        console.print(f"  {name:<9} process {pid}")
    console.print("`brain status` tells how it stands, `brain down` (or Ctrl-C) stops it", style="dim")
